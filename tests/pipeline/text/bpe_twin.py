"""What training computes, in plain Python: the trainer of `tokenizers` step by step, with integers of any size."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise

from pipeline.tokenizer import byte_chars

CHARS = byte_chars()
Pair = tuple[int, int]


class Twin:
    """`tokens` in the order of ids, written in byte-level characters; `merges` as (left, right, what they become)."""

    def __init__(
        self,
        counts: Mapping[bytes, int],
        vocab_size: int,
        min_frequency: int,
        max_token_length: int | None = None,
        limit_alphabet: int | None = None,
        *,
        specials: Sequence[str] = ("<unk>", "<s>", "</s>", "<pad>"),
        initial_alphabet: bytes = bytes(range(256)),
    ) -> None:
        words = {"".join(CHARS[b] for b in piece): count for piece, count in sorted(counts.items())}
        self.tokens: list[str] = list(dict.fromkeys(specials))
        self.begin_alphabet(words, {CHARS[b] for b in initial_alphabet}, limit_alphabet)
        self.ids = {token: i for i, token in enumerate(self.tokens)}
        self.vocab_size, self.min_frequency = vocab_size, min_frequency
        self.longest = float("inf") if max_token_length is None else max_token_length
        self.counts = list(words.values())
        self.words = [[(self.ids[c], 1) for c in word if c in self.ids] for word in words]
        self.pair_counts: defaultdict[Pair, int] = defaultdict(int)
        self.queue: list[tuple[int, Pair, set[int]]] = []
        self.run()

    def begin_alphabet(self, words: Mapping[str, int], initial: set[str], limit: int | None) -> None:
        seen: defaultdict[str, float] = defaultdict(int)
        for word, count in words.items():
            for char in word:
                seen[char] += count
        seen |= dict.fromkeys(initial, float("inf"))
        kept = sorted(seen, key=lambda char: (-seen[char], char not in initial, char))[:limit]
        self.tokens += [char for char in sorted(kept) if char not in self.tokens]

    def push_all(self, where: Mapping[Pair, set[int]]) -> None:
        for pair in sorted(where):
            if self.pair_counts[pair] > 0:
                heapq.heappush(self.queue, (-self.pair_counts[pair], pair, where[pair]))

    def run(self) -> None:
        where: defaultdict[Pair, set[int]] = defaultdict(set)
        for i, word in enumerate(self.words):
            for (left, _), (right, _) in pairwise(word):
                self.pair_counts[left, right] += self.counts[i]
                where[left, right].add(i)
        self.push_all(where)
        self.merges: list[tuple[int, int, int]] = []
        while len(self.tokens) < self.vocab_size and self.queue:
            count, pair, where_now = heapq.heappop(self.queue)
            if -count != self.pair_counts[pair]:
                heapq.heappush(self.queue, (-self.pair_counts[pair], pair, where_now))
                continue
            if -count < max(1, self.min_frequency):
                break
            new = self.token(pair)
            self.merges.append((*pair, new))
            self.merge(pair, new, where_now)

    def token(self, pair: Pair) -> int:
        spelled = self.tokens[pair[0]] + self.tokens[pair[1]]
        if spelled not in self.ids:
            self.ids[spelled] = len(self.tokens)
            self.tokens.append(spelled)
        return self.ids[spelled]

    def merge(self, pair: Pair, new: int, where: set[int]) -> None:
        came: defaultdict[Pair, set[int]] = defaultdict(set)
        for i in sorted(where):
            word, at = self.words[i], 0
            while at + 1 < len(word):
                if (word[at][0], word[at + 1][0]) == pair:
                    width = word[at][1] + word[at + 1][1]
                    if at > 0:
                        self.change(i, word[at - 1], (pair[0], 0), -1, came)
                        self.change(i, word[at - 1], (new, width), 1, came)
                    if at + 2 < len(word):
                        self.change(i, (pair[1], 0), word[at + 2], -1, came)
                        self.change(i, (new, width), word[at + 2], 1, came)
                    word[at : at + 2] = [(new, width)]
                at += 1
        self.push_all(came)

    def change(self, i: int, left: Pair, right: Pair, by: int, came: defaultdict[Pair, set[int]]) -> None:
        """`left` and `right` are (token, width)."""
        if by > 0 and left[1] + right[1] >= self.longest:
            return
        self.pair_counts[left[0], right[0]] += by * self.counts[i]
        if by > 0:
            came[left[0], right[0]].add(i)
