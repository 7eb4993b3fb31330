"""Numbers about texts, read off their bytes in one pass: the kernel behind the stage `measure`.

In: Arrow texts (n) and for each its n-gram sizes and its stop list. Out: one column of n numbers for each name in
MEASURES. The words and definitions (a plain-Python twin of each is in tests/pipeline/text/test_measures.py):

word           a run of characters between white space, lower-cased, SPECIAL characters taken off both ends, not empty.
               Each character of a script without spaces (Han, Kana, Thai, ...) is a word of its own, unless SPECIAL
line           what stands between line feeds; an empty line after the last one is none
words, characters, bytes, lines      how many; characters are code points, bytes are UTF-8
mean_word_length, max_word_length    characters of a word; 0 without words
symbol_ratio         SPECIAL characters / characters: ROOTS' rule, by Unicode category where ROOTS lists by hand
digit_ratio          decimal digits / characters
alphanumeric_ratio   letters, marks and numbers / characters
stopword_ratio       words in the stop list / words; null where there is no list
char_repetition      of the character n-grams (as written), the share of the most frequent: as many as the square root
                     of the distinct ones, but none that occurs once (ROOTS, filtering.py)
word_repetition      the share of word n-grams that occur more than once (ROOTS, filtering.py)
line_repetition      bytes in lines that stood above / bytes in lines; lines without ASCII blanks at their ends
mean_line, longest_line              characters of a line, its line feed aside; 0 without lines

A share of nothing is 0. The three repetitions look at the n-grams and words that end within the first REPETITION_LIMIT
characters of a text (a word ends with the character after it), and the lines that end within as many bytes: this bounds
the memory of a text of any length. Time is linear in the bytes. Repeats are told by 64-bit hashes.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pipeline.text.buffers import buffers
from pipeline.text.characters import flags, lowered
from pipeline.text.compiling import kernel, piece
from pipeline.text.hashing import BASE, U, mix
from pipeline.text.repeated_lines import repeated_lines
from pipeline.text.repeats import repeated_share, scratch, top_share
from pipeline.text.scan import (
    ALNUMS,
    BLOCK,
    CHARACTERS,
    DIGITS,
    LINE_FEEDS,
    LINES,
    LISTED,
    LONGEST_LINE,
    LONGEST_WORD,
    SPECIALS,
    STOPS,
    TALLIES,
    WORD_CHARACTERS,
    WORDS,
    count_characters,
    count_lines,
    end_line,
    end_word,
    read_block,
    read_words,
    roll,
)
from pipeline.text.stopwords import StopLists

MEASURES = {
    "words": pa.int64(),
    "characters": pa.int64(),
    "bytes": pa.int64(),
    "lines": pa.int64(),
    "mean_word_length": pa.float64(),
    "max_word_length": pa.int64(),
    "symbol_ratio": pa.float64(),
    "digit_ratio": pa.float64(),
    "alphanumeric_ratio": pa.float64(),
    "stopword_ratio": pa.float64(),
    "mean_line": pa.float64(),
    "longest_line": pa.int64(),
    "char_repetition": pa.float64(),
    "word_repetition": pa.float64(),
    "line_repetition": pa.float64(),
}
COLUMNS = len(MEASURES)
_AT = {name: column for column, name in enumerate(MEASURES)}
CHAR_REPETITION, WORD_REPETITION, LINE_REPETITION = 1, 2, 4  # the measures that cost more than a scan
REPETITION_LIMIT = 1 << 24  # characters; 200 MB of memory for a text of this length


def measure(
    texts: pa.Array | pa.ChunkedArray,
    char_sizes: np.ndarray,
    word_sizes: np.ndarray,
    langs: Sequence[str],
    stop_lists: StopLists,
    names: Sequence[str] = tuple(MEASURES),
    limit: int = REPETITION_LIMIT,
) -> dict[str, pa.Array]:
    """`{name: (n,)}` in the types of MEASURES. `char_sizes` and `word_sizes` are (n,) int64, n-gram sizes >= 1."""
    offsets, data = buffers(texts)
    starts, masks = stop_lists.places(langs)
    costly = sum(bit for bit, name in _COSTLY if name in names)
    table = _measure(
        data, offsets, flags(), lowered(), char_sizes, word_sizes, stop_lists.slots, starts, masks, costly, limit
    )
    return {name: _column(name, table[:, _AT[name]], masks) for name in names}


_COSTLY = (
    (CHAR_REPETITION, "char_repetition"),
    (WORD_REPETITION, "word_repetition"),
    (LINE_REPETITION, "line_repetition"),
)


def _column(name: str, values: np.ndarray, masks: np.ndarray) -> pa.Array:
    if name == "stopword_ratio":
        return pa.array(values, pa.float64(), mask=masks < 0)
    kind = MEASURES[name]
    return pa.array(values.astype(np.int64) if kind == pa.int64() else np.ascontiguousarray(values), kind)


@piece
def _join(words, count, size):  # type: ignore[no-untyped-def]
    """Turns word hashes into those of n-grams of `size` words, in place; how many there are."""
    for first in range(count - size + 1):
        h = U(0)
        for at in range(first, first + size):
            h = h * BASE + words[at]
        words[first] = mix(h)
    return max(count - size + 1, 0)


@kernel
def _measure(data, offsets, kinds, lower, char_sizes, word_sizes, slots, starts, masks, costly, limit):  # type: ignore[no-untyped-def]
    """(n, len(MEASURES)) float64; counts are exact below 2^53."""
    n = len(offsets) - 1
    out = np.zeros((n, COLUMNS))
    longest, before = 0, 1
    for d in range(n):
        longest = max(longest, offsets[d + 1] - offsets[d])
        before = max(before, char_sizes[d])
    room = scratch(min(longest, limit))
    grams = np.empty(min(longest, limit) if costly & CHAR_REPETITION else 0, np.uint64)
    # a word and what ends it take two bytes at least
    words = np.empty(min(longest // 2 + 1, limit) if costly & WORD_REPETITION else 0, np.uint64)
    codes = np.empty(before + BLOCK, np.uint32)
    block_kinds = np.empty(BLOCK, np.uint8)
    prefix, ends = np.empty(BLOCK + 1, np.uint64), np.empty(BLOCK, np.uint32)
    tallies, hashes = np.empty(TALLIES, np.int64), np.empty(2, np.uint64)
    for d in range(n):
        at, end, size = offsets[d], offsets[d + 1], char_sizes[d]
        tallies[:] = 0
        hashes[:] = 0
        codes[:before] = 0
        rolling = U(0)
        while at < end:
            done = tallies[CHARACTERS]
            within = done < limit  # no block lies on both sides of the limit
            at, count = read_block(data, at, end, codes, before, min(BLOCK, limit - done) if within else BLOCK)
            block = codes[before : before + count]
            count_characters(block, block_kinds, count, kinds, tallies)
            count_lines(block, count, tallies)
            listing = within and costly & WORD_REPETITION != 0
            stops = slots, starts[d], masks[d]
            read_words(block, block_kinds, count, lower, tallies, hashes, words, listing, stops, prefix, ends)
            if within and costly & CHAR_REPETITION:
                rolling = roll(codes, before, count, size, rolling, grams, done)
            for i in range(before):
                codes[i] = codes[count + i]
        characters = tallies[CHARACTERS]
        listing = characters <= limit and costly & WORD_REPETITION != 0
        end_word(tallies, hashes, words, listing, (slots, starts[d], masks[d]))
        end_line(tallies)
        _write(out[d], tallies, end - offsets[d])
        if costly & CHAR_REPETITION:
            out[d, 12] = top_share(grams, max(min(characters, limit) - size + 1, 0), room)
        if costly & WORD_REPETITION:
            out[d, 13] = repeated_share(words, _join(words, tallies[LISTED], word_sizes[d]), room)
        if costly & LINE_REPETITION:
            stop = min(end, offsets[d] + limit)
            out[d, 14] = repeated_lines(data, offsets[d], stop, stop == end)
    return out


@piece
def _write(row, tallies, size):  # type: ignore[no-untyped-def]
    """The measures that follow from the tallies, in the order of MEASURES."""
    characters, words, lines = tallies[CHARACTERS], tallies[WORDS], tallies[LINES]
    row[0], row[1], row[2], row[3] = words, characters, size, lines
    row[5], row[11] = tallies[LONGEST_WORD], tallies[LONGEST_LINE]
    if words:
        row[4], row[9] = tallies[WORD_CHARACTERS] / words, tallies[STOPS] / words
    if characters:
        row[6] = tallies[SPECIALS] / characters
        row[7] = tallies[DIGITS] / characters
        row[8] = tallies[ALNUMS] / characters
    if lines:
        row[10] = (characters - tallies[LINE_FEEDS]) / lines
