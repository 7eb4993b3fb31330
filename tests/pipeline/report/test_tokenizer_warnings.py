"""What a reader of the report is told about the training of the tokenizer, and is not told where all is well."""

from pipeline.report.warn import warnings

PIECES = {"pieces": 4000, "bytes": 50_000, "occurrences": 90_000}
NONE = {"pieces": 0, "bytes": 0, "occurrences": 0}


def told(pruned: dict[str, int]) -> list[str]:
    tokenizer = {"asked": 300, "vocab_size": 300, "pieces": {**PIECES, "pruned": pruned}}
    return [warning["text"] for warning in warnings([], [], [], tokenizer)]


def test_pieces_that_were_left_out_are_told_with_their_share():
    (text,) = told({"pieces": 1500, "bytes": 20_000, "occurrences": 1800, "seen": 2})
    assert text.startswith("The tokenizer learned without 1,500 of 4,000 distinct pieces (2.0% of all")
    assert "none of them seen more than 2 times" in text and "`most_pieces`" in text


def test_a_tokenizer_that_learned_from_all_pieces_or_was_ready_is_not_mentioned():
    assert told(NONE) == []
    assert warnings([], [], [], {"asked": None, "vocab_size": 300, "sample": {}}) == []
