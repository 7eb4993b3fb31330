"""Text for developing a language identifier, of sources that it is never trained on.

    for lines in DEVELOPMENT["lafand"](where): lines.lang "bm", lines.text [sentence, ...], lines.license

Some of it may be neither shown nor shipped (lafand is CC BY-NC): it is measured on, and nothing else. Sentences that the
final judgement's texts hold too are left out by their hash, without looking at either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lid_sources import Lines, Source, Where, _stories, code

ROOTS_ONLY_HERE = ("kn", "ml", "ne")


def lafand(where: Where) -> Iterator[Lines]:
    """News in African languages, translated sentence by sentence: their own half, development and test parts."""
    repository = where.clones["masakhane-io/lafand-mt"]
    names = [n for n in repository.names("data/text_files") if re.search(r"/(dev|test)\.(?!en$|fr$)\w+$", n)]
    for path, text in repository.texts(names):
        lang = code(path.rsplit(".", 1)[-1])
        if lang:
            yield Lines(lang, text.splitlines(), "CC-BY-NC-4.0")


def lingua(where: Where) -> Iterator[Lines]:
    """Sentences of 75 languages out of the Leipzig corpora, by which the identifier Lingua is tested."""
    repository = where.clones["pemistahl/lingua-py"]
    for path, text in repository.texts(repository.names("language-testdata/sentences")):
        lang = code(path.rsplit("/", 1)[-1][:-4])
        if lang:
            yield Lines(lang, text.splitlines(), "Apache-2.0 (package)")


def pratham_books_kept(where: Where) -> Iterator[Lines]:
    return (lines for lines in _stories(where, "global-asp/pb-source") if lines.lang in ("as", "or"))


def ntrex_kept(where: Where) -> Iterator[Lines]:
    repository = where.clones["MicrosoftTranslator/NTREX"]
    for path, text in repository.texts([n for n in repository.names("NTREX-128") if "-ref" in n]):
        lang = code(path.split(".")[-2])
        if lang in ROOTS_ONLY_HERE:
            yield Lines(lang, text.splitlines(), "CC-BY-SA-4.0")


DEVELOPMENT: dict[str, Source] = {source.__name__: source for source in (lafand, lingua, pratham_books_kept, ntrex_kept)}


def judged(where: Where) -> Iterator[str]:
    """Lines of the text kept for the final judgement, to be hashed and never seen."""
    repository = where.clones["masakhane-io/lacuna_pos_ner"]
    for name in repository.names("language_corpus"):
        if name.endswith((".txt", ".tsv", ".csv", ".json")):
            yield from (repository.read(name) or "").splitlines()
