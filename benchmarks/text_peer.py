"""datatrove's filters on some English documents, run in datatrove's environment by text.py.

    python text_peer.py INPUT.jsonl       # a line of JSON on stdout: {seconds: {filter: CPU seconds}, version}

INPUT has a text a line. Each filter splits the text for itself, as in a pipeline of datatrove's. Models are loaded and
each filter has seen one document before the clock runs.
"""

import contextlib
import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)


def main() -> None:
    texts = [json.loads(line) for line in Path(sys.argv[1]).read_text("utf-8").splitlines()]
    filters = {
        "gopher_quality": GopherQualityFilter(),
        "gopher_repetition": GopherRepetitionFilter(),
        "c4": C4QualityFilter(),
        "fineweb": FineWebQualityFilter(),
    }
    seconds = {}
    for name, judge in filters.items():
        decide(judge, texts[0])
        begin = time.process_time()
        for text in texts:
            decide(judge, text)
        seconds[name] = time.process_time() - begin
    seconds["the four together"] = sum(seconds.values())
    print(json.dumps({"seconds": seconds, "version": version("datatrove")}))


def decide(judge, text: str) -> None:  # type: ignore[no-untyped-def]
    with contextlib.suppress(ZeroDivisionError, IndexError):  # some texts break some of its filters
        judge.filter(Document(text=text, id="0"))


if __name__ == "__main__":
    main()
