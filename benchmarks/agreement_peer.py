"""What datatrove's own filters decide, run in datatrove's environment by agreement.py, which says what for.

    python agreement_peer.py SPLITTER INPUT.jsonl OUT.jsonl

INPUT has {text, lang, stops} a line; OUT for each {filter: [reason, edited text or null]}, reason empty where the
filter keeps the document, or the name of the error that it raised. SPLITTER is `ours` (words and sentences of seedbed's
plain definitions in place of datatrove's) or `own`.
"""

import json
import sys
from pathlib import Path
from typing import Any

from datatrove.data import Document
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
    c4_filters,
    fineweb_quality_filter,
    gopher_quality_filter,
    gopher_repetition_filter,
)

CODES = {  # datatrove's, with the script: by the bare code some languages get the splitter of another script
    "ar": "arb_Arab",
    "bn": "ben_Beng",
    "hi": "hin_Deva",
    "sw": "swh_Latn",
    "ta": "tam_Taml",
    "te": "tel_Telu",
    "ur": "urd_Arab",
    "yo": "yor_Latn",
    "zh-hans": "cmn_Hani",
    "zh-hant": "cmn_Hani",
}


def put_in_ours() -> None:
    from tests.pipeline.text.quality_twin import sentences, tokens

    for module in (gopher_quality_filter, gopher_repetition_filter, fineweb_quality_filter):
        module.split_into_words = lambda text, language: tokens(text)
    c4_filters.split_into_sentences = lambda text, language: sentences(text)


def filters(lang: str, stops: tuple[str, ...]) -> dict[str, Any]:
    """By the names that agreement.py has for our recipes."""
    code = CODES.get(lang, lang)
    made = {
        "gopher_quality": GopherQualityFilter(language=code),
        "gopher_repetition": GopherRepetitionFilter(language=code),
        "c4": C4QualityFilter(language=code),
        "c4 without end marks": C4QualityFilter(language=code, filter_no_terminal_punct=False),
        "fineweb": FineWebQualityFilter(language=code),
    }
    if stops:
        made["gopher_quality, own stop words"] = GopherQualityFilter(language=code, stop_words=list(stops))
    return made


def decide(judge: Any, text: str) -> tuple[str, str | None]:
    doc = Document(text=text, id="0")
    try:
        kept = judge.filter(doc)
    except (ZeroDivisionError, IndexError, AssertionError, ValueError) as error:  # some texts break some filters
        return type(error).__name__, None
    if isinstance(kept, tuple):
        return ("" if kept[0] else kept[1]), None
    return ("", doc.text if isinstance(judge, C4QualityFilter) else None) if kept else ("dropped", None)


def main() -> None:
    splitter, source, out = sys.argv[1:]
    if splitter == "ours":
        put_in_ours()
    made: dict[str, dict[str, Any]] = {}
    with Path(source).open(encoding="utf-8") as lines, Path(out).open("w", encoding="utf-8") as answers:
        for line in lines:
            given = json.loads(line)
            judges = made.setdefault(given["lang"], filters(given["lang"], tuple(given["stops"])))
            answers.write(json.dumps({name: decide(judge, given["text"]) for name, judge in judges.items()}) + "\n")


if __name__ == "__main__":
    main()
