"""Shingles and signatures equal their plain-Python twin on any bytes, and estimate Jaccard as well as theory allows."""

import inspect
import random
import time
import tracemalloc
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from datasketch import MinHash
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.text.letters import UNITS
from pipeline.text.minhash import signatures
from pipeline.text.shingles import shingles
from tests.pipeline.minhash_twin import shingles as twin_shingles
from tests.pipeline.minhash_twin import signature, words

ALPHABET = "aBz09_ .,\n\0\u00a0éÉßİſ́ЖжΣςأ،ـहि।าກမ្かカ中国\u3000。한글😀𠀀𝒳\u200d\u00ad\ufe0f\ufffd\ud7ff\ue000"
TEXT = st.text(st.sampled_from(ALPHABET) | st.characters(exclude_categories=["Cs"]), max_size=60)
BYTES = (
    TEXT.map(str.encode) | st.binary(max_size=40) | st.tuples(TEXT.map(str.encode), st.binary(max_size=6)).map(b"".join)
)
SIZE, UNIT = st.integers(1, 7), st.sampled_from(UNITS)


def text_array(documents: list[bytes]) -> pa.Array:
    return pa.array(documents, pa.large_binary())


def sets(documents: list[bytes], size: int, unit: str) -> list[list[int]]:
    offsets, hashes = shingles(text_array(documents), size, unit)
    return [hashes[a:b].tolist() for a, b in pairwise(offsets)]


@settings(deadline=None)
@given(st.lists(BYTES, max_size=6), SIZE, UNIT)
@example(
    [b"\xc1\xa1", b"\xe0\x81\xa1", b"\xf0\x80\x81\xa1", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"], 1, "auto"
)  # not UTF-8
@example(
    [b"a \xc3", b"\xa9", b"a \xe4\xb8", b"\xad", b"a \xf0\xa0\x80", b"\x80", b"abcdefgh"], 1, "auto"
)  # ends within one
def test_shingles_are_those_of_the_twin_for_all_bytes(documents, size, unit):
    assert sets(documents, size, unit) == [sorted(set(twin_shingles(d, size, unit))) for d in documents]


@settings(max_examples=40, deadline=None)
@given(st.lists(BYTES, max_size=4), SIZE, UNIT, st.sampled_from([1, 64, 100, 128]))
def test_signatures_are_those_of_the_twin_for_all_bytes(documents, size, unit, k):
    rows, counts = signatures(text_array(documents), k, size, unit)
    found = [twin_shingles(d, size, unit) for d in documents]
    assert counts.tolist() == [len(f) for f in found]
    assert rows.tolist() == [signature(f, k) for f in found]


@pytest.mark.parametrize("unit", UNITS)
def test_a_text_of_many_blocks_is_the_twins_wherever_the_blocks_are_cut(unit):
    source = inspect.getsource(inspect)[:40_000].encode()
    mixed = "Toute personne a droit à l'éducation. 人人有受教育的权利。ทุกคนมีสิทธิ हर व्यक्ति को ".encode() * 300
    documents = [b" " * pad + source for pad in range(0, 9, 4)] + [b"x" * pad + mixed for pad in range(5)]
    documents += [source + b" " * 40_000, b" " * 40_000 + b"few words"]
    rows, counts = signatures(text_array(documents), 64, 5, unit)
    for document, row, count in zip(documents, rows.tolist(), counts, strict=True):
        found = twin_shingles(document, 5, unit)
        assert (row, count) == (signature(found, 64), len(found))


@pytest.mark.parametrize(
    ("text", "unit", "want"),
    [
        ("Hello, WORLD! It's 2024.", "auto", ["hello", "world", "it", "s", "2024"]),
        ("ÉCOLE Ọjọ́ ЖИЗНЬ", "auto", ["école", "ọjọ́", "жизнь"]),  # the mark of ọ́ belongs to its word
        ("人人生而自由 free", "auto", ["人", "人", "生", "而", "自", "由", "free"]),
        ("人人生而自由 free", "words", ["人人生而自由", "free"]),
        ("so free", "chars", ["s", "o", "f", "r", "e", "e"]),
        ("می‌خواهم", "auto", ["میخواهم"]),  # the joiner inside a Persian word is passed over
        ("मनुष्य।", "auto", ["मनुष्य"]),  # vowel signs are no gaps, the danda is
        ("-- ... 😀 !", "auto", []),
    ],
)
def test_words_are_what_a_reader_would_say(text, unit, want):
    assert words(text.encode(), unit) == want
    assert sets([text.encode()], 1, unit) == [sorted(set(twin_shingles(text.encode(), 1, unit)))]


def test_case_punctuation_and_layout_do_not_count():
    rows, _ = signatures(pa.array(["All human beings are born free.", "ALL\n\nhuman — beings are «born» free"]))
    assert (rows[0] == rows[1]).all()


def test_a_short_text_is_one_shingle_and_a_wordless_one_is_none():
    rows, counts = signatures(pa.array(["two words", "Two, words!", "two", "", None, "?!"]))
    assert counts.tolist() == [1, 1, 1, 0, 0, 0]
    assert (rows[0] == rows[1]).all() and not (rows[0] == rows[2]).any()
    assert (rows[3:] == 0xFFFFFFFF).all()


def test_a_signature_does_not_depend_on_its_neighbours():
    texts = pa.array([f"text number {i} " * (i + 1) for i in range(20)])
    whole, _ = signatures(texts)
    assert (np.concatenate([signatures(texts[i : i + 1])[0] for i in range(20)]) == whole).all()


def test_the_signature_of_a_known_text_never_changes():
    rows, counts = signatures(
        pa.array(["Tous les êtres humains naissent libres et égaux en dignité et en droits. 人人生而自由"])
    )
    assert counts.tolist() == [15]  # 13 words and 6 characters: 19 - 5 + 1
    assert rows[0, :4].tolist() == [4033693471, 1584663020, 893588050, 2894633013]
    assert int(rows.sum()) == 293067276681


def pairs_at(share: float, n: int, words_: int = 300) -> tuple[list[str], float]:
    """n pairs of texts that share a first part, and their exact Jaccard similarity (all words differ)."""
    kept = round(words_ * share)
    texts = []
    for i in range(n):
        common = [f"{i}c{j}" for j in range(kept)]
        texts += [" ".join([*common, *(f"{i}{side}{j}" for j in range(words_ - kept))]) for side in "ab"]
    same, all_ = kept - 4, words_ - 4
    return texts, same / (2 * all_ - same)


@pytest.mark.parametrize("share", [0.5, 0.8, 0.95])
@pytest.mark.parametrize("k", [64, 128, 256])
def test_the_error_of_an_estimate_is_no_more_than_binomial(share, k):
    texts, jaccard = pairs_at(share, 400)
    rows, _ = signatures(pa.array(texts), k)
    error = (rows[::2] == rows[1::2]).mean(axis=1) - jaccard
    binomial = (jaccard * (1 - jaccard) / k) ** 0.5
    assert abs(error.mean()) < 4 * binomial / 400**0.5  # no bias
    assert (error**2).mean() ** 0.5 < 1.1 * binomial


def test_estimates_are_at_least_as_good_as_those_of_datasketch():
    texts, jaccard = pairs_at(0.8, 60, 120)
    rows, _ = signatures(pa.array(texts), 128)
    ours = (rows[::2] == rows[1::2]).mean(axis=1) - jaccard
    offsets, hashes = shingles(pa.array(texts))
    theirs = [MinHash(128, hashfunc=lambda e: int(e) & 0xFFFFFFFF) for _ in texts]
    for t, sketch in enumerate(theirs):
        sketch.update_batch(hashes[offsets[t] : offsets[t + 1]])
    other = np.array([a.jaccard(b) for a, b in zip(theirs[::2], theirs[1::2], strict=True)]) - jaccard
    assert (ours**2).mean() ** 0.5 < 1.15 * (other**2).mean() ** 0.5


HOSTILE = {
    "one character": "a",
    "one word": "word ",
    "a flood of marks": "\u0301",
    "spaces": " ",
    "one Han character": "人",
    "broken bytes": "\ud800",
    "joiners": "\u200d",
    "16,384 words again and again": " ".join(map(str, range(16_384))) + " ",
}


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_text_takes_more_time_for_a_byte_than_twenty_times_prose(piece, unit):
    raw = piece.encode("utf-8", "surrogatepass")
    hostile = pa.array([raw * (2_000_000 // len(raw))], pa.large_binary())
    rng = random.Random(1)
    prose = pa.array([" ".join(str(rng.random()) for _ in range(100_000))[:2_000_000].encode()], pa.large_binary())
    signatures(prose, 128, 5, unit)
    assert seconds(hostile, unit) < 20 * seconds(prose, unit)


def seconds(texts: pa.Array, unit: str) -> float:
    best = 1e9
    for _ in range(3):
        start = time.perf_counter()
        signatures(texts, 128, 5, unit)
        best = min(best, time.perf_counter() - start)
    return best


def test_memory_does_not_grow_with_a_text():
    text = pa.array([b"every word is another " * 500_000], pa.large_binary())  # 11 MB
    signatures(text)
    tracemalloc.start()
    signatures(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


@pytest.mark.torture
@pytest.mark.parametrize("piece", [b"a", b"word ", "\u0301".encode(), "人".encode(), b"\xff"])
def test_a_line_of_100_mb_passes_in_seconds(piece):
    start = time.perf_counter()
    rows, counts = signatures(pa.array([piece * (100_000_000 // len(piece)), b"end"], pa.large_binary()))
    assert time.perf_counter() - start < 30
    assert counts[1] == 1 and (rows[1] != rows[0]).all()


def test_a_million_empty_documents_pass():
    data = [None, pa.py_buffer(bytes(8 * 1_000_001)), pa.py_buffer(b"")]
    empty = pa.Array.from_buffers(pa.large_string(), 1_000_000, data)
    rows, counts = signatures(empty, 64)
    assert not counts.any() and (rows == 0xFFFFFFFF).all()
    assert shingles(empty)[0].any() == 0
