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
stopword_ratio, flagged_ratio        entries of the list that stand in the text / words, at most 1; null where there is no
                     list. An entry of two to LONGEST_RUN words stands where they follow each other, whatever is between
                     them, and counts beside the words in it (ROOTS: "augmented" words, filtering.py)
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
from pipeline.text.decoding import PAD, count_kinds, is_wide, longest_line, look_up, lower_case, read
from pipeline.text.ngrams import character_grams, word_grams
from pipeline.text.repeated_lines import repeated_lines
from pipeline.text.repeats import repeated_share, scratch, top_share
from pipeline.text.wordlists import WordLists
from pipeline.text.words import (
    BATCH,
    CHUNK,
    FLAGS,
    LISTED,
    LONGEST_WORD,
    STOPS,
    TALLIES,
    WORD_CHARACTERS,
    WORDS,
    find_words,
)

# What a measure needs to be done: only what the wanted ones need is done
KINDS, WORDS_FOUND, HASHED, CHAR_GRAMS, WORD_GRAMS, LINES_AGAIN = 1, 2, 4, 8, 16, 32
_INT, _FLOAT = pa.int64(), pa.float64()
_TABLE = {  # name: (type, work)
    "words": (_INT, KINDS | WORDS_FOUND),
    "characters": (_INT, KINDS),
    "bytes": (_INT, 0),
    "lines": (_INT, KINDS),
    "mean_word_length": (_FLOAT, KINDS | WORDS_FOUND),
    "max_word_length": (_INT, KINDS | WORDS_FOUND),
    "symbol_ratio": (_FLOAT, KINDS),
    "digit_ratio": (_FLOAT, KINDS),
    "alphanumeric_ratio": (_FLOAT, KINDS),
    "stopword_ratio": (_FLOAT, KINDS | WORDS_FOUND | HASHED),
    "mean_line": (_FLOAT, KINDS),
    "longest_line": (_INT, KINDS),
    "char_repetition": (_FLOAT, KINDS | CHAR_GRAMS),
    "word_repetition": (_FLOAT, KINDS | WORDS_FOUND | HASHED | WORD_GRAMS),
    "line_repetition": (_FLOAT, LINES_AGAIN),
    "flagged_ratio": (_FLOAT, KINDS | WORDS_FOUND | HASHED),
}
MEASURES = {name: kind for name, (kind, _) in _TABLE.items()}
USUAL = tuple(name for name in MEASURES if name != "flagged_ratio")  # those that need nothing of the user's
COLUMNS = len(MEASURES)
_AT = {name: column for column, name in enumerate(MEASURES)}
REPETITION_LIMIT = 1 << 24  # characters; 200 MB of memory for a text of this length


def measure(
    texts: pa.Array | pa.ChunkedArray,
    char_sizes: np.ndarray,
    word_sizes: np.ndarray,
    langs: Sequence[str],
    stop_words: WordLists,
    names: Sequence[str] = tuple(MEASURES),
    limit: int = REPETITION_LIMIT,
    flagged: WordLists | None = None,
) -> dict[str, pa.Array]:
    """`{name: (n,)}` in the types of MEASURES. `char_sizes` and `word_sizes` are (n,) int64, n-gram sizes >= 1."""
    offsets, data = buffers(texts)
    lists = {"stopword_ratio": stop_words, "flagged_ratio": flagged or WordLists.of({})}
    none = WordLists.of({})
    tables = {name: tables if name in names else none for name, tables in lists.items()}
    places = {name: tables.places(langs) for name, tables in tables.items()}
    stops, flagged_at = ((tables[name].slots, places[name]) for name in lists)
    work = 0
    for name in names:
        work |= _TABLE[name][1]
    table = _measure(data, offsets, flags(), lowered(), char_sizes, word_sizes, stops, flagged_at, work, limit)
    return {name: _column(name, table[:, _AT[name]], places) for name in names}


def _column(name: str, values: np.ndarray, places: dict[str, np.ndarray]) -> pa.Array:
    if name in places:
        return pa.array(values, pa.float64(), mask=places[name][:, 0, 1] < 0)
    kind = MEASURES[name]
    return pa.array(values.astype(np.int64) if kind == pa.int64() else np.ascontiguousarray(values), kind)


@kernel
def _measure(data, offsets, table, lower, char_sizes, word_sizes, stops, flagged, work, limit):  # type: ignore[no-untyped-def]
    """(n, len(MEASURES)) float64; counts are exact below 2^53."""
    n = len(offsets) - 1
    out = np.zeros((n, COLUMNS))
    longest, longest_wide = 0, 0
    wide = np.zeros(n, np.uint8)
    for d in range(n):
        length = offsets[d + 1] - offsets[d]
        longest = max(longest, length)
        if work & KINDS and is_wide(data, offsets[d], offsets[d + 1]):
            wide[d] = 1
            longest_wide = max(longest_wide, length)
    decoded = longest if work & KINDS else 0
    narrow_text = np.empty(decoded + PAD, np.uint16)
    wide_text = np.empty(longest_wide + PAD, np.uint32)
    kinds = np.empty((decoded + PAD + 7) // 8, np.uint64)
    repeating = work & (CHAR_GRAMS | WORD_GRAMS) != 0
    room = scratch(min(longest, limit) if repeating else 0)
    grams = np.empty(min(longest, limit) if work & CHAR_GRAMS else 0, np.uint64)
    # a word and what ends it take two bytes at least
    words = np.empty(min(longest // 2 + 1, limit) if work & WORD_GRAMS else 0, np.uint64)
    word_room = np.empty(CHUNK + 1, np.uint32), np.empty(BATCH, np.uint64)
    tallies = np.empty(TALLIES, np.int64)
    rooms = room, grams, words, word_room, kinds, tallies
    for d in range(n):
        begin, end = offsets[d], offsets[d + 1]
        sizes = char_sizes[d], word_sizes[d]
        lists = _list(stops, d, wide[d]), _list(flagged, d, wide[d])
        out[d, 2] = end - begin
        if work & KINDS and wide[d]:
            _characters(data, begin, end, wide_text, table, lower, sizes, lists, work, limit, rooms, out[d])
        elif work & KINDS:
            _characters(data, begin, end, narrow_text, table, lower, sizes, lists, work, limit, rooms, out[d])
        if work & LINES_AGAIN:
            stop = min(end, begin + limit)
            out[d, 14] = repeated_lines(data, begin, stop, stop == end)
    return out


@piece
def _list(lists, d, wide):  # type: ignore[no-untyped-def]
    slots, places = lists
    return slots, places[d, wide, 0], places[d, wide, 1], places[d, wide, 2]


@piece
def _characters(data, begin, end, text, table, lower, sizes, lists, work, limit, rooms, row):  # type: ignore[no-untyped-def]
    """The measures of one text that need its characters; `text` is room for them, narrow or wide."""
    room, grams, words, word_room, eights, tallies = rooms
    kinds = eights.view(np.uint8)
    count = read(data, begin, end, text)
    look_up(text, count, table, kinds)
    specials, digits, alnums, feeds = count_kinds(eights, count)
    row[1], row[11] = count, longest_line(eights, count)
    row[3] = feeds + (count > 0 and text[count - 1] != 10)
    if count:
        row[6], row[7], row[8] = specials / count, digits / count, alnums / count
    if row[3]:
        row[10] = (count - feeds) / row[3]
    if work & CHAR_GRAMS:
        row[12] = top_share(grams, character_grams(text, min(count, limit), sizes[0], grams), room)
    if work & HASHED:
        lower_case(text, count, lower)
    if work & WORDS_FOUND:
        tallies[:] = 0
        stops, flagged = lists
        listing = work & WORD_GRAMS != 0
        find_words(text, kinds, count, limit, work & HASHED != 0, listing, word_room, words, stops, flagged, tallies)
        row[0], row[5] = tallies[WORDS], tallies[LONGEST_WORD]
        if tallies[WORDS]:
            row[4] = tallies[WORD_CHARACTERS] / tallies[WORDS]
            row[9] = min(tallies[STOPS] / tallies[WORDS], 1.0)
            row[15] = min(tallies[FLAGS] / tallies[WORDS], 1.0)
    if work & WORD_GRAMS:
        row[13] = repeated_share(words, word_grams(words, tallies[LISTED], sizes[1]), room)
