"""How fast the loader of a training run gives batches: the order, the rows, and the whole of it as the Trainer sees it.

    python benchmarks/loader.py runs/corpora/packed-<address> --json rows.json     # after `pipeline run`

Tokens a CPU second of this process (it reads mapped files; the loader has no worker processes), medians over
`--rounds`. "order" asks which row stands at a sample and reads nothing; "rows" is a step's batch: order, copy, check of
ids, targets; "loader" is torch's DataLoader over it with what `fit` gives it, and where there is a GPU, pinned and on
the device; "with starts" it tells where documents begin, too, for document masks. The last line is the share of one
core that loads for an H100 at 125,000 tokens a second.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from pretrain.data import PackedData, Steps
from pretrain.mixture import plan_mixture
from pretrain.mixture_table import corpus_of
from pretrain.order import Order
from pretrain.rules import Mixture
from pretrain.schedule import Batches
from pretrain.seam import Seam

MIXTURES = {
    "natural": Mixture(),
    "temperature 2": Mixture(temperature=2.0),
    "three stages": Mixture(stages=[{"until": 999, "temperature": 3.0}, {"until": 2000}, {"alpha": 0.3}]),
}
H100 = 125_000  # tokens a second of a 560m model at half of its peak


def order_alone(order: Order, samples: int) -> None:
    for n in range(samples):
        order.row(n)


def rows(steps: Steps) -> None:
    for i in range(len(steps)):
        steps[i]


def loader(seam: Seam, order: Order, batches: Batches, steps: int, starts: bool = False) -> None:
    data = PackedData(seam, order, batches, (0, steps), starts=starts)
    data.trainer = SimpleNamespace(global_rank=0, world_size=1, strategy=None)  # type: ignore[assignment]
    for batch in data.train_dataloader():
        if torch.cuda.is_available():
            for tensor in (x for x in batch.values() if isinstance(x, torch.Tensor)):
                tensor.to("cuda", non_blocking=True)
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def speed(work: Callable[[], None], tokens: int, rounds: int) -> float:
    """Tokens a CPU second; a first round maps the files and brings their pages in."""
    work()
    seconds = []
    for _ in range(rounds):
        begin = time.process_time()
        work()
        seconds.append(time.process_time() - begin)
    return tokens / statistics.median(seconds)


def measured(seam: Seam, name: str, batch: int, steps: int, rounds: int) -> list[dict[str, Any]]:
    samples = batch * steps
    order, batches = plan_mixture(MIXTURES[name], corpus_of(seam), samples).order(42), Batches(batch)
    works = {
        "order": lambda: order_alone(order, samples),
        "rows": lambda: rows(Steps(seam, order, batches, (0, steps))),
        "loader": lambda: loader(seam, order, batches, steps),
        "loader with starts": lambda: loader(seam, order, batches, steps, starts=True),
    }
    tokens = samples * seam.seq_len
    return [
        {
            "work": f"{what}, {name}",
            "who": "seedbed",
            "value": speed(work, tokens, rounds) / 1e6,
            "unit": "M tokens a CPU second",
            "higher_is_better": True,
        }
        for what, work in works.items()
    ]


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("packed", type=Path, help="a packed corpus")
    ask.add_argument("--batch", type=int, default=256, help="rows of a step")
    ask.add_argument("--steps", type=int, default=12)
    ask.add_argument("--rounds", type=int, default=5)
    ask.add_argument("--json", type=Path, help="write the rows here")
    args = ask.parse_args()
    seam = Seam.open(args.packed)
    held = sum(seam.rows("train").values())
    print(f"{held:,} rows of {seam.seq_len} tokens in {len(seam.rows('train'))} languages\n")
    found = [row for name in MIXTURES for row in measured(seam, name, args.batch, args.steps, args.rounds)]
    for row in found:
        print(f"{row['work']:<34} {row['value']:>10.2f} {row['unit']}")
    slowest = min(row["value"] for row in found if row["work"].startswith("loader")) * 1e6
    print(f"\n{H100 / slowest:.2%} of one core loads for an H100 that trains on {H100:,} tokens a second")
    if args.json:
        args.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
