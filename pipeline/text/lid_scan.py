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
from pipeline.text.compiling import kernel, lean
from pipeline.text.han import ONE_SIDE, sides
from pipeline.text.hashing import U
from pipeline.text.lid_characters import (
    BYTES_A_SIGN,
    CODE_BIT,
    HAN,
    SCRIPT_OTHER,
    SCRIPTS,
    SIGNS,
    dominant,
    pairs,
    table,
)
from pipeline.text.lid_features import FEATURES_A_BYTE, ngrams, read_units
from pipeline.text.lid_model import DIM, OTHER, Model
from pipeline.text.lid_rows import add_rows
from pipeline.text.lid_training import softmax

WINDOW, MOST = 256, 8  # bytes of a window, windows of a text
OVERRUN = 64  # bytes that a window may be longer, to end with a word
F = np.float32
SURE = F(0.8)  # of a window in another language
LEAST_LETTERS = 20  # of such a window
HANS_PRIOR = 1.5  # of 2: Chinese of which no character tells is simplified, as most of it is
# What is counted of a window: signs of code, letters of each script, then these
LETTERS = slice(1, len(SCRIPTS))
FEATURES, BYTES, SIMPLIFIED, TRADITIONAL = range(len(SCRIPTS), len(SCRIPTS) + 4)
COUNTS = len(SCRIPTS) + 4


def find(
    texts: pa.Array | pa.ChunkedArray, model: Model, only_code: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(n,) int32 label, (n,) float64 score in [0, 1], (n,) int32 second label, (n,) float64 its share.

    `only_code` is (n,) bool. A label is an index of `model.names`; -1 where there is nothing to go by."""
    offsets, data = buffers(texts)
    chinese = [model.names.index(name) if name in model.names else -1 for name in ("zh-hans", "zh-hant")]
    characters = (table(), *pairs(), sides())
    net = (model.embedding.view(np.uint64), model.steps, model.output, model.masks, model.labels)
    special = (model.names.index(OTHER), *chinese)
    labels, scores, seconds, shares = _find(data, offsets, only_code, characters, net, special)
    knots = np.array(model.calibration)
    return labels, np.interp(scores, knots[:, 0], knots[:, 1]), seconds, shares


@lean
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


@lean
def read_window(data, at, stop, characters, table, units, rows, start, counts, sums):  # type: ignore[no-untyped-def]
    """Adds what stands in a window to `counts`, (COUNTS,) int64, and its features' rows to `sums`, (DIM,) int32."""
    entries, keys, values, sides = characters
    start[0] = 0
    m = read_units(data, at, stop, entries, keys, values, units, counts, U(len(table)), rows, start)
    counts[FEATURES] = ngrams(units, m, U(len(table)), rows, start[0])
    counts[BYTES] = stop - at
    add_rows(table, rows, counts[FEATURES], sums)
    if counts[HAN]:
        for i in range(m):
            side = sides[units[i]]
            counts[SIMPLIFIED] += side == ONE_SIDE[0]
            counts[TRADITIONAL] += side == ONE_SIDE[1]


@lean
def weigh(sums, counts, net, hidden, scores, allowed, only_code):  # type: ignore[no-untyped-def]
    """Fills `scores` with the score of each class and `allowed`; False if no class comes into question."""
    _, steps, output, masks, _ = net
    script, some = dominant(counts), False
    signs = counts[SIGNS] * BYTES_A_SIGN >= counts[BYTES]
    for c in range(len(scores)):
        code = masks[c] & CODE_BIT != 0
        allowed[c] = code if only_code else masks[c] >> script & 1 and (signs or not code)
        some |= allowed[c]
    if not some or not counts[FEATURES]:
        return False
    share = F(1) / np.sqrt(F(counts[FEATURES]))
    scores[:] = 0
    for j in range(DIM):
        hidden[j] = F(sums[j]) * steps[j] * share
        for c in range(len(scores)):
            scores[c] += hidden[j] * output[j, c]
    return True


@lean
def best_class(scores, allowed):  # type: ignore[no-untyped-def]
    """The class with the highest score of those that come into question; there is one."""
    best = -1
    for c in range(len(scores)):
        if allowed[c] and (best < 0 or scores[c] > scores[best]):
            best = c
    return best


@lean
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


@lean
def decide(counts, scores, labels, special, only_code):  # type: ignore[no-untyped-def]
    """(label, score) of a whole text, given the chance of each class."""
    other, hans, hant = special
    label, score, others = best_label(scores, labels, other)
    if only_code:
        return label, np.float64(score)
    foreign = counts[SCRIPT_OTHER] / counts[LETTERS].sum()
    whole, rest = score * (1 - foreign), others * (1 - foreign) + foreign
    if rest >= whole:
        return other, rest
    if label == hans:
        side = (counts[SIMPLIFIED] + HANS_PRIOR) / (counts[SIMPLIFIED] + counts[TRADITIONAL] + 2)
        return (hans if side >= 0.5 else hant), whole * max(side, 1 - side)
    return label, whole


@lean
def second(label, windows, sums, counts, net, special, hidden, scores, allowed, letters):  # type: ignore[no-untyped-def]
    """(label, share of the letters) of the windows that are sure to be in another language; (-1, 0) if none is."""
    other, hans, hant = special
    letters[:] = 0
    for w in range(windows):
        here = counts[w, LETTERS].sum()
        if here >= LEAST_LETTERS and weigh(sums[w], counts[w], net, hidden, scores, allowed, False):
            most = net[4][best_class(scores, allowed)]
            if most == other or most == label or (most == hans and label == hant):  # noqa: SIM109 (their types differ)
                continue  # no other label can be sure, and of most windows there is no need for the chances
            softmax(scores, allowed)
            which, chance, _ = best_label(scores, net[4], other)
            if chance >= SURE:
                letters[which] += here
    best = 0
    for which in range(other):
        if letters[which] > letters[best]:
            best = which
    if not letters[best] or best == other:
        return -1, 0.0
    return best, letters[best] / counts[MOST, LETTERS].sum()


@kernel
def _find(data, offsets, only_code, characters, net, special):  # type: ignore[no-untyped-def]
    n, classes = len(offsets) - 1, net[2].shape[1]
    found, scores_found = np.full(n, -1, np.int32), np.zeros(n)
    seconds, shares = np.full(n, -1, np.int32), np.zeros(n)
    room = WINDOW + 2 * OVERRUN + 8
    units, rows = np.empty(room, np.uint32), np.empty(room * FEATURES_A_BYTE, np.uint32)
    start = np.zeros(1, np.int64)
    # of each window, and of all of them in the last row
    sums, counts = np.zeros((MOST + 1, DIM), np.int32), np.zeros((MOST + 1, COUNTS), np.int64)
    hidden, scores, allowed = np.zeros(DIM, F), np.zeros(classes, F), np.zeros(classes, np.bool_)
    letters = np.zeros(special[0] + 1, np.int64)
    for d in range(n):
        windows = min(MOST, (offsets[d + 1] - offsets[d] + WINDOW - 1) // WINDOW)
        sums[:] = 0
        counts[:] = 0
        stop = offsets[d]
        for w in range(windows):
            at, stop = window(data, offsets[d], offsets[d + 1], w, windows, stop)
            read_window(data, at, stop, characters, net[0], units, rows, start, counts[w], sums[w])
            for j in range(DIM):
                sums[MOST, j] += sums[w, j]
            for k in range(COUNTS):
                counts[MOST, k] += counts[w, k]
        if not counts[MOST, LETTERS].sum():
            continue
        if not weigh(sums[MOST], counts[MOST], net, hidden, scores, allowed, only_code[d]):
            if not only_code[d]:
                found[d] = special[0]
                scores_found[d] = counts[MOST, SCRIPT_OTHER] / counts[MOST, LETTERS].sum()
            continue
        softmax(scores, allowed)
        found[d], scores_found[d] = decide(counts[MOST], scores, net[4], special, only_code[d])
        if windows > 1 and not only_code[d]:
            seconds[d], shares[d] = second(
                found[d], windows, sums, counts, net, special, hidden, scores, allowed, letters
            )
    return found, scores_found, seconds, shares
