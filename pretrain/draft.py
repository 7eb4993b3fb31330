"""A config to begin with for a packed corpus: a size that the corpus can teach, told with its reasons.

    draft(Seam.open("runs/mine/packed"), Path("runs/mine/packed"), Path("my.yaml")) -> text of my.yaml

A start to read and to change, not a result of experiments: which of SIZES is taken follows from the number of tokens,
20 a parameter that is no embedding (Hoffmann et al. 2022, arXiv:2203.15556), each text read up to EPOCHS times, which
costs little (Muennighoff et al. 2023, arXiv:2305.16264). Imports no torch. It must never write a file.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pretrain.errors import ConfigError
from pretrain.seam import Seam

EPOCHS, TOKENS_A_PARAMETER = 4, 20
STEPS = 400  # optimizer steps at least, where the corpus has rows enough for that
BATCH_TOKENS = 500_000  # of an optimizer step, at most
MICRO_TOKENS = 4096  # of a micro-batch: fits a small device; more is faster where there is memory
HEAVY = 0.5  # share of one language from which on a temperature is advised


@dataclass(frozen=True)
class Size:
    """A shape of BLOOM. The learning rate of 1024 is that of BLOOM-560m; smaller shapes stand higher ones."""

    hidden_size: int
    num_layers: int
    num_heads: int
    lr: str

    @property
    def blocks(self) -> int:
        """Parameters without embeddings: 12 * layers * width^2, small terms left out."""
        return 12 * self.num_layers * self.hidden_size**2


SIZES = (
    Size(128, 3, 8, "4.0e-3"),
    Size(256, 6, 8, "2.0e-3"),
    Size(512, 8, 8, "1.0e-3"),
    Size(768, 12, 12, "6.0e-4"),
    Size(1024, 24, 16, "3.0e-4"),
)


def draft(seam: Seam, folder: Path, target: Path) -> str:
    """The text of a config. Raises ConfigError for a corpus without a row to train on."""
    by_language = seam.rows("train")
    rows = sum(by_language.values())
    if not rows:
        raise ConfigError(f"{folder} has no row to train on", hint="pack more text, or a shorter `seq_len`")
    samples = EPOCHS * rows
    tokens = samples * seam.seq_len
    fitting = [size for size in SIZES if size.blocks * TOKENS_A_PARAMETER <= tokens]
    size = (fitting or SIZES[:1])[-1]
    batch = _batch(samples, seam.seq_len)
    steps = -(-samples // batch)
    top, most = max(by_language.items(), key=lambda item: (item[1], item[0]))
    mixture = f" # {top} is {most / rows:.0%} of it" + (": more lifts the others" if most / rows > HEAVY else "")
    micro = min(batch, _power(max(1, MICRO_TOKENS // seam.seq_len)))
    spelled = {name: json.dumps(str(path), ensure_ascii=False) for name, path in _paths(folder, target).items()}
    return f"""\
# A BLOOM for the corpus in {folder}: {rows:,} rows of {seam.seq_len:,} tokens, {len(by_language)} languages. A start:
# read it, change it. `pretrain plan {target}` tells memory and time, `pretrain fit {target}` trains.
run:
  dir: {spelled["dir"]} # checkpoints and curves
  accelerator: auto # a GPU where there is one; `devices:` says how many
  precision: 32-true # on a GPU: bf16-mixed
data:
  path: {spelled["path"]} # tokenizer and length of a row come from here
  mixture: {{temperature: 1.0}}{mixture}
model: # {size.blocks / 1e6:.1f} million parameters without embeddings, for {tokens / 1e6:.1f} million tokens
  hidden_size: {size.hidden_size}
  num_layers: {size.num_layers}
  num_heads: {size.num_heads}
  init_std: 0.0048 # as BLOOM
train:
  samples: {samples} # rows: each {EPOCHS} times, in about {steps:,} steps
  global_batch: {batch} # rows of an optimizer step
  micro_batch: {micro} # of these, at once on a device
  lr: {size.lr} # the first thing to try other values of
  min_lr: {float(size.lr) / 10:.1e}
  schedule: cosine
  warmup_samples: {samples // 20}
  checkpoint_every: {max(1, steps // 10)} # steps
  validate_every: {max(1, steps // 5)}
  validate_rows: 16 # of each language
  sample_prompts: [""] # what it is to write on from, to read how it gets on
"""


def _batch(samples: int, seq_len: int) -> int:
    """Rows of a step, a power of two: so few that there are STEPS steps, and no more tokens than BATCH_TOKENS."""
    return _power(max(1, min(samples // STEPS, BATCH_TOKENS // seq_len)))


def _power(number: int) -> int:
    """The largest power of two that is not above it."""
    return 1 << (number.bit_length() - 1)


def _paths(folder: Path, target: Path) -> dict[str, Path]:
    """Where the corpus is and where the run goes: beside it, named after the config."""
    return {"path": folder, "dir": folder.parent / target.stem}
