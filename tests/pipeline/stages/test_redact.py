"""`redact` writes what it took out and how often, and spares decorators in code."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.stages.redact import MARKS, Redact
from tests.pipeline.stages.tables import docs, texts_after
from tests.pipeline.text.texts import TEXT

TEXTS = ["write to ana@example.com or @ana_m from 8.8.8.8", "nothing here", "a@b.co, c@d.eu"]


def test_each_kind_has_its_mark():
    expected = ["write to <EMAIL> or <USER> from <IP>", "nothing here", "<EMAIL>, <EMAIL>"]
    assert texts_after(Redact(), docs(TEXTS)) == expected


def test_counts_stand_in_columns_and_tallies():
    outcome = Redact().apply(docs(TEXTS))
    assert outcome.columns["redacted_email"].to_pylist() == [1, 0, 2]
    assert outcome.columns["redacted_user"].to_pylist() == [1, 0, 0]
    assert outcome.tallies == {"email": 3, "user": 1, "ip": 1, "key": 0}
    assert set(outcome.columns) == {"text", *Redact().writes}


def test_a_kind_that_is_left_out_stays_and_is_not_counted():
    stage = Redact(email=False, ip=False)
    assert texts_after(stage, docs(TEXTS)) == ["write to ana@example.com or <USER> from 8.8.8.8", *TEXTS[1:]]
    assert stage.writes == ("redacted_user", "redacted_key")


def test_user_names_are_looked_for_in_text_and_never_in_code():
    code = "@app\nrun(by='@ana_m', mail='ana@example.com')"
    assert texts_after(Redact(), docs([code], "code")) == [code.replace("ana@example.com", "<EMAIL>")]
    assert "<USER>" in texts_after(Redact(), docs([code]))[0]


def test_what_is_opt_in_stays_unless_asked_for():
    text = "+254 722 123456, GB82 WEST 1234 5698 7654 32, 4111 1111 1111 1111"
    assert texts_after(Redact(), docs([text])) == [text]
    asked = Redact(phone=True, iban=True, card=True)
    assert texts_after(asked, docs([text])) == ["<PHONE>, <IBAN>, <CARD>"]
    assert asked.apply(docs([text])).tallies == {
        **dict.fromkeys(("email", "user", "ip", "key"), 0),
        "phone": 1,
        "iban": 1,
        "card": 1,
    }


def test_marks_of_ones_own_take_the_place_of_ours():
    stage = Redact(marks={"email": "PI:EMAIL"})
    assert texts_after(stage, docs(["ana@example.com @ana_m"])) == ["PI:EMAIL <USER>"]
    assert Redact(**stage.model_dump()) == stage


@pytest.mark.parametrize(
    "marks", [{"mail": "x"}, {"email": "a1"}, {"email": "@"}, {"email": ""}, {"email": "a\n"}, {"email": "x" * 25}]
)
def test_a_mark_that_would_be_searched_or_names_nothing_is_refused(marks):
    with pytest.raises(ValidationError):
        Redact(marks=marks)


@pytest.mark.parametrize("mark", MARKS.values())
def test_marks_are_ascii_and_hold_nothing_to_find(mark):
    everything = Redact(phone=True, iban=True, card=True)
    assert mark.isascii()
    assert texts_after(everything, docs([f"Tel. {mark} {mark}{mark}"])) == [f"Tel. {mark} {mark}{mark}"]


@settings(deadline=None, max_examples=60)
@given(st.lists(TEXT, min_size=1, max_size=4), st.integers(0, 3))
def test_a_planted_address_is_all_that_changes(texts, where):
    planted = [f"{text} ana.m@example.co.ke {text}" if i == where else text for i, text in enumerate(texts)]
    stage = Redact(ip=False, key=False, user=False)
    expected = [text.replace("ana.m@example.co.ke", MARKS["email"]) for text in planted]
    assert texts_after(stage, docs(planted)) == expected
