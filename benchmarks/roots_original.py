"""What the filters of ROOTS themselves say of documents: run by roots_agreement.py and calibrate_stopwords.py.

    python roots_original.py FOLDER INPUT.jsonl OUT.jsonl

FOLDER is `preprocessing/training/01b_oscar_cleaning_and_filtering` of a clone of bigscience-workshop/data-preparation,
INPUT holds {"text", "lang"} a line, in the 13 languages that it has parameters for. OUT gets for each
{"edited", "words", "char_repetition", "word_repetition", "symbol_ratio", "stopword_ratio", "flagged_ratio", "limits"}:
the text as its `modifying_documents` leaves it, then the numbers of that text, by its functions with its lists. The
lists themselves go to OUT.jsonl.lists, {language: {"stop_words": [...], "flagged": [...]}}.

Needs numpy, pandas and emoji==1.6.1, which the callers see to. The models of ROOTS (fastText, SentencePiece, KenLM)
are not asked for, so there is no language score and no perplexity. Chinese was cut by SentencePiece: here each
character that is no special one is a word instead, so that its numbers of words are an approximation.
"""

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

LIMITS = {
    "words": ("number_words_min_cutoff", "number_words_max_cutoff"),
    "char_repetition": (None, "character_repetition_max_cutoff"),
    "word_repetition": (None, "word_repetition_max_cutoff"),
    "symbol_ratio": (None, "special_characters_max_cutoff"),
    "stopword_ratio": ("stopwords_min_cutoff", None),
    "flagged_ratio": (None, "flagged_words_max_cutoff"),
}


def main(folder: str, source: str, target: str) -> None:
    for name in ("fasttext", "sentencepiece", "kenlm"):  # imported there, never called here
        sys.modules[name] = ModuleType(name)
    sys.path.insert(0, folder)
    import filtering  # of the clone

    judges = {lang: Judge(filtering, lang) for lang in filtering.parameters_filtering if lang != "default"}
    with Path(source).open(encoding="utf-8") as lines, Path(target).open("w", encoding="utf-8") as out:
        for line in lines:
            document = json.loads(line)
            out.write(json.dumps(judges[document["lang"]].look(document["text"])) + "\n")
    lists = {
        lang: {"stop_words": sorted(judge.lists["stopwords"]), "flagged": sorted(judge.lists["flagged_words"])}
        for lang, judge in judges.items()
    }
    Path(f"{target}.lists").write_text(json.dumps(lists), encoding="utf-8")


class Judge:
    """The functions of ROOTS with the parameters and the lists of one language."""

    def __init__(self, filtering: Any, lang: str) -> None:
        self.filtering, self.lang = filtering, lang
        self.of = filtering.parameters_filtering[lang]
        self.edit = filtering.FunctionDatasetModifyingDocuments(lang)
        self.lists = {
            "stopwords": filtering.LoadParameters.load_stopwords(lang),
            "flagged_words": filtering.LoadParameters.load_flagged_words(lang),
        }
        self.limits = {name: [self.of.get(low), self.of.get(high)] for name, (low, high) in LIMITS.items()}

    def look(self, text: str) -> dict[str, Any]:
        functions, special = self.filtering.Filtering, self.of["strip_characters"]
        edited = self.edit({"text": text})["text"]
        words = self.filtering.ModifyingDocuments.get_words_from_document
        if self.lang == "zh":
            self.filtering.ModifyingDocuments.get_words_from_document = staticmethod(characters)
        common = {"document": edited, "sentencepiece_model_tok": None, "strip_characters": special}
        pairs = {
            name: self.of[name]
            for name in ("cond_words_augmentation", "words_augmentation_group_sizes", "words_augmentation_join_char")
        }
        found = {
            "edited": edited,
            "words": len(
                self.filtering.ModifyingDocuments.get_words_from_document(edited, None, False, special),
            ),
            "char_repetition": functions.compute_character_repetition_ratio(
                edited, self.of["character_repetition_length"]
            ),
            "word_repetition": functions.compute_word_repetition_ratio(
                **common, word_repetition_length=self.of["word_repetition_length"]
            ),
            "symbol_ratio": functions.compute_special_characters_ratio(edited, self.of["special_characters"]),
            "stopword_ratio": functions.compute_stopwords_ratio(**common, **pairs, stopwords=self.lists["stopwords"]),
            "flagged_ratio": functions.compute_flagged_words_ratio(
                **common, **pairs, flagged_words=self.lists["flagged_words"]
            ),
            "limits": self.limits,
        }
        self.filtering.ModifyingDocuments.get_words_from_document = staticmethod(words)
        return found


def characters(document: str, model: None, lower_case: bool, strip_characters: set[str]) -> list[str]:
    text = document.lower() if lower_case else document
    return [character for character in text if character not in strip_characters]


if __name__ == "__main__":
    main(*sys.argv[1:])
