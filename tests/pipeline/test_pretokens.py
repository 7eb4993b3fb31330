"""The kernel cuts every text where BLOOM's pre-tokenizer does, as `tokenizers` reads its regular expression."""

import sys
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, pre_tokenizers

from pipeline.text.buffers import buffers
from pipeline.text.pretokens import BREAKS, pretokens
from pipeline.tokenizer import PATTERN

ORACLE = pre_tokenizers.Split(Regex(PATTERN), behavior="isolated", invert=False)
NEAR_BREAKS = st.text(st.sampled_from([*BREAKS, *"ab[]é中\u200b\u2010\uff0b\u0965😀"]), max_size=20)


def pieces(texts: list[str]) -> list[list[str]]:
    offsets, data = buffers(pa.array(texts, pa.large_string()))
    edges, counts = pretokens(offsets, data)
    flat = iter([data[a:b].tobytes().decode() for a, b in pairwise(edges)])
    out = [[next(flat) for _ in range(count)] for count in counts]
    assert next(flat, None) is None
    return out


def expected(text: str) -> list[str]:
    return [piece for piece, _ in ORACLE.pre_tokenize_str(text)]


@settings(deadline=None)  # the first call may compile
@given(texts=st.lists(NEAR_BREAKS | st.text(max_size=20), max_size=5))
def test_texts_are_cut_as_the_library_cuts_them(texts):
    assert pieces(texts) == [expected(text) for text in texts]


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("(2023)  a|b", ["(", "2023", ") ", " a", "|", "b"]),  # one blank goes with the run, the others with the gap
        ("", []),
        (" ", [" "]),
        ("a \u3000b", ["a", " \u3000", "b"]),  # only a plain blank goes with a run
        ("你好。 再见", ["你好", "。", " 再见"]),
    ],
)
def test_cases_worked_by_hand(text, cut):
    assert pieces([text]) == [cut]
    assert expected(text) == cut


def characters(last: int) -> list[str]:
    return [chr(c) for c in range(last + 1) if not 0xD800 <= c < 0xE000]


def test_every_character_of_the_basic_plane_is_of_the_class_that_the_library_gives_it():
    text = "a" + "a".join(characters(0xFFFF))
    assert pieces([text]) == [expected(text)]


@pytest.mark.torture
def test_every_character_of_unicode_is_of_the_class_that_the_library_gives_it():
    every = characters(sys.maxunicode)
    for start in range(0, len(every), 50_000):
        text = "a" + "a".join(every[start : start + 50_000])
        assert pieces([text]) == [expected(text)]
