"""Rows hold every token of every document once, and say where it stands."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.digest import digest
from pipeline.pack import LISTS, Lists, PackConfig, lay_rows, partition_bits, row_count, row_schema, top_bits

PAD, EOS = 3, 2
MODES = ["concat", "best_fit"]
DOCUMENTS = st.lists(st.lists(st.integers(4, 9), max_size=12).map(lambda ids: [*ids, EOS]), min_size=1, max_size=9)


def rows_of(documents: list[list[int]], seq_len: int, mode: str = "concat") -> pa.Table:
    ids = pa.array([f"d{i}" for i in range(len(documents))])
    table = lay_rows(ids, Lists.of([pa.array(documents, LISTS)]), seq_len, PAD, mode).rows
    table.validate(full=True)
    return table


def ends(row: dict, seq_len: int) -> list[int]:
    """Where each piece of a row ends."""
    return [*row["starts"][1:], seq_len + 1][: len(row["doc_ids"])]


@settings(deadline=None)
@given(documents=DOCUMENTS, seq_len=st.integers(1, 9))
def test_rows_laid_together_are_the_documents(documents, seq_len):
    rows = rows_of(documents, seq_len).to_pylist()
    stream = rows[0]["tokens"][:1]
    for row in rows:
        assert row["tokens"][0] == stream[-1]  # rows overlap by one token
        stream += row["tokens"][1:]
    tokens = [token for document in documents for token in document]
    assert stream[: len(tokens)] == tokens
    assert set(stream[len(tokens) :]) <= {PAD}
    assert len(stream) - len(tokens) < seq_len or len(tokens) == 1  # no row holds but padding and the shared token
    assert len(rows) == row_count(len(tokens), seq_len)


@settings(deadline=None)
@given(documents=DOCUMENTS, seq_len=st.integers(1, 9))
def test_every_piece_says_which_tokens_of_which_document_it_is(documents, seq_len):
    seen = [0] * len(documents)
    for row in rows_of(documents, seq_len).to_pylist():
        assert row["starts"][0] == 0
        assert len(row["doc_ids"]) == len(row["doc_offsets"]) > 0
        pieces = zip(row["doc_ids"], row["doc_offsets"], row["starts"], ends(row, seq_len), strict=False)
        for name, offset, start, end in pieces:
            document = int(name[1:])
            assert end > start
            assert row["tokens"][start:end] == documents[document][offset : offset + end - start]
            assert offset in (seen[document], seen[document] - 1)  # goes on, or begins with the token that overlaps
            seen[document] = offset + end - start
    assert seen == [len(document) for document in documents]


@settings(deadline=None)
@given(documents=DOCUMENTS, seq_len=st.integers(1, 9))
def test_padding_stands_at_the_end_of_the_last_row_only_and_is_told(documents, seq_len):
    rows = rows_of(documents, seq_len).to_pylist()
    for row in rows[:-1]:
        assert PAD not in row["tokens"] and len(row["starts"]) == len(row["doc_ids"])
    last = rows[-1]
    padding = last["tokens"].count(PAD)
    assert len(last["starts"]) == len(last["doc_ids"]) + (padding > 0)
    if padding:
        assert last["tokens"][last["starts"][-1] :] == [PAD] * padding


@pytest.mark.parametrize(
    ("documents", "rows"),
    [
        # nine tokens: 4 + 4, and the one that the second row shares
        ([[5, 6, EOS], [7, 8, 9, 4, 4, EOS]],
         [([5, 6, 2, 7, 8], [0, 3], ["d0", "d1"], [0, 0]), ([8, 9, 4, 4, 2], [0], ["d1"], [1])]),
        # seven: the second row holds three and two of padding, which begins at 3
        ([[5, 6, EOS], [7, 8, 9, EOS]],
         [([5, 6, 2, 7, 8], [0, 3], ["d0", "d1"], [0, 0]), ([8, 9, 2, 3, 3], [0, 3], ["d1"], [1])]),
        # an empty document is its end; five tokens fill one row exactly
        ([[EOS], [5, 6, EOS], [EOS]], [([2, 5, 6, 2, 2], [0, 1, 4], ["d0", "d1", "d2"], [0, 0, 0])]),
        ([[EOS]], [([2, 3, 3, 3, 3], [0, 1], ["d0"], [0])]),
    ],
)  # fmt: skip
def test_rows_worked_by_hand(documents, rows):
    out = rows_of(documents, 4).to_pylist()
    assert [(r["tokens"], r["starts"], r["doc_ids"], r["doc_offsets"]) for r in out] == rows


def test_nothing_makes_no_rows():
    table = lay_rows(pa.array([], pa.string()), Lists.of([]), 4, PAD).rows
    assert table.num_rows == 0 and table.schema == row_schema(4)


# Both modes


def laid(documents: list[list[int]], seq_len: int, mode: str):
    ids = pa.array([f"d{i}" for i in range(len(documents))])
    return lay_rows(ids, Lists.of([pa.array(documents, LISTS)]), seq_len, PAD, mode)


def pieces_of(table: pa.Table, seq_len: int) -> list[tuple[int, int, int, int, int]]:
    """(row, start, document, offset, length) of each piece, in their order."""
    out = []
    for number, row in enumerate(table.to_pylist()):
        pieces = zip(row["starts"], ends(row, seq_len), row["doc_ids"], row["doc_offsets"], strict=False)
        out += [(number, start, int(name[1:]), offset, end - start) for start, end, name, offset in pieces]
    return out


@pytest.mark.parametrize("mode", MODES)
@settings(deadline=None)
@given(documents=DOCUMENTS, seq_len=st.integers(1, 9))
def test_each_token_but_a_document_s_first_is_predicted_once_from_its_own_document(mode, documents, seq_len):
    predicted = {(d, k): 0 for d, document in enumerate(documents) for k in range(1, len(document))}
    for _, _, document, offset, length in pieces_of(laid(documents, seq_len, mode).rows, seq_len):
        for k in range(offset + 1, offset + length):  # a piece's first token has nothing of its document before it
            predicted[document, k] += 1
    assert set(predicted.values()) <= {1}


@pytest.mark.parametrize("mode", MODES)
@settings(deadline=None)
@given(documents=DOCUMENTS, seq_len=st.integers(1, 9))
def test_rows_hold_tokens_repeated_tokens_and_padding_and_nothing_else(mode, documents, seq_len):
    made = laid(documents, seq_len, mode)
    tokens = sum(map(len, documents))
    assert made.rows.num_rows * (seq_len + 1) == tokens + made.repeated + made.padding
    assert made.padding == sum(row["tokens"].count(PAD) for row in made.rows.to_pylist())
    whole = {d for _, _, d, _, length in pieces_of(made.rows, seq_len) if length == len(documents[d])}
    assert made.cut == len(documents) - len(whole)


@settings(deadline=None)
@given(documents=DOCUMENTS, seq_len=st.integers(1, 9))
def test_best_fit_cuts_no_document_that_fits_in_a_row_and_others_as_seldom_as_can_be(documents, seq_len):
    pieces = pieces_of(laid(documents, seq_len, "best_fit").rows, seq_len)
    for number, document in enumerate(documents):
        mine = sorted((offset, length) for _, _, d, offset, length in pieces if d == number)
        assert len(mine) == max(1, -(-(len(document) - 1) // seq_len))
        assert all(length == seq_len + 1 for _, length in mine[:-1])


@settings(deadline=None)
@given(documents=DOCUMENTS, seq_len=st.integers(1, 9))
def test_best_fit_leaves_padding_at_the_end_of_rows_and_tells_where(documents, seq_len):
    for row in laid(documents, seq_len, "best_fit").rows.to_pylist():
        padding = row["tokens"].count(PAD)
        assert len(row["starts"]) == len(row["doc_ids"]) + (padding > 0)
        assert row["tokens"][len(row["tokens"]) - padding :] == [PAD] * padding
        assert not padding or row["starts"][-1] == seq_len + 1 - padding


@settings(deadline=None)
@given(documents=DOCUMENTS, seq_len=st.integers(1, 9))
def test_best_fit_keeps_the_order_of_documents_within_a_row_and_of_what_opened_rows(documents, seq_len):
    pieces = pieces_of(laid(documents, seq_len, "best_fit").rows, seq_len)
    rows = [[(d, offset, length) for row, _, d, offset, length in pieces if row == n] for n in range(pieces[-1][0] + 1)]
    assert all(row == sorted(row) for row in rows)
    openers = [min(row, key=lambda piece: (-piece[2], piece)) for row in rows]  # the longest, of equals the first
    assert openers == sorted(openers)


@pytest.mark.parametrize(
    ("documents", "rows"),
    [
        # 3 and 4 tokens do not fit into 5 together
        ([[5, 6, EOS], [7, 8, 9, EOS]],
         [([5, 6, 2, 3, 3], [0, 3], ["d0"], [0]), ([7, 8, 9, 2, 3], [0, 4], ["d1"], [0])]),
        # 4 opens a row and 1 fills it; 3 opens another and 2 fills it: no padding
        ([[5, EOS], [4, 5, 6, EOS], [7, 8, EOS], [EOS]],
         [([4, 5, 6, 2, 2], [0, 4], ["d1", "d3"], [0, 0]), ([5, 2, 7, 8, 2], [0, 2], ["d0", "d2"], [0, 0])]),
        # seven: tokens 0 to 4, then 4 to 6, its fifth once more; the two of d1 stand behind these
        ([[4, 5, 6, 7, 8, 9, EOS], [9, EOS]],
         [([4, 5, 6, 7, 8], [0], ["d0"], [0]), ([8, 9, 2, 9, 2], [0, 3], ["d0", "d1"], [4, 0])]),
        ([[4, 5, 6, 7, EOS]], [([4, 5, 6, 7, 2], [0], ["d0"], [0])]),  # a row exactly
    ],
)  # fmt: skip
def test_best_fit_worked_by_hand(documents, rows):
    out = rows_of(documents, 4, "best_fit").to_pylist()
    assert [(r["tokens"], r["starts"], r["doc_ids"], r["doc_offsets"]) for r in out] == rows


@pytest.mark.parametrize(
    ("mode", "cut", "repeated", "padding"),
    # 3 + 4 + 6 tokens; concat: 5 6 2 7 8 | 8 9 2 4 5 | 5 6 7 8 2, where d1 and d2 stand in two rows
    # best fit: d2 is 5 and 2 tokens (one twice); d0 takes the 2 in, d1 is alone
    [("concat", 2, 2, 0), ("best_fit", 1, 1, 1)],
)
def test_figures_worked_by_hand(mode, cut, repeated, padding):
    made = laid([[5, 6, EOS], [7, 8, 9, EOS], [4, 5, 6, 7, 8, EOS]], 4, mode)
    assert (made.rows.num_rows, made.cut, made.repeated, made.padding) == (3, cut, repeated, padding)


@pytest.mark.parametrize("mode", MODES)
def test_rows_of_one_token_to_predict(mode):
    made = laid([[7, 8, EOS], [EOS]], 1, mode)
    rows = made.rows.column("tokens").to_pylist()
    # end to end 7 8 2 2 in windows of two; or d0 in windows of two, and d1 with padding
    assert rows == ([[7, 8], [8, 2], [2, 2]] if mode == "concat" else [[7, 8], [8, 2], [2, 3]])


@pytest.mark.parametrize(("mode", "pinned"), [("concat", "cba0710be0f331e1"), ("best_fit", "43d0a42e20ebeb62")])
def test_rows_are_those_of_this_version(mode, pinned):
    documents = [[4 + (i * k) % 90 for k in range(i % 23)] + [EOS] for i in range(200)]
    assert digest(rows_of(documents, 16, mode).to_pylist())[:16] == pinned


def test_the_mode_is_the_recipe_s_and_nothing_else_was_added():
    parameters = {"seq_len": 512, "mode": "concat", "holdout": 0.01, "holdout_tokens": 2000, "seed": 0}
    assert (PackConfig().parameters(), PackConfig.version) == (parameters, 3)  # another one packs all corpora again


@settings(deadline=None)
@given(parts=st.lists(DOCUMENTS, max_size=3), data=st.data())
def test_lists_are_taken_as_pyarrow_takes_them(parts, data):
    arrays = [pa.array([[0], *documents], LISTS).slice(1) for documents in parts]
    lists = pa.chunked_array(arrays, LISTS)
    rows = np.array(data.draw(st.lists(st.integers(0, len(lists) - 1)) if len(lists) else st.just([])), np.int64)
    assert Lists.of(arrays).take(rows).joined().to_pylist() == lists.take(pa.array(rows)).to_pylist()


@pytest.mark.parametrize("mode", MODES)
@settings(deadline=None)
@given(documents=DOCUMENTS, seq_len=st.integers(1, 9), cut=st.integers(0, 9), data=st.data())
def test_rows_are_the_same_wherever_the_lists_lie(mode, documents, seq_len, cut, data):
    """In streams of their own, and in another order there."""
    order = data.draw(st.permutations(range(len(documents))))
    there = [documents[i] for i in order]
    lists = Lists.of([pa.array(part, LISTS) for part in (there[:cut], there[cut:])]).take(np.argsort(order))
    ids = pa.array([f"d{i}" for i in range(len(documents))])
    assert lay_rows(ids, lists, seq_len, PAD, mode).rows.equals(rows_of(documents, seq_len, mode))


# The quota of the holdout


@pytest.mark.parametrize(
    ("tokens", "quota"),
    [(1_000_000, 10_000), (100_000, 2000), (10_000, 1000)],  # the share; the tokens; a tenth
)
def test_a_quota_is_a_share_or_some_thousand_tokens_or_a_tenth(tokens, quota):
    assert PackConfig(holdout=0.01, holdout_tokens=2000).quota(tokens) == quota


@pytest.mark.parametrize("tokens", [1, 10_000, 10**9])
def test_no_holdout_is_none_whatever_the_tokens_asked_for_at_least(tokens):
    assert PackConfig(holdout=0).quota(tokens) == PackConfig(holdout="0%", holdout_tokens=9).quota(tokens) == 0
    assert PackConfig(holdout=1e-9).quota(tokens) > 0


def test_without_a_holdout_the_recipe_names_no_tokens_of_one():
    before = {"seq_len": 512, "mode": "concat", "holdout": 0, "holdout_tokens": 0, "seed": 0}  # which held nothing out
    assert PackConfig(holdout=0).parameters() == PackConfig(holdout=0, holdout_tokens=0).parameters() == before


# Parts


@pytest.mark.parametrize(
    ("tokens", "bits"), [(0, 0), (1, 0), (8_000_000, 0), (8_000_001, 1), (16_000_001, 2), (10**12, 17)]
)
def test_a_part_holds_what_one_task_can_sort(tokens, bits):
    assert partition_bits(tokens) == bits
    assert tokens / 2**bits <= 8_000_000


def test_parts_are_ranges_of_coins():
    coins = np.array([0, 2**62 - 1, 2**62, 2**63, 2**64 - 1], np.uint64)
    assert top_bits(coins, 0).tolist() == [0, 0, 0, 0, 0]
    assert top_bits(coins, 2).tolist() == [0, 0, 1, 2, 3]
    assert top_bits(coins, 16).tolist() == [0, 16383, 16384, 32768, 65535]


@pytest.mark.parametrize("wrong", [{"seq_len": 0}, {"holdout": "60%"}, {"mode": "first_fit"}, {"holdout_tokens": -1}])
def test_settings_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValidationError):
        PackConfig(**wrong)
