"""Vocabularies: what tokens spell, what is strange about them, and that a smaller size is what training would give."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.tokenizer import encode_one
from pipeline.vocabulary import Vocabulary, shortened, spelled, strangeness
from tests.pipeline.public_trainer import publicly
from tests.pipeline.test_tokenizer import TEXTS

SIZE = 420


@pytest.fixture(scope="module")
def tokenizer():
    made = publicly(TEXTS, SIZE)
    made.encode_special_tokens = True
    return made


def merges(tokenizer):
    return json.loads(tokenizer.to_str())["model"]["merges"]


@pytest.mark.parametrize("size", [260, 261, 300, 419, 420, 9000])
def test_the_first_tokens_are_the_tokenizer_that_training_stops_at(tokenizer, size):
    smaller, trained = shortened(tokenizer, size), publicly(TEXTS, min(size, SIZE))
    assert merges(smaller) == merges(trained) and smaller.get_vocab() == trained.get_vocab()


@settings(max_examples=30)
@given(text=st.text(max_size=60), size=st.integers(260, SIZE))
def test_a_smaller_size_still_gives_any_text_back_and_never_takes_fewer_tokens(tokenizer, text, size):
    smaller = shortened(tokenizer, size)
    ids = encode_one(smaller, text)
    assert smaller.decode(ids, skip_special_tokens=False) == text
    assert max(ids, default=0) < size and len(ids) >= len(encode_one(tokenizer, text))


@settings(max_examples=50)
@given(text=st.text(max_size=60) | st.sampled_from(["</s> a", "é\x00\U0010ffff", "自由"]))
def test_the_spelling_of_its_tokens_is_the_text(tokenizer, text):
    vocabulary = Vocabulary.of(tokenizer)
    assert b"".join(vocabulary.spells[id_] for id_ in encode_one(tokenizer, text)) == text.encode()


def test_special_tokens_spell_nothing_and_half_of_the_bytes_are_parts_of_characters(tokenizer):
    vocabulary = Vocabulary.of(tokenizer)
    assert vocabulary.spells[:4] == [b""] * 4 and len(vocabulary) == SIZE
    assert vocabulary.single.sum() == 128  # 0x80 to 0xff
    assert vocabulary.partial.sum() >= 128 and not vocabulary.partial[:4].any()


@pytest.mark.parametrize(
    ("token", "kind"),
    [
        (b"2019", ""),
        (b"20190", "digits"),
        ("٢٠١٩٠".encode(), "digits"),
        (b"-------", ""),  # seven
        (b"--------", "repeated"),
        (b"=-=-=-=-", "repeated"),
        (b"=-=-=+=-", ""),  # three different ones
        (b" \n\t a", ""),
        (b"a\x00", "invisible"),
        ("a\u200b".encode(), "invisible"),
        ("न\u200d".encode(), ""),  # a joiner that scripts need
        ("\ue000".encode(), "invisible"),
        ("pаy".encode(), "mixed"),  # the second letter is Cyrillic
        ("10µm".encode(), ""),
        ("東京へ".encode(), ""),
        ("é".encode()[:1], ""),  # a part of one character is no wonder
        ("आप".encode()[:4], ""),  # one character and a byte: 4 bytes
        ("आप".encode()[:5], "broken"),
    ],
)
def test_what_is_strange_about_a_token(token, kind):
    assert strangeness(token) == kind


@given(token=st.binary(max_size=12))
def test_any_token_can_be_told_and_shown(token):
    strangeness(token)
    assert not set(" \n\t\r") & set(spelled(token))


def test_blanks_and_broken_characters_can_be_read():
    assert spelled(b" a\n") == "␣a␊" and spelled("é".encode()[:1]) == "\\xc3"
