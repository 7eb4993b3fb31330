"""What is said of a tokenizer, the same on the terminal and on the page."""

from __future__ import annotations

from pipeline.fertility.measured import Fertility
from pipeline.report.wording import count, say_bytes, share

LEGEND = (
    "tok/word, bytes/tok, used (share of the vocabulary) and fallback (share of tokens that are single bytes of larger "
    "characters): of the whole encoded corpus. parity: tokens for the same text, English 1. Beside another tokenizer's "
    "name: our tokens over its, on the sample."
)


def summary(found: Fertility) -> str:
    """How much of the vocabulary the corpus uses."""
    use = found.usage
    return (
        f"{count(found.tokenizer['vocab_size'])} tokens, of which {count(use['used'])} stand in the "
        f"{count(use['counted'])} of the encoded corpus, {count(use['once'])} of them once; "
        f"{count(use['never'])} are never used"
    )


def advice(found: Fertility) -> str:
    """The size that the curve speaks for, and its rule."""
    rule = (
        f"the least size beyond which no doubling saves {share(found.worth)} of the tokens, averaged over "
        f"{len(found.judges)} languages, on up to {say_bytes(found.sample)} of each that it "
        + ("did not learn from" if found.unseen else "may have learned from, which flatters large sizes")
    )
    size = count(found.recommended)
    if found.flat:
        return f"Recommended: {size}, {rule}."
    return (
        f"Recommended: {size} or more. The rule is {rule}; the last doubling still saves more, so train a larger one."
    )
