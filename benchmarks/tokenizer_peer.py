"""A peer's encoding of some texts, run in the peers' environment by tokenizer.py.

    python tokenizer_peer.py NAME tokenizer.json TEXTS.json ROUNDS OUT    # OUT.ids; a line of JSON on stdout

TEXTS.json is {group: [text]}. The line is {group: [[CPU seconds of each round], [tokens of each text]]}; OUT.ids holds
all ids, int32, in that order. Each peer is asked in the way that is its fastest from Python with special tokens taken
as text. Never timed: loading, and writing ids down.
"""

import array
import json
import os
import sys
import time
from itertools import pairwise
from pathlib import Path

os.environ["RAYON_NUM_THREADS"] = "1"
OUTSIDE = r"\s(|).,!?…。，、।۔،"
# what tokenizers' regular expression leaves between its matches is a piece too, up to where the next match begins
PATTERN = rf" ?[^{OUTSIDE}]+|[{OUTSIDE}]+?(?= ?[^{OUTSIDE}]|\z)"


def tiktoken(path):  # type: ignore[no-untyped-def]
    import tiktoken

    vocab = json.loads(Path(path).read_text("utf-8"))["model"]["vocab"]
    seen = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    unseen = [byte for byte in range(256) if byte not in seen]
    bytes_of = {chr(b): b for b in seen} | {chr(256 + i): b for i, b in enumerate(unseen)}
    specials = {"<unk>", "<s>", "</s>", "<pad>"}
    ranks = {bytes(bytes_of[c] for c in token): id_ for token, id_ in vocab.items() if token not in specials}
    encoding = tiktoken.Encoding("made", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={})
    return lambda texts: [encoding.encode_ordinary(text) for text in texts]


def kitoken(path):  # type: ignore[no-untyped-def]
    import kitoken

    encoder = kitoken.Kitoken.from_tokenizers_file(path)
    return lambda texts: [encoder.encode(text, False) for text in texts]


def fastokens(path):  # type: ignore[no-untyped-def]
    import fastokens

    encoder = fastokens.Tokenizer.from_file(path)
    return lambda texts: encoder.encode_batch_flat(texts, False, True)


def lists(found):  # type: ignore[no-untyped-def]
    """The ids of each text; fastokens gives all of them in one buffer, and where each begins in another."""
    if isinstance(found, list):
        return found
    ids, edges = array.array("i", found[0]), array.array("Q", found[1])
    return [ids[a:b] for a, b in pairwise(edges)]


def main() -> None:
    name, path, texts, rounds, out = sys.argv[1:]
    work = {"tiktoken": tiktoken, "kitoken": kitoken, "fastokens": fastokens}[name](path)
    answer = {}
    with Path(f"{out}.ids").open("wb") as file:
        for group, each in json.loads(Path(texts).read_text("utf-8")).items():
            spent = []
            for _ in range(int(rounds)):
                begin = time.process_time()
                found = work(each)
                spent.append(time.process_time() - begin)
            ids = lists(found)
            for one in ids:
                array.array("i", one).tofile(file)
            answer[group] = [spent, [len(one) for one in ids]]
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
