"""The numbers by which Gopher, C4, FineWeb and SlimPajama keep or drop a document: the kernel behind `measure`.

In: Arrow texts (n). Out: one column of n numbers for each name asked for in QUALITY, {name: type}; families in
FAMILIES. A share is of the characters of the text or as said; a share of nothing is 0. Decisions are left to `keep`,
with the limits of configs/gopher.yaml and its like; then they are those of datatrove 0.10.1, reason by reason.
Words are those of `tokens`, lines and paragraphs those of `repeated_parts`, sentences those of `sentences`.

gopher       gopher_words                 words with a character that is no punctuation
             gopher_mean_word_length      characters of such a word
             hashes_per_word              `#` / words; ellipses_per_word: `...` and `…` / words
             bullet_line_ratio            lines that begin with `•` or `-`
             ellipsis_line_ratio          lines that end in `...` or `…`
             alphabetic_word_ratio        words with a letter in them
             gopher_stop_words            how many of the, be, to, of, and, that, have, with
             stop_words_met               how many of the language's stop words; null where there is no list
             paragraphs                   0 for an empty text alone
             duplicate_paragraph_ratio, duplicate_paragraph_characters, duplicate_line_ratio, duplicate_line_characters
                                          of paragraphs or lines that stood before: share of their number, of the text
             top_2_gram ... top_4_gram    characters of the most frequent run of n words, times how often it occurs
             duplicate_5_grams ... duplicate_10_grams    characters of runs of n words that stood before
fineweb      filled_lines                 lines with more than white space
             ended_line_ratio             of these, those that end with a mark that ends sentences in some script
             short_line_ratio             of these, those of up to 30 characters
             duplicate_filled_characters  characters in those that stood before / characters but line feeds
             feeds_per_word               line feeds / words
c4           curly_brackets               `{` in lines above the first with lorem ipsum
             lorem_ipsum, sentences       how many. C4 edits lines before it looks: the stage `c4_lines` does
slimpajama   bare_characters              characters without ASCII punctuation and repeated white space

Measures of n-grams look at the first LIMIT words of a text, those of lines and paragraphs at the first LIMIT of them,
and divide by what was looked at: this bounds the memory of a text of any length. Time is linear in the bytes. Repeats
are told by hashes, of which `seen` compares 48 bits beside the slot. What is not asked for is not computed.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
import pyarrow as pa

from pipeline.text import listed_lines as ll
from pipeline.text import repeated_parts as rp
from pipeline.text import tokens as tk
from pipeline.text.buffers import buffers
from pipeline.text.characters import lowered
from pipeline.text.compiling import kernel, piece
from pipeline.text.decoding import PAD, read
from pipeline.text.marks import marks
from pipeline.text.pages import bare_length, filler
from pipeline.text.seen import slots_for
from pipeline.text.sentences import count_sentences
from pipeline.text.stoplists import StopLists, codes, word_hash
from pipeline.text.word_ngrams import MOST, SIZES, TOP, map_words, repeated_ngrams

LIMIT = 1 << 20  # words, lines or paragraphs: ten times the words of the longest document that Gopher keeps
GOPHER_SLOTS = 512
GOPHER_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")  # Rae et al. 2021, arXiv:2112.11446, A1.1
WORDS, FORM, GRAMS, LINES, PARAGRAPHS, SENTENCES, FILLER, BARE = (1 << bit for bit in range(8))  # what is computed
_NGRAMS = {f"top_{n}_gram": n for n in range(2, TOP + 1)} | {
    f"duplicate_{n}_grams": n for n in range(TOP + 1, MOST + 1)
}
_INT, _SHARE = pa.int64(), pa.float64()
_TABLE = [  # name, type, parts of the kernel that it needs; the place is that of its column
    ("gopher_words", _INT, WORDS),
    ("gopher_mean_word_length", _SHARE, WORDS),
    ("hashes_per_word", _SHARE, WORDS | FORM),
    ("ellipses_per_word", _SHARE, WORDS | FORM),
    ("bullet_line_ratio", _SHARE, FORM),
    ("ellipsis_line_ratio", _SHARE, FORM),
    ("alphabetic_word_ratio", _SHARE, WORDS),
    ("gopher_stop_words", _INT, WORDS),
    ("stop_words_met", _INT, WORDS),
    ("paragraphs", _INT, PARAGRAPHS),
    ("duplicate_paragraph_ratio", _SHARE, PARAGRAPHS),
    ("duplicate_paragraph_characters", _SHARE, PARAGRAPHS),
    ("duplicate_line_ratio", _SHARE, LINES),
    ("duplicate_line_characters", _SHARE, LINES),
    *((name, _SHARE, WORDS | GRAMS) for name in _NGRAMS),
    ("filled_lines", _INT, LINES),
    ("ended_line_ratio", _SHARE, LINES),
    ("short_line_ratio", _SHARE, LINES),
    ("duplicate_filled_characters", _SHARE, LINES),
    ("feeds_per_word", _SHARE, WORDS),
    ("curly_brackets", _INT, FILLER),
    ("lorem_ipsum", _INT, FILLER),
    ("sentences", _INT, SENTENCES),
    ("bare_characters", _INT, BARE),
]
QUALITY = {name: kind for name, kind, _ in _TABLE}
_NAMES = list(QUALITY)
_NEEDS = {name: parts for name, _, parts in _TABLE}
_AT = {name: column for column, name in enumerate(QUALITY)}
COLUMNS, FIRST_GRAM, FIRST_FILLED, FIRST_PAGE = (
    len(_TABLE),
    _AT["top_2_gram"],
    _AT["filled_lines"],
    _AT["curly_brackets"],
)
_FAMILY_BEGINS = {"gopher": 0, "fineweb": FIRST_FILLED, "c4": FIRST_PAGE, "slimpajama": _AT["bare_characters"]}
_ENDS = [*list(_FAMILY_BEGINS.values())[1:], COLUMNS]
FAMILIES = {
    family: tuple(_NAMES[begin:end]) for (family, begin), end in zip(_FAMILY_BEGINS.items(), _ENDS, strict=True)
}


def quality(
    texts: pa.Array | pa.ChunkedArray,
    langs: Sequence[str],
    stop_lists: StopLists,
    names: Sequence[str] = tuple(QUALITY),
    limit: int = LIMIT,
) -> dict[str, pa.Array]:
    """`{name: (n,)}` in the types of QUALITY."""
    offsets, data = buffers(texts)
    starts, masks = stop_lists.places(langs)
    slots = np.concatenate([_gopher_slots(), stop_lists.slots])
    lists = slots, (0, GOPHER_SLOTS - 1), starts + GOPHER_SLOTS, masks if "stop_words_met" in names else masks * 0 - 1
    parts = 0
    for name in names:
        parts |= _NEEDS[name]
    sizes = sum(1 << n for name, n in _NGRAMS.items() if name in names)
    table = _quality(data, offsets, marks(), lowered(), lists, parts, sizes, limit)
    return {name: _column(name, table[:, _AT[name]], masks) for name in names}


@cache
def _gopher_slots() -> np.ndarray:
    """(GOPHER_SLOTS,) uint64: a table as in `stopwords`, so sparse that most words meet an empty slot at once."""
    out = np.zeros(GOPHER_SLOTS, np.uint64)
    for word in GOPHER_WORDS:
        h = word_hash(codes(word))
        at = int(h) % GOPHER_SLOTS
        while out[at]:
            at = (at + 1) % GOPHER_SLOTS
        out[at] = h
    return out


def _column(name: str, values: np.ndarray, masks: np.ndarray) -> pa.Array:
    if QUALITY[name] == _INT:
        return pa.array(values.astype(np.int64), _INT, mask=masks < 0 if name == "stop_words_met" else None)
    return pa.array(np.ascontiguousarray(values), _SHARE)


@kernel
def _quality(data, offsets, table, lower, lists, parts, sizes, limit):  # type: ignore[no-untyped-def]
    """(n, COLUMNS) float64; counts are exact below 2^53."""
    n = len(offsets) - 1
    out = np.zeros((n, COLUMNS))
    longest = 0
    for d in range(n):
        longest = max(longest, offsets[d + 1] - offsets[d])
    most = min(longest // 2 + 1, limit)  # a word and what ends it take two bytes at least, and so do lines
    words = most if parts & WORDS else 0
    slots = slots_for(most) if parts & (GRAMS | LINES | PARAGRAPHS) else 1
    counted = slots if sizes & 0b11100 else 0
    text, kinds = np.empty(longest + PAD, np.uint32), np.empty(longest, np.uint16)
    seen, stamp = np.zeros(slots, np.uint64), np.zeros(1, np.uint64)
    room = seen, stamp, np.empty(counted, np.int32), np.empty(counted, np.int32)
    hashes, powers = np.empty(words, np.uint64), np.empty(words, np.uint64)
    grams = most if sizes else 1
    maps = np.empty((2, map_words(grams)), np.uint64)
    work = np.empty(grams, np.uint64), np.empty(grams, np.uint64), np.empty(grams, np.int64), maps[0], maps[1]
    ends, separators = np.empty(words + 1, np.int64), np.empty(tk.WINDOW, np.uint32)
    begins, stops = np.empty(2 * tk.WINDOW + 2, np.int64), np.empty(2 * tk.WINDOW + 2, np.int64)
    word, line, part = np.zeros(tk.TALLIES, np.int64), np.zeros(ll.TALLIES, np.int64), np.zeros(rp.TALLIES, np.int64)
    again = np.zeros(SIZES, np.int64)
    stop_slots, gopher, starts, masks = lists
    met = np.zeros(len(stop_slots), np.int64)
    for d in range(n):
        count = read(data, offsets[d], offsets[d + 1], text)
        for i in range(count):
            kinds[i] = table[text[i]]
        feeds = rp.count_feeds(text, count) if parts & (WORDS | LINES | PARAGRAPHS) else 0
        if parts & WORDS:
            own = starts[d], masks[d]
            words_room = hashes, powers, ends, separators, begins, stops
            tk.scan_tokens(text, kinds, count, lower, stop_slots, gopher, own, met, d + 1, words_room, limit, word)
        if parts & GRAMS:
            repeated_ngrams((hashes, powers, ends), word[tk.LISTED], sizes, room, work, again)
        if parts & FORM:
            ll.listed_lines(text, kinds, count, line)
            ll.count_marks(text, count, line)
        if parts & LINES:
            rp.lines_again(text, kinds, count, feeds, limit, (seen, stamp), part)
        if parts & PARAGRAPHS:
            rp.paragraphs_again(text, kinds, count, feeds, limit, (seen, stamp), part)
        _write_gopher(out[d], word, line, part)
        _write_ngrams(out[d], again, word[tk.READ])
        _write_lines(out[d], part, feeds, word[tk.TOKENS])
        page = out[d, FIRST_PAGE:]
        if parts & FILLER:
            page[1], page[0] = filler(text, kinds, count, lower)
        if parts & SENTENCES:
            page[2] = count_sentences(text, kinds, count)
        if parts & BARE:
            page[3] = bare_length(text, kinds, count)
    return out


@piece
def _over(part, whole):  # type: ignore[no-untyped-def]
    return part / whole if whole else 0.0


@piece
def _write_gopher(row, word, line, part):  # type: ignore[no-untyped-def]
    words = word[tk.TOKENS]
    row[0], row[1] = word[tk.WORDS], _over(word[tk.WORD_CHARACTERS], word[tk.WORDS])
    row[2], row[3] = _over(line[ll.HASHES], words), _over(line[ll.ELLIPSES], words)
    row[4], row[5] = _over(line[ll.BULLETS], line[ll.LINES]), _over(line[ll.BROKEN_OFF], line[ll.LINES])
    row[6] = _over(word[tk.WITH_LETTER], words)
    row[7], row[8], row[9] = word[tk.GOPHER_STOPS], word[tk.STOPS_MET], part[rp.PARAGRAPHS]
    row[10] = _over(part[rp.PARAGRAPHS_AGAIN], part[rp.PARAGRAPHS])
    row[11] = _over(part[rp.PARAGRAPH_CHARACTERS_AGAIN], part[rp.PARAGRAPHS_READ])
    row[12] = _over(part[rp.LINES_AGAIN], part[rp.LINES])
    row[13] = _over(part[rp.CHARACTERS_AGAIN], part[rp.READ])


@piece
def _write_ngrams(row, again, characters):  # type: ignore[no-untyped-def]
    for n in range(2, SIZES):
        row[FIRST_GRAM + n - 2] = _over(again[n], characters)


@piece
def _write_lines(row, part, feeds, words):  # type: ignore[no-untyped-def]
    at, filled = FIRST_FILLED, part[rp.FILLED]
    row[at], row[at + 1] = filled, _over(part[rp.ENDED], filled)
    row[at + 2] = _over(part[rp.SHORTS], filled)
    row[at + 3] = _over(part[rp.FILLED_AGAIN], part[rp.READ] - part[rp.FEEDS_READ])
    row[at + 4] = _over(feeds, words)
