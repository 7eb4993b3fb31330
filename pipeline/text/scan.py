"""Reading a text in blocks of code points: counts, words, lines and rolling hashes of n-grams.

In: UTF-8 bytes. A block is up to BLOCK characters, decoded into `codes` (uint32) behind the last `before` characters of
the block before it. What goes on over blocks stands in `tallies` (int64, the names below) and `hashes` (uint64).

Pieces of the kernel in `measures`, which says what a word and a line are. One loop a job, so that each stays short
enough for the compiler to do well: one loop for all jobs was four times slower.
"""

import numpy as np

from pipeline.text.characters import ALNUM, DIGIT, SPACE, SPECIAL, UNSPACED, U, decode
from pipeline.text.compiling import piece
from pipeline.text.hashing import BASE, load, mix

HIGH_BITS = U(0x8080808080808080)  # of 8 bytes; none is set where all are ASCII
BLOCK = 2048  # characters
POWERS = np.array([pow(int(BASE), exponent, 1 << 64) for exponent in range(64)], np.uint64)
CHARACTERS, DIGITS, SPECIALS, ALNUMS, LINES, LINE, LONGEST_LINE, LINE_FEEDS = range(8)
WORDS, WORD_CHARACTERS, LONGEST_WORD, STOPS, LISTED, LENGTH, KEPT = range(8, 15)
TALLIES = 15
SEPARATES = SPACE | UNSPACED  # what ends a word
RUNNING, KEPT_HASH = range(2)  # hash of the word so far, and of it up to its last character that is not SPECIAL


@piece
def read_block(data, at, end, codes, before, most):  # type: ignore[no-untyped-def]
    """Decodes up to `most` characters from byte `at` into `codes[before:]`; the byte after them and how many."""
    i, stop, o, full = U(at), U(end), U(before), U(before + most)
    while i < stop and o < full:
        while i + U(8) <= stop and o + U(8) <= full:
            if load(data, i) & HIGH_BITS:
                break
            for ahead in range(8):
                codes[o + U(ahead)] = data[i + U(ahead)]
            i += U(8)
            o += U(8)
        pause = min(o + U(8), full)
        while i < stop and o < pause:
            code, i = decode(data, i, stop)
            codes[o] = code
            o += U(1)
    return np.int64(i), np.int64(o) - before


@piece
def count_characters(codes, kinds, count, table, tallies):  # type: ignore[no-untyped-def]
    """Looks up the kinds of a block's characters, (count,) uint8, and adds up the counts of each sort."""
    for i in range(count):
        kinds[i] = table[codes[i]]
    digits, specials, alnums = 0, 0, 0
    for i in range(count):
        digits += (kinds[i] & DIGIT) // DIGIT
        specials += (kinds[i] & SPECIAL) // SPECIAL
        alnums += (kinds[i] & ALNUM) // ALNUM
    tallies[CHARACTERS] += count
    tallies[DIGITS] += digits
    tallies[SPECIALS] += specials
    tallies[ALNUMS] += alnums


@piece
def count_lines(codes, count, tallies):  # type: ignore[no-untyped-def]
    begin = -tallies[LINE]
    for i in range(count):
        if codes[i] == 10:
            tallies[LINES] += 1
            tallies[LINE_FEEDS] += 1
            tallies[LONGEST_LINE] = max(tallies[LONGEST_LINE], i - begin)
            begin = i + 1
    tallies[LINE] = count - begin


@piece
def end_line(tallies):  # type: ignore[no-untyped-def]
    """At the end of a text: a line without a line feed is one too, unless it is empty."""
    if tallies[LINE]:
        tallies[LINES] += 1
        tallies[LONGEST_LINE] = max(tallies[LONGEST_LINE], tallies[LINE])


@piece
def roll(codes, before, count, size, rolling, grams, done):  # type: ignore[no-untyped-def]
    """Hashes the n-grams of `size` characters that end in the block into `grams`; returns the rolling hash.

    `done` characters came before; in front of the first stand zeros, which weigh nothing.
    """
    power = U(1)
    for _ in range(size):
        power *= BASE
    for i in range(count):
        rolling = rolling * BASE + U(codes[before + i]) - U(codes[before + i - size]) * power
        if done + i + 1 >= size:
            grams[done + i + 1 - size] = mix(rolling)
    return rolling


@piece
def read_words(codes, kinds, count, lower, tallies, hashes, words, listing, stops, prefix, ends):  # type: ignore[no-untyped-def]
    """Counts the words that end in the block; appends their hashes to `words` if `listing`.

    `stops` is a stop list: (slots, first, mask), as in `stopwords`. `prefix`, (BLOCK + 1,) uint64, and `ends`, (BLOCK,)
    uint32, are room to work in: the hashes of the block's beginnings, of which that of a word is a difference, and the
    places of separators, found without a branch.
    """
    found, h = U(0), U(0)
    for i in range(count):
        prefix[i] = h
        h = h * BASE + U(lower[codes[i]])
        ends[found] = i
        found += U(kinds[i] & SEPARATES != 0)
    prefix[count] = h
    first = np.int64(0)
    for which in range(found):
        end = np.int64(ends[which])
        if tallies[LENGTH]:  # the word that began in an earlier block
            _go_on(codes, kinds, first, end, lower, tallies, hashes)
            end_word(tallies, hashes, words, listing, stops)
        elif first < end:
            last = end
            while first < last and kinds[first] & SPECIAL:
                first += 1
            while first < last and kinds[last - 1] & SPECIAL:
                last -= 1
            if first < last:
                word = mix(prefix[last] - prefix[first] * _power(last - first))
                _end(word, last - first, tallies, words, listing, stops)
        if kinds[end] & (UNSPACED | SPECIAL) == UNSPACED:
            _end(mix(U(lower[codes[end]])), 1, tallies, words, listing, stops)
        first = end + 1
    _go_on(codes, kinds, first, count, lower, tallies, hashes)


@piece
def end_word(tallies, hashes, words, listing, stops):  # type: ignore[no-untyped-def]
    """The word that began in an earlier block ends, at a separator or with the text."""
    if tallies[KEPT]:
        _end(mix(hashes[KEPT_HASH]), tallies[KEPT], tallies, words, listing, stops)
    hashes[RUNNING] = U(0)
    tallies[LENGTH] = tallies[KEPT] = 0


@piece
def _go_on(codes, kinds, first, end, lower, tallies, hashes):  # type: ignore[no-untyped-def]
    """Adds a run of characters without separators to the word so far."""
    for i in range(first, end):
        special = kinds[i] & SPECIAL
        if tallies[LENGTH] or not special:
            hashes[RUNNING] = hashes[RUNNING] * BASE + U(lower[codes[i]])
            tallies[LENGTH] += 1
            if not special:
                hashes[KEPT_HASH], tallies[KEPT] = hashes[RUNNING], tallies[LENGTH]


@piece
def _end(word, length, tallies, words, listing, stops):  # type: ignore[no-untyped-def]
    if listing:
        words[tallies[LISTED]] = word
        tallies[LISTED] += 1
    tallies[WORDS] += 1
    tallies[WORD_CHARACTERS] += length
    tallies[LONGEST_WORD] = max(tallies[LONGEST_WORD], length)
    tallies[STOPS] += _in_list(word, stops)


@piece
def _in_list(word, stops):  # type: ignore[no-untyped-def]
    slots, start, mask = stops
    if mask < 0:
        return 0
    at = np.int64(word & U(mask))
    while slots[start + at] != U(0):
        if slots[start + at] == word:
            return 1
        at = (at + 1) & mask
    return 0


@piece
def _power(exponent):  # type: ignore[no-untyped-def]
    if exponent < len(POWERS):
        return POWERS[exponent]
    return BASE ** U(exponent)
