"""Does a trained model know more of a language than counts of three tokens do? Bits per byte, held out, by language.

    python benchmarks/learns.py draft TEXTS runs/learns      # writes the configs of an hour on two cores
    pipeline run runs/learns/corpus.yaml
    pretrain fit runs/learns/model.yaml
    python benchmarks/learns.py score runs/learns/model --json rows.json

The counts are of the same training rows, each once, and are asked for the same targets of the same holdout
(trigrams.py). "trigram" is the better of interpolated modified Kneser-Ney and Jelinek-Mercer, over all languages, by
the bits of all targets; "by language" is the same kind with a model for each language, told which one to ask: more than
any model of all of them is told. Languages stand in the order of their training text's bytes, largest first; the
difference has the standard error of its mean over packed rows, whose targets belong together. Never trains.
"""

import argparse
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path

import numpy as np
import torch
from trigrams import Events, JelinekMercer, KneserNey, events, joined

from pretrain.data import row_tensors
from pretrain.fit import set_threads
from pretrain.loading import load
from pretrain.loss import IGNORE
from pretrain.model import Bloom
from pretrain.seam import Seam

LARGEST = 10
CORPUS = """\
run: {workdir: FOLDER, memory: 3GB, workers: auto}
sources:
  - jsonl: {name: open, path: "TEXTS/*.jsonl.zst"} # each line says its language
stages:
  - normalize
  - identify: {sure: 70%}
  - measure
  - keep:
      as_declared: true
      bounds: {symbol_ratio: [0, 0.35], char_repetition: [0, 0.25], word_repetition: [0, 0.25]}
  - dedup_exact
  - dedup_near: {threshold: 0.7} # what is held out is whole clusters, so that no near copy of it is trained on
  - redact
tokenizer: {vocab_size: 8192, alpha: 0.5}
pack: {seq_len: 512, holdout: 3%, holdout_tokens: 4000}
"""
MODEL = """\
run: {dir: FOLDER/model, accelerator: cpu, threads: 2, precision: bf16-mixed}
data: {path: FOLDER/packed}
model: {hidden_size: 256, num_layers: 4, num_heads: 4, init_std: 0.02}
train:
  steps: 14000 # an hour on two quiet cores, of a processor that multiplies bf16 matrices
  global_batch: 4
  micro_batch: 4
  lr: 2.0e-3
  schedule: wsd
  warmup_samples: 800
  cooldown_samples: 20000
  betas: [0.9, 0.98] # of so few tokens a step, the second moment needs more steps
  checkpoint_every: 250
  validate_every: 1500
  validate_rows: 2
"""
KINDS = (KneserNey, JelinekMercer)


@dataclass(frozen=True)
class Line:
    """A language: how much there is of it, and bits per byte on its holdout."""

    language: str
    megabytes: float  # of text trained on
    tokens: int  # targets scored
    trigram: float
    by_language: float
    ours: float
    error: float  # standard error of ours - trigram


def model_bits(model: Bloom, seam: Seam, split: str, language: str, batch: int = 8) -> np.ndarray:
    """(N,) bits of each target, in the order of `events`."""
    shards, found = seam.shards(split, language), []
    for start in range(0, len(shards), batch):
        pairs = [row_tensors(shards, row) for row in range(start, min(start + batch, len(shards)))]
        ids, targets = (torch.from_numpy(np.stack(side)).long() for side in zip(*pairs, strict=True))
        found.append(model.token_losses(ids, targets)[targets != IGNORE].double().numpy())
    return np.concatenate(found) / math.log(2)


def bytes_of(seam: Seam, split: str, language: str, tokens: int) -> float:
    """Bytes of text that so many of its targets stand for, as `pretrain eval` reckons."""
    numbers = seam.numbers(split, language)
    return tokens * numbers["bytes"] / max(1, numbers["tokens"])


@dataclass(frozen=True)
class Tally:
    """Sums over the targets of a language; of several languages, their sum."""

    trained: float  # bytes
    targets: int
    scored: float  # bytes that the targets stand for
    bits: np.ndarray  # (3,): trigram, trigram by language, ours
    variance: float  # of the sum of ours - trigram; NaN where a single row tells nothing

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.trained + other.trained,
            self.targets + other.targets,
            self.scored + other.scored,
            self.bits + other.bits,
            float(np.nansum([self.variance, other.variance])),
        )

    def line(self, language: str) -> Line:
        per_byte, error = self.bits / self.scored, math.sqrt(self.variance) / self.scored
        return Line(language, self.trained / 1e6, self.targets, *map(float, per_byte), error)


def variance(difference: np.ndarray, row: np.ndarray) -> float:
    """Of the sum of (N,) differences, from the spread of their sums over rows; NaN of a single row."""
    sums = np.bincount(row, difference)[np.unique(row)]
    return float(np.var(sums, ddof=1) * len(sums)) if len(sums) > 1 else math.nan


def better(train: Events, held: dict[str, Events], vocab_size: int) -> tuple[type, dict[str, np.ndarray]]:
    """The kind that needs the fewer bits for all that is held out, and (N,) bits of each language's targets."""
    found = {}
    for kind in KINDS:
        model = kind(train, vocab_size)
        found[kind] = {language: -np.log2(model.probabilities(asked)) for language, asked in held.items()}
    best = min(KINDS, key=lambda kind: sum(bits.sum() for bits in found[kind].values()))
    return best, found[best]


def compare(model: Bloom, seam: Seam) -> tuple[str, list[Line]]:
    """The kind of trigram that was better, and a line for each language with a holdout, then the total (`all`)."""
    train = {language: events(seam, "train", language) for language in seam.languages("train")}
    held = {language: events(seam, "valid", language) for language in seam.languages("valid") if language in train}
    kind, trigram = better(joined(list(train.values())), held, seam.vocab_size)
    tallies = {}
    for language in sorted(held, key=lambda name: -seam.numbers("train", name)["bytes"]):
        asked = held[language]
        alone = -np.log2(kind(train[language], seam.vocab_size).probabilities(asked))
        ours = model_bits(model, seam, "valid", language)
        tallies[language] = Tally(
            seam.numbers("train", language)["bytes"],
            len(asked),
            bytes_of(seam, "valid", language, len(asked)),
            np.array([trigram[language].sum(), alone.sum(), ours.sum()]),
            variance(ours - trigram[language], asked.row),
        )
    lines = [tally.line(language) for language, tally in tallies.items()]
    return kind.name, [*lines, reduce(add, tallies.values()).line("all")]


def table(kind: str, lines: list[Line]) -> Iterator[str]:
    """As Markdown; the total stands last."""
    yield f"| language | MB trained on | targets | trigram ({kind}) | by language | ours | ours - trigram |"
    yield "|---|---|---|---|---|---|---|"
    for one in lines:
        difference = f"{one.ours - one.trigram:+.3f} ± {one.error:.3f}"
        yield (
            f"| {one.language} | {one.megabytes:.2f} | {one.tokens:,} | {one.trigram:.3f} | {one.by_language:.3f} "
            f"| {one.ours:.3f} | {difference} |"
        )


def verdict(lines: list[Line], largest: int = LARGEST) -> str:
    """Where the model wins among the largest languages and among all of them; `lines` without the total."""
    told = []
    for some, name in ((lines[:largest], f"the {min(largest, len(lines))} largest"), (lines, f"all {len(lines)}")):
        won = [one.language for one in some if one.ours < one.trigram]
        lost = [one.language for one in some if one.ours >= one.trigram]
        alone = sum(one.ours < one.by_language for one in some)
        behind = f", not in {', '.join(lost)}" if lost else ""
        told.append(f"of {name} languages ours beats the trigram in {len(won)}{behind}; one by language in {alone}")
    return "\n".join(told)


def rows(kind: str, lines: list[Line]) -> Iterator[dict[str, str | float | bool]]:
    """As every benchmark here writes them."""
    for one in lines:
        whose = {"seedbed": one.ours, f"trigram, {kind}": one.trigram, f"trigram by language, {kind}": one.by_language}
        for who, value in whose.items():
            work = f"held-out text, {one.language}"
            yield {"work": work, "who": who, "value": value, "unit": "bits per byte", "higher_is_better": False}


def draft(corpus: Path, folder: Path) -> list[Path]:
    """Write the configs of the pipeline and of the training; returns both."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in (("corpus.yaml", CORPUS), ("model.yaml", MODEL)):
        path = folder / name
        path.write_text(text.replace("FOLDER", folder.as_posix()).replace("TEXTS", corpus.as_posix()), "utf-8")
        written.append(path)
    return written


def score(run: Path, data: Path | None, json_file: Path | None) -> None:
    set_threads(None)
    loaded = load(run, print)
    kind, lines = compare(loaded.model, loaded.seam(data, print))
    seen = sum(loaded.state.get("tokens_by_language", {}).values())
    print(f"{loaded.folder}: {loaded.config.num_parameters:,} parameters, {seen:,} tokens seen\n")
    print("\n".join(table(kind, lines)))
    print("\n" + verdict(lines[:-1]))
    if json_file:
        json_file.write_text(json.dumps(list(rows(kind, lines)), indent=1))


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = ask.add_subparsers(dest="verb", required=True)
    of_draft = verbs.add_parser("draft", help="write corpus.yaml and model.yaml")
    of_draft.add_argument("corpus", type=Path, help="a folder of *.jsonl.zst whose lines say their language")
    of_draft.add_argument("folder", type=Path, help="where everything goes, such as runs/learns")
    of_score = verbs.add_parser("score", help="the table")
    of_score.add_argument("run", type=Path, help="run.dir of a config, a checkpoint, or an export")
    of_score.add_argument("--data", type=Path, help="the packed corpus; else the one it was trained on")
    of_score.add_argument("--json", type=Path, help="write the rows here")
    args = ask.parse_args()
    if args.verb == "draft":
        print("\n".join(map(str, draft(args.corpus.resolve(), args.folder))))
    else:
        score(args.run, args.data, args.json)


if __name__ == "__main__":
    main()
