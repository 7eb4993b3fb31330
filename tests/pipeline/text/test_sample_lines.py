"""The lines of a sample: each distinct one once, blank ones with the line above, long texts cut without a trace."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.text import sample_lines
from pipeline.text.sample_lines import line_keys, once

LINES = st.sampled_from(
    ["a", "b", " a", "a\t", "ab", "", " ", "\u3000", "\u00e9", "中文。", "🙂", "\u0301", "\0", "a\r"]
)
DOCUMENTS = st.lists(st.lists(LINES, max_size=6).map("\n".join), max_size=6)


def texts_of(documents: list[str]) -> pa.Array:
    return pa.array(documents, pa.large_string())


def stripped(line: str) -> str:
    return line.strip()


def twin(documents: list[str], gone: set[str]) -> tuple[list[str], int]:
    """What `once` gives where all keys are told, and those of the lines in `gone` are not spared."""
    seen, out, count = set(gone), [], 0
    for text in documents:
        kept, goes = [], False
        for at, line in enumerate(text.split("\n")):
            bare = stripped(line)
            goes = bare in seen if bare else goes and at > 0
            count += bool(bare) and goes
            seen |= {bare} - {""}
            kept += [] if goes else [line]
        out.append("\n".join(kept))
    return out, count


@settings(deadline=None)
@given(documents=DOCUMENTS, gone=st.sets(st.sampled_from(["a", "ab", "é", "🙂"])))
def test_what_stays_of_any_texts_is_what_plain_python_leaves(documents, gone):
    texts = texts_of(documents)
    keys, rows = line_keys(texts)
    firsts = [
        next(i for i, t in enumerate(documents) if bare in map(stripped, t.split("\n"))) for bare in _all(documents)
    ]
    assert sorted(rows.tolist()) == sorted(firsts)
    spared = ~np.isin(keys, line_keys(texts_of(sorted(gone)))[0])
    new, count = once(texts, keys, spared)
    assert (new.to_pylist(), count) == twin(documents, gone)


def _all(documents: list[str]) -> set[str]:
    return {stripped(line) for text in documents for line in text.split("\n")} - {""}


def test_a_repeated_line_takes_the_blank_lines_below_it_with_it():
    # "a" of the second text goes, and the blank line behind it, not the one behind "c"
    texts = texts_of(["a\n\nb", "x\n\na\n \nc\n\nd"])
    new, count = once(texts, *_nothing_elsewhere(texts))
    assert (new.to_pylist(), count) == (["a\n\nb", "x\n\nc\n\nd"], 1)


def test_texts_without_a_repeated_line_come_back_as_they_are():
    texts = texts_of(["\n\na\n\n", "", "b\n"])
    new, count = once(texts, *_nothing_elsewhere(texts))
    assert (new.to_pylist(), count) == (texts.to_pylist(), 0)


def _nothing_elsewhere(texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    keys, _ = line_keys(texts)
    return keys, np.ones(len(keys), bool)


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_keys_are_the_same_wherever_long_texts_are_cut(monkeypatch, batch):
    documents = ["", "a\nb\n" * 9, "", "long " * 30 + "\nb", "中文\n" * 8 + "end", "b\nc", ""]
    texts = texts_of(["skipped", *documents]).slice(1)
    whole = line_keys(texts)
    monkeypatch.setattr(sample_lines, "BATCH", batch)
    keys, rows = line_keys(texts)
    assert keys.tolist() == whole[0].tolist() and rows.tolist() == whole[1].tolist()
    assert sorted(rows.tolist()) == [1, 1, 3, 4, 4, 5]  # a and b; the long one; 中文 and end; c


def test_of_no_texts_there_is_no_line():
    assert [len(part) for part in line_keys(texts_of([]))] == [0, 0]
    assert [len(part) for part in line_keys(texts_of(["", " \n\t"]))] == [0, 0]
