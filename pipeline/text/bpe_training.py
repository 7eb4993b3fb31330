"""Learning byte-pair merges from the counts of pieces alone: the most frequent pair first, as `tokenizers` does.

    learn(PieceCounts.of({b"ab": 3, b"abb": 1}), vocab_size=262, min_frequency=2)
        -> merges [(68, 69, 260)]: a and b, by their ids. Token 260 is b"ab"; what is left, (ab, b), occurs but once.

In: pieces and their counts. Out: `Learned`, the merges in the order in which they were learned, and each token's bytes.
Ids are those of the special tokens, then of the bytes in the order of the characters that a byte-level vocabulary
writes them by, then of merges. Merges are those of `tokenizers.trainers.BpeTrainer`, identical in content and order,
but for what the trainer counts wrongly or leaves to chance: it keeps pairs in 32 bits, here they are 64; and where
`limit_alphabet` cuts through bytes of equal counts, the first of them stay here.

All pieces lie end to end in one array of cells, where a merge writes three cells at each place of its pair. A pair's
places are a sorted list of positions: a merge looks at its own alone, each makes two new ones at most, and each takes a
symbol away, so time is n log n in the symbols of the pieces, however long a piece is. Memory is told by
`bytes_to_learn`. One thread, the same merges on any machine. Never sees a text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pipeline.text.bpe_begin import Alphabet, begin, most_frequent
from pipeline.text.bpe_merging import learn_on
from pipeline.text.bpe_state import BYTES, DONE, MERGES, TOKENS, State, grown, most_lots
from pipeline.text.piece_counts import SPECIALS, PieceCounts

EVERY_BYTE = bytes(range(256))
UNBOUNDED = 1 << 62
BLOOM = 250_680  # tokens


@dataclass(frozen=True)
class Learned:
    """`token_bytes` of token t: `[token_edges[t]:token_edges[t + 1]]`. Special tokens come first, spelled by their
    UTF-8; a merge that spells one becomes it, as in `tokenizers`, so none should be in the texts."""

    merges: np.ndarray  # (m, 3) int32: left, right, what they become
    token_edges: np.ndarray  # (vocabulary + 1,) int64
    token_bytes: np.ndarray  # uint8

    def tokens(self) -> list[bytes]:
        edges = self.token_edges.tolist()
        return [self.token_bytes[a:b].tobytes() for a, b in pairwise(edges)]


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

    Raises `ValueError` where counts are below 1 or pass 2^63, where there are more than 700 million symbols, and where
    more pairs come up than memory was told for."""
    alphabet = Alphabet.of(pieces, specials, initial_alphabet, limit_alphabet)
    least, longest = max(1, min_frequency), UNBOUNDED if max_token_length is None else max_token_length
    state = begin(pieces, alphabet, vocab_size, least)
    while (wanted := learn_on(state, vocab_size, least, longest)) != DONE:
        state = grown(state, wanted)
    return _learned(state)


def _learned(s: State) -> Learned:
    tokens, merges = s.n[TOKENS], s.n[MERGES]
    return Learned(s.merges[:merges].copy(), s.token_edges[: tokens + 1].copy(), s.token_bytes[: s.n[BYTES]].copy())


def bytes_to_learn(pieces: PieceCounts, vocab_size: int = BLOOM) -> int:
    """Memory that `learn` needs beside the pieces, at most.

    35 bytes for each symbol (a byte of a piece), 60 for each piece, 312 for each token, 32 for each place of the most
    frequent pair, 6 for each byte of the longest piece, and 61 MB. Text takes some 20 for a symbol; the rest is for
    pieces of many different pairs."""
    symbols, longest = len(pieces.data), int(np.diff(pieces.edges).max(initial=0))
    tokens = min(vocab_size, 512 + symbols)
    lots = most_lots(symbols, tokens)
    most_places = most_frequent(pieces.edges, pieces.data)
    return 2_000_000 + 16 * symbols + 60 * len(pieces) + 56 * lots + 32 * most_places + 200 * tokens + 6 * longest
