"""Training the language identifier: an embedding for each feature, their mean, one linear layer, softmax.

The method is fastText's (Joulin et al. 2016, arXiv:1607.01759): features of a piece of text -> mean of their rows (DIM)
-> scores of the classes. In: the text of each group one behind the other, the class of each group. Out: the matrices.

Sample n is a function of (seed, n) alone: its group is drawn by weight, its place in the group's text, its length
(short ones more often), and whether it loses its marks or its signs. So there is no order to shuffle, and the same
texts, weights and seed give the same bits: one thread, and no function of the machine's mathematics library.
"""

import numpy as np

from pipeline.text.compiling import kernel, piece
from pipeline.text.hashing import U, mix
from pipeline.text.lid_characters import BYTES_A_SIGN, CODE_BIT, SCRIPTS, SIGNS, dominant
from pipeline.text.lid_features import FEATURES_A_BYTE, ngrams, read_units
from pipeline.text.lid_model import DIM

F = np.float32
LONGEST_PIECE = 2048  # bytes
SHORTEST, LONGEST = 20, 500  # characters
LOWEST = F(24)  # a class whose score is less than the best one's by so much has no chance that a float32 would show
HALVES = (0.5 ** np.arange(40)).astype(F)


@piece
def exp(x):  # type: ignore[no-untyped-def]
    """e^x for -LOWEST < x <= 0 to some 1e-7, by additions and multiplications alone: the same bits on every machine."""
    y = x * F(-1.4426950408889634)
    whole = np.int64(y)
    f = (F(whole) - y) * F(0.6931471805599453)
    power = F(1) + f * (F(1) + f * (F(1 / 2) + f * (F(1 / 6) + f * (F(1 / 24) + f * (F(1 / 120) + f * F(1 / 720))))))
    return power * HALVES[whole]


@piece
def softmax(scores, allowed):  # type: ignore[no-untyped-def]
    """In place, over the classes that are allowed; the others become 0."""
    best = F(-1e30)
    for c in range(len(scores)):
        if allowed[c] and scores[c] > best:
            best = scores[c]
    total = F(0)
    for c in range(len(scores)):
        scores[c] = exp(scores[c] - best) if allowed[c] and scores[c] > best - LOWEST else F(0)
        total += scores[c]
    for c in range(len(scores)):
        scores[c] /= total


@piece
def chance(seed, n, which):  # type: ignore[no-untyped-def]
    """A uint64 that depends on these alone."""
    return mix(seed + U(n) * U(0x9E3779B97F4A7C15) + U(which) * U(0xD1B54A32D192ED03))


@piece
def unit_interval(x):  # type: ignore[no-untyped-def]
    return (x >> U(11)) * (1.0 / 9007199254740992.0)


@piece
def cut(data, begin, end, place, characters):  # type: ignore[no-untyped-def]
    """A piece of some characters from the word that `place` is in, of at most LONGEST_PIECE bytes: (at, stop)."""
    at = begin + place
    floor = max(begin, at - 64)
    while at > floor and data[at - 1] > 32:
        at -= 1
    while at < end and data[at] & 0xC0 == 0x80:
        at += 1
    stop, most = at, min(end, at + LONGEST_PIECE)
    while stop < most and characters >= 0:
        characters -= data[stop] & 0xC0 != 0x80
        stop += 1
    return at, stop


@kernel
def counts(data, table, keys, values, rows):  # type: ignore[no-untyped-def]
    """How often each feature is met in all of `data`, (rows,) float64, its looks aside; letters of each script."""
    found, scripts, start = np.zeros(np.int64(rows)), np.zeros(len(SCRIPTS), np.int64), np.zeros(1, np.int64)
    units = np.empty(LONGEST_PIECE + 8, np.uint32)
    out = np.empty((LONGEST_PIECE + 8) * FEATURES_A_BYTE, np.uint32)
    at = 0
    while at < len(data):
        at, stop = cut(data, at, len(data), 0, LONGEST_PIECE)
        start[0] = 0
        m = read_units(data, at, stop, table, keys, values, units, scripts, rows, out, start)
        for f in range(start[0], ngrams(units, m, rows, out, start[0])):
            found[out[f]] += 1
        at = max(stop, at + 1)
    return found, scripts


@kernel
def train(
    data,
    begins,
    ends,
    classes,
    cumulative,
    masks,
    table,
    keys,
    values,
    bare,
    toneless,
    embedding,
    output,
    rate,
    seed,
    samples,
):  # type: ignore[no-untyped-def]
    """Trains `embedding` (rows, DIM) and `output` (DIM, C) in place; the mean loss of the last tenth, skipped samples.

    Group g is data[begins[g]:ends[g]] of class classes[g]; cumulative (G,) float64, how often it is met, up to 1; masks
    (C,) int64, the scripts that a class is written in, as bits: a sample whose letters are mostly of another is passed
    over, and classes of other scripts are no choice. Steps are Adagrad's (Duchi et al. 2011), one sum a row.
    """
    rows, count = U(embedding.shape[0]), output.shape[1]
    units = np.empty(LONGEST_PIECE + 8, np.uint32)
    out = np.empty((LONGEST_PIECE + 8) * FEATURES_A_BYTE, np.uint32)
    scripts, start = np.zeros(len(SCRIPTS), np.int64), np.zeros(1, np.int64)
    hidden, gradient = np.zeros(DIM, F), np.zeros(DIM, F)
    scores, allowed = np.zeros(count, F), np.zeros(count, np.bool_)
    squares, class_squares = np.full(embedding.shape[0], F(1e-3)), np.full(count, F(1))
    back = np.ascontiguousarray(output.T)  # (C, DIM), the same numbers: both directions run along memory
    loss, counted, skipped = 0.0, 0, 0
    for n in range(samples):
        group = min(np.searchsorted(cumulative, unit_interval(chance(seed, n, 0))), len(cumulative) - 1)
        place = np.int64(unit_interval(chance(seed, n, 1)) * (ends[group] - begins[group]))
        at, stop = cut(data, begins[group], ends[group], place, length(chance(seed, n, 2)))
        k, script = features(
            data, at, stop, table, keys, values, bare, toneless, rows, units, scripts, out, start, chance(seed, n, 3)
        )
        target = classes[group]
        signs = scripts[SIGNS] * BYTES_A_SIGN >= stop - at
        for c in range(count):
            allowed[c] = masks[c] >> script & 1 and (signs or not masks[c] & CODE_BIT)
        if k == 0 or not allowed[target]:
            skipped += 1
            continue
        share = F(1) / np.sqrt(F(k))
        hidden[:] = 0
        for f in range(k):
            row = out[f]
            for j in range(DIM):
                hidden[j] += embedding[row, j]
        scores[:] = 0
        for j in range(DIM):
            hidden[j] *= share
            for c in range(count):
                scores[c] += hidden[j] * output[j, c]
        softmax(scores, allowed)
        if n >= samples - samples // 10:
            loss -= np.log(max(scores[target], F(1e-30)))
            counted += 1
        pace = F(rate * (1.0 - n / samples))
        for c in range(count):
            scores[c] = -scores[c]
        scores[target] += F(1)
        gradient[:] = 0
        for c in range(count):
            if allowed[c]:
                for j in range(DIM):
                    gradient[j] += scores[c] * back[c, j]
        norm = F(0)
        for j in range(DIM):
            norm += hidden[j] * hidden[j]
        for c in range(count):
            class_squares[c] += scores[c] * scores[c] * norm
            scores[c] *= pace / np.sqrt(class_squares[c])
            for j in range(DIM):
                back[c, j] += scores[c] * hidden[j]
        for j in range(DIM):
            for c in range(count):
                output[j, c] += scores[c] * hidden[j]
        norm = F(0)
        for j in range(DIM):
            gradient[j] *= share
            norm += gradient[j] * gradient[j]
        for f in range(k):
            row = out[f]
            squares[row] += norm
            step = pace / np.sqrt(squares[row])
            for j in range(DIM):
                embedding[row, j] += step * gradient[j]
    return loss / max(counted, 1), skipped


@piece
def length(x):  # type: ignore[no-untyped-def]
    """Characters of a piece, SHORTEST to LONGEST, short ones more often than long ones."""
    u = unit_interval(x)
    return np.int64(SHORTEST + (LONGEST - SHORTEST) * u * u)


@piece
def features(data, at, stop, table, keys, values, bare, toneless, rows, units, scripts, out, start, dice):  # type: ignore[no-untyped-def]
    """How many features of the piece stand in `out`, and the script of most of its letters.

    By the dice, one piece in four is without the looks of its signs; one in sixteen loses all marks, another all tone
    marks, two more lose some of these, as people leave them out who write in haste or without the keys for them.
    """
    scripts[:] = 0
    start[0] = 0
    m = read_units(data, at, stop, table, keys, values, units, scripts, rows, out, start)
    if dice & U(3) == U(0):
        start[0] = 0
    marks = dice >> U(8) & U(15)
    if marks < U(4):
        m = strip(units, m, bare if marks == U(0) else toneless, marks, dice)
    return ngrams(units, m, rows, out, start[0]), dominant(scripts)


@piece
def strip(units, count, without, marks, dice):  # type: ignore[no-untyped-def]
    """Takes marks off the units, in place: off all for 0 and 1, else off some two thirds; how many units are left."""
    m = 0
    for i in range(count):
        unit = U(units[i])
        dice = dice * U(0x5851F42D4C957F2D) + U(0x14057B7EF767814F)
        if marks < U(2) or dice >> U(40) & U(3) > U(0):
            unit = U(without[unit])
        if unit:
            units[m] = unit
            m += 1
    return m
