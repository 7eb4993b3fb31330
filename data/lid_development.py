"""Text for developing a language identifier, of sources that it is never trained on.

    for lines in DEVELOPMENT["lafand"](where): lines.lang "bm", lines.text [sentence, ...], lines.license

Some of it may be neither shown nor shipped (lafand is CC BY-NC): it is measured on, and nothing else. Sentences that
the final judgement's texts hold too are left out by their hash, without looking at either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from lid_code import coin
from lid_sources import KEPT, SHARED, SOURCES, Lines, Source, Where, code


def lafand(where: Where) -> Iterator[Lines]:
    """News in African languages, translated sentence by sentence: the side that is not English or French."""
    repository = where.clones["masakhane-io/lafand-mt"]
    names = [n for n in repository.names("data/text_files") if re.search(r"/(dev|test|train)\.(?!en$|fr$)\w+$", n)]
    for path, text in repository.texts(names):
        lang = code(path.rsplit(".", 1)[-1])
        if lang:
            yield Lines(lang, text.splitlines(), "CC-BY-NC-4.0")


def lingua(where: Where) -> Iterator[Lines]:
    """Sentences of 75 languages out of the Leipzig corpora, by which the identifier Lingua is tested.

    What it has as Malay (ms) is Indonesian for the most part (pycld2 calls two thirds of it so): it is left out.
    """
    repository = where.clones["pemistahl/lingua-py"]
    for path, text in repository.texts(repository.names("language-testdata/sentences")):
        lang = code(path.rsplit("/", 1)[-1][:-4])
        if lang and lang != "ms":
            yield Lines(lang, text.splitlines(), "Apache-2.0 (package)")


def kept(source: str) -> Source:
    """What training leaves of one of its sources: languages that the two above do not have."""
    return lambda where: (lines for lines in SOURCES[source](where) if lines.lang in KEPT[source])


def shared(source: str) -> Source:
    """A fifth of the lines of a source that is trained on: what this measures is easier than the rest."""

    def read(where: Where) -> Iterator[Lines]:
        for lines in SOURCES[source](where):
            if lines.lang in SHARED[source]:
                yield replace(lines, text=[line for line in lines.text if is_shared(line)])

    return read


def is_shared(line: str) -> bool:
    return coin("shared", " ".join(line.split())) < 0.2


DEVELOPMENT: dict[str, Source] = {
    "lafand": lafand,
    "lingua": lingua,
    **{f"{source}, kept": kept(source) for source in KEPT},
    **{f"{source}, a part": shared(source) for source in SHARED},
}


def judged(where: Where) -> Iterator[str]:
    """Lines of the text kept for the final judgement, to be hashed and never seen."""
    repository = where.clones["masakhane-io/lacuna_pos_ner"]
    for name in repository.names("language_corpus"):
        if name.endswith((".txt", ".tsv", ".csv", ".json")):
            yield from (repository.read(name) or "").splitlines()
