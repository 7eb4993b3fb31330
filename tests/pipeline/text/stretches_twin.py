"""What the stretches around words are, in plain Python: the definition that the kernel must equal."""

from pipeline.text.letters import CHAR, NOTHING, WORD
from tests.pipeline.minhash_twin import kind


def word_spans(text: str) -> list[tuple[int, int]]:
    """(first character, behind the last) of each word."""
    spans, inside = [], False
    for i, char in enumerate(text):
        what = kind(char, "auto")
        if what == CHAR or (what == WORD and not inside):
            spans.append((i, i + 1))
        elif what == WORD:
            spans[-1] = (spans[-1][0], i + 1)
        if what != NOTHING:
            inside = what == WORD
    return spans


def stretches(text: str, runs: list[tuple[int, int]], around: int) -> list[tuple[int, int]]:
    """(first byte, behind the last) of each stretch."""
    spans, inside = word_spans(text), [False] * len(text)
    for first, last in runs:
        begin, end = spans[first][0], spans[last][1]
        for i in range(max(0, begin - around), min(len(text), end + around)):
            inside[i] = True
    out: list[tuple[int, int]] = []
    for i, marked in enumerate(inside):
        begin = len(text[:i].encode())
        if marked and out and out[-1][1] == begin:
            out[-1] = (out[-1][0], begin + len(text[i].encode()))
        elif marked:
            out.append((begin, begin + len(text[i].encode())))
    return out
