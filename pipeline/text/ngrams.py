"""Hashes of n-grams, of characters and of words: one 64-bit number each, in an array, for `repeats` to count.

Each n-gram is hashed for itself, four characters a step, not rolled along from the one before: a rolling hash waits for
each multiplication, these run side by side. Pieces of the kernel in `measures`.
"""

from pipeline.text.characters import U
from pipeline.text.compiling import piece
from pipeline.text.decoding import four, per_load
from pipeline.text.hashing import START, joined, step


@piece
def character_grams(text, count, size, grams):  # type: ignore[no-untyped-def]
    """Hashes the n-grams of `size` characters of `text[:count]` into `grams`; how many there are.

    What is loaded covers an n-gram exactly: the last load goes back as far as it must.
    """
    many, per = count - size + 1, per_load(text)
    keep = ~U(0)
    if size < per:
        keep = (U(1) << U(64 // per * size)) - U(1)
    for i in range(many):
        grams[i] = step(START, four(text, U(i)) & keep)
    done = per
    while done < size:
        ahead = min(done, size - per)
        for i in range(many):
            grams[i] = step(grams[i], four(text, U(i + ahead)))
        done += per
    return max(many, 0)


@piece
def word_grams(words, count, size):  # type: ignore[no-untyped-def]
    """Turns word hashes into those of n-grams of `size` words, in place; how many there are."""
    many = max(count - size + 1, 0)
    for first in range(many):
        h = words[first]
        for at in range(first + 1, first + size):
            h = joined(h, words[at])
        words[first] = h
    return many
