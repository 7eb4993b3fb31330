"""`redact` writes what it took out and how often, and spares decorators in code."""

from hypothesis import given, settings
from hypothesis import strategies as st

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


def test_decorators_in_code_are_no_user_names():
    code = "@property\ndef mail(self): return 'ana@example.com'"
    assert texts_after(Redact(), docs([code], "code")) == [code.replace("ana@example.com", "<EMAIL>")]
    assert texts_after(Redact(), docs([code])) == [
        code.replace("ana@example.com", "<EMAIL>").replace("@property", "<USER>")
    ]


@settings(deadline=None, max_examples=60)
@given(st.lists(TEXT, min_size=1, max_size=4), st.integers(0, 3))
def test_a_planted_address_is_all_that_changes(texts, where):
    planted = [f"{text} ana.m@example.co.ke {text}" if i == where else text for i, text in enumerate(texts)]
    stage = Redact(ip=False, key=False, user=False)
    expected = [text.replace("ana.m@example.co.ke", MARKS["email"]) for text in planted]
    assert texts_after(stage, docs(planted)) == expected
