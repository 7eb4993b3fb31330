"""Which language each text of a shard is in: the kernel behind the stage `identify`.

In: Arrow texts (n), a model, and for each text whether only programming languages come into question. Out, (n,) each:
label, score, second label, its share of the letters. -1 is no label.

A text is read in windows of some WINDOW bytes: all of a short one, MOST spread evenly over a long one. Over each, the
int8 rows of its features are summed as integers. The sum over all windows gives the label: mean row times root of the
number of features (evidence grows with the root of what is read), scores of the classes whose script has most of the
letters, softmax, classes of a label added up. Letters of scripts that no label has count against it, as OTHER.

The second language is the label that most letters are in, of the windows that are sure to be in another than the first.
Chinese is `zh-hans` or `zh-hant` by the characters that only one side has (`han`). Time is linear in the bytes read,
and no text is read for more than MOST windows.
"""

import numpy as np
import pyarrow as pa

from pipeline.text.buffers import buffers
from pipeline.text.compiling import kernel, piece
from pipeline.text.han import ONE_SIDE, sides
from pipeline.text.hashing import U
from pipeline.text.lid_characters import HAN, SCRIPT_OTHER, SCRIPTS, pairs, table
from pipeline.text.lid_features import FEATURES_A_BYTE, ngrams, read_units
from pipeline.text.lid_model import DIM, Model
from pipeline.text.lid_training import dominant, softmax

WINDOW, MOST = 256, 8  # bytes of a window, windows of a text
OVERRUN = 64  # bytes that a window may be longer, to end with a word
EVEN, SIGNS = U(0x00FF00FF00FF00FF), U(0x8080808080808080)  # every other byte; the sign of each byte
F = np.float32
SURE = F(0.8)  # of a window in another language
LEAST_LETTERS = 20  # of such a window
HANS_PRIOR = 1.5  # of 2: Chinese of which no character tells is simplified, as most of it is


def find(
    texts: pa.Array | pa.ChunkedArray, model: Model, only_code: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(n,) int32 label, (n,) float64 score in [0, 1], (n,) int32 second label, (n,) float64 its share.

    `only_code` is (n,) bool. A label is an index of `model.names`; -1 where there is nothing to go by."""
    offsets, data = buffers(texts)
    other = len(model.names) - 1
    code = np.array([model.names[label] in model.code for label in model.labels])
    chinese = [model.names.index(n) if n in model.names else -1 for n in ("zh-hans", "zh-hant")]
    labels, scores, seconds, shares = _find(
        data, offsets, only_code, table(), *pairs(), sides(), model.embedding.view(np.uint64), model.steps,
        model.output, model.masks, model.labels, code, other, np.array(chinese),
    )  # fmt: skip
    knots = np.array(model.calibration)
    return labels, np.interp(scores, knots[:, 0], knots[:, 1]), seconds, shares


@piece
def window(data, begin, end, which, count, at):  # type: ignore[no-untyped-def]
    """(at, stop) of window `which` of `count`; `at` is where the window before ended. At ends of words where it can."""
    size = end - begin
    if size > MOST * WINDOW:
        at = max(at, begin + size // count * which)
        floor = max(begin, at - OVERRUN) if which else begin
        while at > floor and data[at - 1] > 32:
            at -= 1
        while at < end and data[at] & 0xC0 == 0x80:
            at += 1
    stop = min(end, at + WINDOW)
    ceiling = min(end, stop + OVERRUN)
    while stop < ceiling and data[stop] > 32:
        stop += 1
    while stop < end and data[stop] & 0xC0 == 0x80:
        stop += 1
    return at, stop


@piece
def add_rows(table, rows, count, sums):  # type: ignore[no-untyped-def]
    """Adds `count` rows of int8, given as (rows, 4) uint64, to `sums`, (DIM,) int32.

    Eight numbers at a time in 16-bit lanes, 128 added to each so that none is negative: ten times as fast as the plain
    loop, which the compiler does not turn into vectors. 256 of them fit a lane.
    """
    for first in range(0, count, 256):
        last = min(first + 256, count)
        a, b, c, d, e, f, g, h = U(0), U(0), U(0), U(0), U(0), U(0), U(0), U(0)
        for at in range(first, last):
            row = rows[at]
            x, y = table[row, 0] ^ SIGNS, table[row, 1] ^ SIGNS
            z, w = table[row, 2] ^ SIGNS, table[row, 3] ^ SIGNS
            a += x & EVEN
            b += x >> U(8) & EVEN
            c += y & EVEN
            d += y >> U(8) & EVEN
            e += z & EVEN
            f += z >> U(8) & EVEN
            g += w & EVEN
            h += w >> U(8) & EVEN
        bias = 128 * (last - first)
        for lane in range(4):
            shift, j = U(16 * lane), 2 * lane
            sums[j] += np.int64(a >> shift & U(0xFFFF)) - bias
            sums[j + 1] += np.int64(b >> shift & U(0xFFFF)) - bias
            sums[j + 8] += np.int64(c >> shift & U(0xFFFF)) - bias
            sums[j + 9] += np.int64(d >> shift & U(0xFFFF)) - bias
            sums[j + 16] += np.int64(e >> shift & U(0xFFFF)) - bias
            sums[j + 17] += np.int64(f >> shift & U(0xFFFF)) - bias
            sums[j + 24] += np.int64(g >> shift & U(0xFFFF)) - bias
            sums[j + 25] += np.int64(h >> shift & U(0xFFFF)) - bias


@piece
def judge(sums, count, scripts, steps, output, masks, hidden, scores, allowed, only_code, code):  # type: ignore[no-untyped-def]
    """Fills `scores` with the chance of each class; False if no class comes into question."""
    script = dominant(scripts)
    some = False
    for c in range(len(scores)):
        allowed[c] = code[c] if only_code else masks[c] >> script & 1
        some |= allowed[c]
    if not some or not count:
        return False
    share = F(1) / np.sqrt(F(count))
    scores[:] = 0
    for j in range(DIM):
        hidden[j] = F(sums[j]) * steps[j] * share
    for j in range(DIM):
        for c in range(len(scores)):
            scores[c] += hidden[j] * output[j, c]
    softmax(scores, allowed)
    return True


@piece
def best_label(scores, labels, other):  # type: ignore[no-untyped-def]
    """(label, its chance, chance of OTHER): OTHER is many classes, any other label is one."""
    best, others = -1, F(0)
    for c in range(len(scores)):
        if labels[c] == other:
            others += scores[c]
        elif best < 0 or scores[c] > scores[best]:
            best = c
    if best < 0 or others > scores[best]:
        return other, others, others
    return labels[best], scores[best], others


@kernel
def _find(
    data,
    offsets,
    only_code,
    entries,
    keys,
    values,
    sides,
    embedding,
    steps,
    output,
    masks,
    labels,
    code,
    other,
    chinese,
):  # type: ignore[no-untyped-def]
    n, classes, rows = len(offsets) - 1, output.shape[1], U(embedding.shape[0])
    found, scores_out = np.full(n, -1, np.int32), np.zeros(n)
    seconds, shares = np.full(n, -1, np.int32), np.zeros(n)
    room = WINDOW + 2 * OVERRUN + 8
    units, out = np.empty(room, np.uint32), np.empty(room * FEATURES_A_BYTE, np.uint32)
    start = np.zeros(1, np.int64)
    sums, counts = np.zeros((MOST + 1, DIM), np.int32), np.zeros(MOST + 1, np.int64)
    scripts = np.zeros((MOST + 1, len(SCRIPTS)), np.int64)
    hidden, scores, allowed = np.zeros(DIM, F), np.zeros(classes, F), np.zeros(classes, np.bool_)
    letters_of = np.zeros(other + 1, np.int64)
    for d in range(n):
        begin, end = offsets[d], offsets[d + 1]
        windows = min(MOST, (end - begin + WINDOW - 1) // WINDOW)
        sums[:] = 0
        counts[:] = 0
        scripts[:] = 0
        simplified, traditional = 0, 0
        stop = begin
        for w in range(windows):
            at, stop = window(data, begin, end, w, windows, stop)
            start[0] = 0
            m = read_units(data, at, stop, entries, keys, values, units, scripts[w], rows, out, start)
            counts[w] = ngrams(units, m, rows, out, start[0])
            add_rows(embedding, out, counts[w], sums[w])
            if scripts[w, HAN]:
                for i in range(m):
                    side = sides[units[i]]
                    simplified += side == ONE_SIDE[0]
                    traditional += side == ONE_SIDE[1]
            counts[MOST] += counts[w]
            for j in range(DIM):
                sums[MOST, j] += sums[w, j]
            for s in range(len(SCRIPTS)):
                scripts[MOST, s] += scripts[w, s]
        letters = scripts[MOST].sum() - scripts[MOST, 0]
        if not letters:
            continue
        foreign = scripts[MOST, SCRIPT_OTHER] / letters
        if not judge(
            sums[MOST], counts[MOST], scripts[MOST], steps, output, masks, hidden, scores, allowed, only_code[d], code
        ):
            found[d], scores_out[d] = other, foreign
            continue
        label, score, others = best_label(scores, labels, other)
        others = others * (1 - foreign) + foreign
        score *= 1 - foreign
        if others >= score and not only_code[d]:
            label, score = other, others
        if label == chinese[0]:
            side = (simplified + HANS_PRIOR) / (simplified + traditional + 2)
            if side < 0.5:
                label = chinese[1]
            score *= max(side, 1 - side)
        found[d], scores_out[d] = label, score
        if windows > 1 and not only_code[d]:
            letters_of[:] = 0
            for w in range(windows):
                here = scripts[w].sum() - scripts[w, 0]
                if here >= LEAST_LETTERS and judge(
                    sums[w], counts[w], scripts[w], steps, output, masks, hidden, scores, allowed, False, code
                ):
                    which, chance, others = best_label(scores, labels, other)
                    same = which == label or (which == chinese[0] and label == chinese[1])
                    if chance >= SURE and not same and which != other:
                        letters_of[which] += here
            best = 0
            for which in range(other):
                if letters_of[which] > letters_of[best]:
                    best = which
            if letters_of[best]:
                seconds[d], shares[d] = best, letters_of[best] / letters
    return found, scores_out, seconds, shares
