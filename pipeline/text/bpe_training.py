"""Learning byte-pair merges from the counts of pieces alone: the most frequent pair first, as `tokenizers` does.

    learn(PieceCounts.of({b"ab": 3, b"abb": 1}), vocab_size=262, min_frequency=2)
        -> merges [(68, 69, 260)]: a and b, by their ids. Token 260 is b"ab"; what is left, (ab, b), occurs but once.

In: pieces and their counts. Out: `Learned`, the merges in the order in which they were learned, and each token's bytes.
Ids are those of the special tokens, then of the bytes in the order of the characters that a byte-level vocabulary
writes them by, then of merges. Merges are those of `tokenizers.trainers.BpeTrainer`, identical in content and order,
but for what the trainer counts wrongly or leaves to chance: it keeps pairs in 32 bits, here they are 64; where
`limit_alphabet` cuts through bytes of equal counts, the lower ones stay here; and where two merges spelled the same
token and so two lots of places of one pair stand equal in its queue, the older is taken here.

All pieces lie end to end in one array of cells, where a merge writes three cells at each place of its pair. A pair's
places are a sorted list of positions: a merge looks at its own alone, each makes two new ones at most, and each takes a
symbol away, so time is n log n in the symbols of the pieces, however long a piece is. Memory is told by
`bytes_to_learn`. One thread, the same merges on any machine. Never sees a text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.text.bpe_begin import Alphabet, begin
from pipeline.text.bpe_merging import learn_on
from pipeline.text.bpe_state import BYTES, DONE, MERGES, TOKENS, State, grown
from pipeline.text.piece_counts import SPECIALS, PieceCounts

EVERY_BYTE = bytes(range(256))
UNBOUNDED = 1 << 62


@dataclass(frozen=True)
class Learned:
    """`merges`: a pair stands once, in the place of its last merge, as a tokenizer.json has it; a token that several
    pairs spell has several merges. `token_bytes` of token t: `[token_edges[t]:token_edges[t + 1]]`; special tokens come
    first and are spelled by their own UTF-8."""

    merges: np.ndarray  # (m, 3) int32: left, right, what they become
    token_edges: np.ndarray  # (vocabulary + 1,) int64
    token_bytes: np.ndarray  # uint8

    def tokens(self) -> list[bytes]:
        edges = self.token_edges.tolist()
        return [self.token_bytes[a:b].tobytes() for a, b in zip(edges[:-1], edges[1:], strict=True)]


def learn(
    pieces: PieceCounts,
    vocab_size: int,
    min_frequency: int,
    max_token_length: int | None = None,
    limit_alphabet: int | None = None,
    *,
    specials: Sequence[str] = SPECIALS,
    initial_alphabet: bytes = EVERY_BYTE,
) -> Learned:
    """Merges until there are `vocab_size` tokens or no pair occurs `min_frequency` times.

    `max_token_length`: two tokens are not merged if they have so many bytes or more together and one of them is itself
    a merge (so, one byte less than one might think, `tokenizers` has it). `limit_alphabet`: bytes that stay, the most
    frequent, those of `initial_alphabet` before others; the rest are taken out of the pieces. Settings and their
    meaning are those of `tokenizers.trainers.BpeTrainer` for a byte-level pre-tokenizer.

    Raises `ValueError` where counts pass 2^63 or symbols 2^31."""
    alphabet = Alphabet.of(pieces, specials, initial_alphabet, limit_alphabet)
    state = begin(pieces, alphabet, vocab_size)
    least, longest = max(1, min_frequency), UNBOUNDED if max_token_length is None else max_token_length
    while (wanted := learn_on(state, vocab_size, least, longest)) != DONE:
        state = grown(state, wanted)
    return _learned(state)


def _learned(s: State) -> Learned:
    merges = s.merges[: s.n[MERGES]]
    pairs = merges[:, 0].astype(np.int64) << 32 | merges[:, 1]
    last = len(pairs) - 1 - np.unique(pairs[::-1], return_index=True)[1]
    return Learned(merges[np.sort(last)], s.token_edges[: s.n[TOKENS] + 1].copy(), s.token_bytes[: s.n[BYTES]].copy())


def bytes_to_learn(pieces: PieceCounts) -> int:
    """Memory that `learn` needs beside the pieces, at most."""
    symbols = len(pieces.data)
    return 10_000_000 + 60 * symbols + 20 * len(pieces)
