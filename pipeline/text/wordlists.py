"""Lists of words (stop words, flagged words) as tables of hashes, in which a kernel finds a word without a branch.

    WordLists.of({"en": ["the", "of"], "vi": ["được cho"]}) -> slots, (m,) uint64, and where each language's table lies

An entry is read as a text would be: split into words, in lower case. One of two to LONGEST_RUN words stands for those
words one behind the other; in scripts without spaces each character is a word. A language without a list has none: its
ratio is unknown, not 0.

`stoplists` has tables of another kind: its hashes can be made character by character while a text streams by, and need
no text that is decoded and lower-cased before, nor runs of words. These here are made four characters at a time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline.text.buffers import buffers
from pipeline.text.characters import U, flags, lowered
from pipeline.text.compiling import kernel
from pipeline.text.decoding import PAD, look_up, lower_case, read
from pipeline.text.hashing import joined
from pipeline.text.words import CHUNK, HISTORY, LONGEST_RUN, MADE, TALLIES, WINDOW, find_words, hash_words, word_room

NO_LIST = (0, -1, 1)
Place = tuple[int, int, int]  # first slot, mask, words of the longest entry


@dataclass(frozen=True)
class WordLists:
    """Tables of hashes, two a language (for narrow and for wide texts), one behind the other in `slots`."""

    slots: np.ndarray  # (m,) uint64; 0 is empty
    begins: dict[str, tuple[Place, Place]]

    def places(self, langs: Sequence[str]) -> np.ndarray:
        """(n, 2, 3) int64: Place of each document's tables, for narrow and wide texts; mask -1 for none."""
        found = [self.begins.get(lang, (NO_LIST, NO_LIST)) for lang in langs]
        return np.array(found, np.int64).reshape(-1, 2, 3)

    @staticmethod
    def of(lists: Mapping[str, Iterable[str]]) -> "WordLists":
        """The tables of these lists; entries of no word or of more than LONGEST_RUN are left out."""
        tables = [np.zeros(1, np.uint64)]
        begins: dict[str, tuple[Place, Place]] = {}
        for lang, entries in sorted(lists.items()):
            places = []
            for hashes, longest in _hashed(sorted(set(entries))):
                table = _table(hashes)
                places.append((sum(map(len, tables)), len(table) - WINDOW, longest))
                tables.append(table)
            begins[lang] = (places[0], places[1])
        return WordLists(np.concatenate(tables), begins)


def lengths(entries: Sequence[str]) -> np.ndarray:
    """(n,) int64: of how many words each entry is, as a text would be split."""
    return _runs(*buffers(pa.array(entries, pa.large_string())), flags(), lowered(), np.empty(0, np.uint16))[1]


def _hashed(entries: Sequence[str]) -> list[tuple[np.ndarray, int]]:
    """For narrow and for wide texts: hashes of the entries that a text can hold, and words of the longest."""
    out = []
    for width in (np.uint16, np.uint32):
        # a narrow text holds no character above the BMP, nor does it hold an entry that does
        met = [entry for entry in entries if width == np.uint32 or max(entry, default="") <= "\uffff"]
        hashes, words = _runs(*buffers(pa.array(met, pa.large_string())), flags(), lowered(), np.empty(0, width))
        possible = (words > 0) & (words <= LONGEST_RUN)
        out.append((np.unique(hashes[possible]), int(words[possible].max(initial=1))))
    return out


def _table(hashes: np.ndarray) -> np.ndarray:
    """(size + WINDOW - 1,) uint64, open addressing; doubled until each hash is within WINDOW slots of its home."""
    size = 4
    while size < 2 * len(hashes):
        size *= 2
    while (table := _filled(hashes, size)) is None:
        size *= 2
    return table


def _filled(hashes: np.ndarray, size: int) -> np.ndarray | None:
    table = np.zeros(size + WINDOW - 1, np.uint64)
    for h in hashes.tolist():
        home = h & (size - 1)
        free = np.flatnonzero(table[home : home + WINDOW] == 0)
        if not len(free):
            return None
        table[home + free[0]] = h
    return table


@kernel
def _runs(offsets, data, table, lower, like):  # type: ignore[no-untyped-def]
    """(n,) uint64 hash of each entry's words together, (n,) int64 how many words; `like` says narrow or wide."""
    n = len(offsets) - 1
    longest = 0
    for d in range(n):
        longest = max(longest, offsets[d + 1] - offsets[d])
    text = np.empty(longest + PAD, like.dtype)
    kinds = np.empty(longest + PAD, np.uint8)
    room = word_room()
    tallies = np.empty(TALLIES, np.int64)
    hashes, counts = np.zeros(n, U), np.zeros(n, np.int64)
    for d in range(n):
        count = read(data, offsets[d], offsets[d + 1], text)
        look_up(text, count, table, kinds)
        lower_case(text, count, lower)
        tallies[:] = 0
        find_words(kinds, 0, min(count, CHUNK), 0, count, room, tallies)
        made = tallies[MADE]
        hash_words(text, room, made)
        counts[d] = made - HISTORY
        for back in range(min(counts[d], LONGEST_RUN)):
            word = room[3][made - 1 - back]
            hashes[d] = joined(hashes[d], word) if back else word
    return hashes, counts
