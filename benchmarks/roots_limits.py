"""Where the limits of configs/roots.yaml for the 33 languages come from that ROOTS had none for.

    python benchmarks/roots_limits.py DOCUMENTS... [--each 1000]

DOCUMENTS are JSON lines (.zst or not) with `text` and `meta.lang`, of clean running text (500 characters and more are
looked at): what a limit drops there, it drops wrongly. Prints a table: language, documents, words, characters a word
(with the blank), percentiles of each measure, and the limits that the rules below make of them, except for the 13
languages that ROOTS had limits for.

words            what 110 characters hold: ROOTS' least numbers of words hold 62 (eu) to 198 (hi), in the middle 112
longest_word     half as long again as the 99.9th percentile, at least 20: ROOTS has 1.25 (bn) to 2.65 times (fr) that
                 percentile, in the middle 1.6
char_repetition  ROOTS' default of 0.2, or where more than one clean document of a hundred breaks it, the next step of
                 0.05 above the 99th percentile
word_repetition  ROOTS' default of 0.3, likewise
symbol_ratio     0.05 above the 99th percentile, up to a step of 0.05, within what ROOTS had: 0.25 to 0.4, its default
stopword_ratio   two fifths of the median, or the 1st percentile if that is less. The limits calibrated for ROOTS'
                 languages are at .17 (eu) to .77 (es) of the median, in the middle .52; a limit that nobody looked at
                 is better too low. A quarter where the list was made of hardly more than this text (under FEW words),
                 none under HARDLY_ANY words
"""

import argparse
from math import ceil

import numpy as np
import pyarrow as pa
from roots_documents import ROOTS, documents

from pipeline.stages.measure import Measure
from pipeline.text.languages import LANGUAGES

NAMES = ("words", "characters", "symbol_ratio", "stopword_ratio", "char_repetition", "word_repetition")
CHARACTERS_OF_LEAST = 110
FEW, HARDLY_ANY = 10_000, 1000  # words of running text
STEP = 0.05
LEAST = 500  # characters of a document: single sentences have any share of anything
HEAD = (
    "language", "documents", "words", "characters a word", "longest word, 99.9 %", "symbols, 50 and 99 %",
    "stop words, 1 and 50 %", "characters repeat, 99 %", "words repeat, 99 %",
    "limits: words", "longest word", "characters", "words", "symbols", "stop words",
)  # fmt: skip
WITHOUT = ("libreoffice", "libreoffice-l10n", "mediawiki")  # the words of menus


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("documents", nargs="+")
    parser.add_argument("--each", type=int, default=1000)
    args = parser.parse_args()
    found: dict[str, list[str]] = {lang: [] for lang in LANGUAGES}
    for text, lang in documents(args.documents, LANGUAGES, args.each, WITHOUT, least=LEAST):
        found[lang].append(text)
    print("| " + " | ".join(HEAD) + " |")
    print("|---" + "|---:" * (len(HEAD) - 1) + "|")
    for lang, texts in found.items():
        if texts:
            print("| " + " | ".join(row(lang, texts)) + " |")


def row(lang: str, texts: list[str]) -> list[str]:
    columns = (
        Measure(names=NAMES)
        .apply(pa.table({"text": pa.array(texts, pa.large_string()), "lang": [lang] * len(texts)}))
        .columns
    )
    of = {name: values.to_numpy(zero_copy_only=False).astype(float) for name, values in columns.items()}
    words, length = int(of["words"].sum()), of["characters"].sum() / of["words"].sum()
    long = np.percentile([len(word) for text in texts for word in text.split()], 99.9)
    at = {name: np.percentile(of[name], (1, 50, 99)) for name in NAMES}
    measured = [
        lang, str(len(texts)), str(words), f"{length:.1f}", f"{long:.0f}",
        f"{at['symbol_ratio'][1]:.2f} {at['symbol_ratio'][2]:.2f}",
        f"{at['stopword_ratio'][0]:.2f} {at['stopword_ratio'][1]:.2f}",
        f"{at['char_repetition'][2]:.2f}", f"{at['word_repetition'][2]:.2f}",
    ]  # fmt: skip
    if lang in ROOTS:
        return [*measured, "ROOTS'", *[""] * 5]
    return [
        *measured,
        str(round(CHARACTERS_OF_LEAST / length)),
        str(max(20, ceil(1.5 * long))),
        f"{step_above(at['char_repetition'][2], 0.2):g}",
        f"{step_above(at['word_repetition'][2], 0.3):g}",
        f"{min(0.4, max(0.25, steps(at['symbol_ratio'][2] + STEP))):g}",
        stop_words(words, *at["stopword_ratio"][:2]),
    ]


def steps(value: float) -> float:
    return round(ceil(value / STEP - 1e-9) * STEP, 2)


def step_above(value: float, default: float) -> float:
    return max(default, steps(value))


def stop_words(words: int, first: float, median: float) -> str:
    if words < HARDLY_ANY:
        return "none"
    return f"{min(first, median * (0.25 if words < FEW else 0.4)):.2f}"


if __name__ == "__main__":
    main()
