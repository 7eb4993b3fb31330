"""Editing a page as C4 does, line by line: which lines go, and why; citation marks go from those that stay.

In: Arrow texts (n) and rules. Out: new bytes for the texts that change, how many lines and citation marks went out of
each, and how many lines for which reason. The rules in their order, the first that a line breaks is the reason
(datatrove 0.10.1, pipeline/filters/c4_filters.py):

LONG_WORD         a word, between white space, has more than `longest` characters
                  (CITATIONS: `[12]`, `[]`, `[edit]` and `[citation needed]` are taken out; no reason to go)
UNENDED           it does not end in . ? ! " or ', or it ends in ...
FEW_WORDS         fewer than `fewest` words, citations among them
                  (EVIDENCE: a line with lorem ipsum stays from here on, whatever else is in it)
JAVASCRIPT        the word is in it, in upper or lower case
                  (EVIDENCE: a line with a curly bracket stays)
POLICY            it speaks of terms of use, a privacy or cookie policy, or the use of cookies

A line ends where `str.splitlines` ends it, and begins and ends without white space. The lines that stay are joined by
line feeds, white space is taken off both ends of the whole. Linear in the bytes. Never write into Arrow's memory.
"""

import numpy as np
import pyarrow as pa

from pipeline.text.buffers import buffers
from pipeline.text.characters import DIGIT, U, lowered
from pipeline.text.compiling import kernel, piece
from pipeline.text.decoding import PAD, read
from pipeline.text.lines import array_of
from pipeline.text.marks import BLANK, BREAK, marks
from pipeline.text.phrases import LOREM, POLICY, SCRIPT, phrases_in
from pipeline.text.utf8 import encode

CITATIONS, ENDS, SCRIPTS, POLICIES, EVIDENCE = 1, 2, 4, 8, 16  # the rules that are on, as bits
REASONS = ("long_word", "unended", "few_words", "javascript", "policy")
LONG_WORD, UNENDED, FEW_WORDS, JAVASCRIPT, POLICY_LINE, STAYS = range(6)
TALLIES = 7  # lines by reason, lines that stay, citations
LEFT, RIGHT, FEED = 0x5B, 0x5D, 10
_EDIT, _NEEDED = "edit]", "citation needed]"
_BRACKETED = np.array([[ord(c) for c in mark.ljust(16)] for mark in (_EDIT, _NEEDED)], np.uint32)
_LENGTHS = np.array([len(_EDIT), len(_NEEDED)], np.int64)


def c4_lines(
    texts: pa.Array | pa.ChunkedArray, rules: int, fewest: int = 3, longest: int = 1000
) -> tuple[pa.Array, np.ndarray, dict[str, int]]:
    """(n,) large_string, null where a text stays as it is; (n,) int64 lines and citation marks taken out of each;
    and of all: lines by reason, `lines_kept`, `citations`."""
    offsets, data = buffers(texts)
    ends, out, changed, counts, tallies = _edit(data, offsets, marks(), lowered(), rules, fewest, longest)
    told = dict(zip((*REASONS, "lines_kept", "citations"), tallies.tolist(), strict=True))
    return array_of(ends, out, changed), counts, told


@kernel
def _edit(data, offsets, table, lower, rules, fewest, longest):  # type: ignore[no-untyped-def]
    """(n + 1,) int64 offsets into the new bytes, these, (n,) bool changed, (n,) int64 taken out, (TALLIES,) int64."""
    n = len(offsets) - 1
    most = 0
    for d in range(n):
        most = max(most, offsets[d + 1] - offsets[d])
    codes, kinds, kept = np.empty(most + PAD, np.uint32), np.empty(most, np.uint16), np.empty(most + 1, np.uint32)
    ends, changed, tallies = np.zeros(n + 1, np.int64), np.zeros(n, np.bool_), np.zeros(TALLIES, np.int64)
    counts = np.zeros(n, np.int64)
    out = np.empty(1024, np.uint8)
    o = 0
    for d in range(n):
        count = read(data, offsets[d], offsets[d + 1], codes)
        for i in range(count):
            kinds[i] = table[codes[i]]
        before = tallies.sum() - tallies[STAYS]
        length = _edit_one(codes, kinds, count, lower, rules, fewest, longest, kept, tallies)
        counts[d] = tallies.sum() - tallies[STAYS] - before
        first, last = 0, length
        while first < last and table[kept[first]] & BLANK:
            first += 1
        while first < last and table[kept[last - 1]] & BLANK:
            last -= 1
        changed[d] = not _equal(codes, count, kept, first, last)
        if changed[d]:
            if o + 4 * (last - first) > len(out):
                wide = np.empty(2 * (o + 4 * (last - first)), np.uint8)
                wide[:o] = out[:o]
                out = wide
            at = U(o)
            for i in range(first, last):
                at = encode(out, at, U(kept[i]))
            o = np.int64(at)  # type: ignore[assignment] # an int of Numba
        ends[d + 1] = o
    return ends, out[:o].copy(), changed, counts, tallies


@piece
def _edit_one(codes, kinds, count, lower, rules, fewest, longest, kept, tallies):  # type: ignore[no-untyped-def]
    """Writes the lines that stay to `kept`, joined by line feeds; how many characters."""
    o, begin, lines = 0, 0, 0
    while begin < count:
        end = begin
        while end < count and not kinds[end] & BREAK:
            end += 1
        following = end + 1
        if following < count and codes[end] == 13 and codes[following] == FEED:
            following += 1
        first, last = begin, end
        while first < last and kinds[first] & BLANK:
            first += 1
        while first < last and kinds[last - 1] & BLANK:
            last -= 1
        words, word = _words(kinds, first, last)
        start = o + (lines > 0)
        if word > longest:
            tallies[LONG_WORD] += 1
        else:
            stop, citations = _copy(codes, kinds, first, last, kept, start, rules & CITATIONS)
            reason = _reason(kept, start, stop, lower, rules, words < fewest)
            tallies[reason] += 1
            if reason == STAYS:
                tallies[STAYS + 1] += citations
                if lines:
                    kept[o] = FEED
                o = stop
                lines += 1
        begin = following
    return o


@piece
def _words(kinds, first, last):  # type: ignore[no-untyped-def]
    """(words between white space, characters of the longest)."""
    words, run, longest = 0, 0, 0
    for i in range(first, last):
        if kinds[i] & BLANK:
            run = 0
        else:
            words += run == 0
            run += 1
            longest = max(longest, run)
    return words, longest


@piece
def _copy(codes, kinds, first, last, kept, o, without):  # type: ignore[no-untyped-def]
    """Copies a line to `kept[o:]`, `without` citation marks if so wished; (where it ends, marks taken out)."""
    i, citations = first, 0
    while i < last:
        after = _citation(codes, kinds, i, last) if without and codes[i] == LEFT else i
        if after > i:
            citations += 1
            i = after
        else:
            kept[o] = codes[i]
            o += 1
            i += 1
    return o, citations


@piece
def _citation(codes, kinds, i, last):  # type: ignore[no-untyped-def]
    """Where the citation mark that begins at `i` ends; `i` if none does. A bracket inside ends the search: linear."""
    end = i + 1
    while end < last and kinds[end] & DIGIT:
        end += 1
    if end < last and codes[end] == RIGHT:
        return end + 1
    for which in range(2):
        if i + 1 + _LENGTHS[which] <= last:
            same = True
            for at in range(_LENGTHS[which]):
                same &= codes[i + 1 + at] == _BRACKETED[which, at]
            if same:
                return i + 1 + _LENGTHS[which]
    return i


@piece
def _reason(line, start, stop, lower, rules, few):  # type: ignore[no-untyped-def]
    if rules & ENDS and not _ended(line, start, stop):
        return UNENDED
    if few:
        return FEW_WORDS
    phrases = phrases_in(line, start, stop, lower)
    if phrases & LOREM and rules & EVIDENCE:
        return STAYS
    if phrases & SCRIPT and rules & SCRIPTS:
        return JAVASCRIPT
    if phrases & POLICY and rules & POLICIES:
        bracket = False
        for i in range(start, stop):
            bracket |= line[i] == 0x7B
        return STAYS if bracket and rules & EVIDENCE else POLICY_LINE
    return STAYS


@piece
def _ended(line, start, stop):  # type: ignore[no-untyped-def]
    if start == stop:
        return False
    last = line[stop - 1]
    if last == 0x2E:
        return not (stop - start > 2 and line[stop - 2] == 0x2E and line[stop - 3] == 0x2E)
    return last == 0x3F or last == 0x21 or last == 0x22 or last == 0x27


@piece
def _equal(codes, count, kept, first, last):  # type: ignore[no-untyped-def]
    same = count == last - first
    i = 0
    while same and i < count:
        same = codes[i] == kept[first + i]
        i += 1
    return same
