"""Training on a CPU: seedbed beside transformers' BLOOM under the Hugging Face Trainer, on the same packed rows.

    python benchmarks/train_cpu.py runs/demo/packed --json rows.json      # after `pipeline run configs/demo.yaml`
    python benchmarks/train_cpu.py runs/demo/packed --only curves         # or overhead, loss, documents, compile, step

`speed`: same shape of model, same rows, same batch and length, AdamW on both sides, each contestant a process of its
own, interleaved; tokens a second by the clock, medians over the steps of all rounds after the first two of each. The
floor is the step's FLOPs at the rate at which this machine multiplies matrices, measured in the same call. `overhead`:
a model with nothing to compute under Lightning's Trainer beside a bare loop. `loss`: time and memory of the loss alone.
`documents`: what keeping documents apart costs. `compile`: blocks by torch.compile. `step`: one whole step of
bloom-560m, with its 17 GB. `curves`: both models, same weights and rows, 200 steps in fp32. accelerate, which the
Hugging Face Trainer wants, comes from an environment of its own, with everything else from this one.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import sysconfig
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from environments import python_of

WORK = Path(__file__).with_name("train_cpu_work.py")
SHAPES = {"bloom-tiny": (8192, 128, 3, 8), "4 layers of 256, vocabulary 32k": (32768, 256, 4, 4)}  # V, C, L, H
PRECISIONS = {"fp32": "32-true", "bf16": "bf16-mixed"}
KINDS = ("speed", "overhead", "loss", "documents", "compile", "curves", "step")
ROWS, SEQ_LEN = 4, 512  # of a batch


class Bench:
    """Runs one piece of work a process, each with the same threads."""

    def __init__(self, packed: Path, threads: int, cache: Path) -> None:
        self.packed, self.threads, self.cache = packed, threads, cache
        self.versions: dict[str, str] = {}

    def run(self, work: str, **settings: object) -> dict:
        """What the work printed: a line of JSON."""
        python, env = sys.executable, {**os.environ, "OMP_NUM_THREADS": str(self.threads)}
        if work == "transformers":
            python = str(python_of("trainer", ["packaging"], self.cache, alone=("accelerate==1.15.0",)))
            ours = [str(WORK.parents[1]), sysconfig.get_path("purelib")]  # this project need not be among its packages
            env["PYTHONPATH"] = os.pathsep.join([*ours, env.get("PYTHONPATH", "")])
        asked = {"packed": str(self.packed), "threads": self.threads, "rows": ROWS, **settings}
        done = subprocess.run([python, str(WORK), work, json.dumps(asked)], capture_output=True, text=True, env=env)
        if done.returncode:
            sys.exit(f"{work} failed:\n{done.stderr[-3000:]}")
        told = json.loads(done.stdout.splitlines()[-1])
        print(f"{work} {settings}: {told.get('said', '')}", file=sys.stderr)
        return told


def speed(bench: Bench, names: list[str], rounds: int, steps: int) -> Iterator[dict]:
    for name in names:
        seconds, versions = defaultdict(list), {}
        for _ in range(rounds):
            for precision in PRECISIONS:
                for who in ("seedbed", "transformers"):
                    told = bench.run(who, shape=SHAPES[name], precision=PRECISIONS[precision], steps=steps)
                    seconds[who, precision] += told["seconds"]
                    versions[who] = told["version"]
        for (who, precision), times in seconds.items():
            tokens = ROWS * SEQ_LEN / statistics.median(times)
            yield row(f"training, {name}, {precision}", versions[who], tokens, "tokens/s")
        rates = bench.run("rates", shape=SHAPES[name])
        for precision in PRECISIONS:
            floor = rates[precision] / flops_a_token(*SHAPES[name])
            yield row(f"training, {name}, {precision}", "floor", floor, "tokens/s")


def flops_a_token(vocab: int, c: int, layers: int, _: int) -> float:
    """Forward and backward, of attention the half that is causal: 72 L C^2 + 6 L T C + 6 V C."""
    return 72.0 * layers * c * c + 6.0 * layers * SEQ_LEN * c + 6.0 * vocab * c


def overhead(bench: Bench) -> Iterator[dict]:
    told = bench.run("overhead")
    yield row("training, a model with nothing to compute", "bare loop", told["bare"] * 1e3, "ms/step", False)
    yield row("training, a model with nothing to compute", "Lightning", told["lightning"] * 1e3, "ms/step", False)


def loss(bench: Bench, vocab: int, width: int, tokens: int) -> Iterator[dict]:
    for precision in PRECISIONS:
        for who in ("eager", "chunked", "linear_cross_entropy"):
            told = bench.run("loss", who=who, precision=precision, vocab=vocab, width=width, tokens=tokens)
            what = f"loss, {tokens} tokens, vocabulary {vocab:,}, width {width}, {precision}"
            yield row(what, who, told["seconds"], "s CPU", False)
            yield row(what, who, told["bytes"] / 1e9, "GB peak", False)


def documents(bench: Bench, names: list[str], steps: int) -> Iterator[dict]:
    for name in names:
        for masked in (False, True):
            told = bench.run("seedbed", shape=SHAPES[name], precision="32-true", steps=steps, document_mask=masked)
            tokens = ROWS * SEQ_LEN / statistics.median(told["seconds"])
            yield row(f"training, {name}, fp32", f"documents {'apart' if masked else 'seen'}", tokens, "tokens/s")


def compiled(bench: Bench, names: list[str], steps: int) -> Iterator[dict]:
    for name in names:
        for precision in PRECISIONS:
            for on in (False, True):
                told = bench.run(
                    "seedbed", shape=SHAPES[name], precision=PRECISIONS[precision], steps=steps, compile=on
                )
                tokens = ROWS * SEQ_LEN / statistics.median(told["seconds"])
                who = "compiled by block" if on else "not compiled"
                yield row(f"training, {name}, {precision}", who, tokens, "tokens/s")


def curves(bench: Bench, steps: int) -> Iterator[dict]:
    told = bench.run("curves", shape=SHAPES["bloom-tiny"], steps=steps)
    what = f"loss of {steps} steps, same weights and rows, fp32"
    yield row(what, "largest difference, nats", told["difference"], "nats", False)
    yield row(what, "seedbed, last step", told["ours"][-1], "nats", False)
    yield row(what, "transformers, last step", told["theirs"][-1], "nats", False)


def whole_step(bench: Bench) -> Iterator[dict]:
    told = bench.run("step")
    yield row("one step of bloom-560m, 1 x 2,048 tokens, bf16", "seedbed", told["bytes"] / 1e9, "GB peak", False)
    yield row("one step of bloom-560m, 1 x 2,048 tokens, bf16", "seedbed", told["seconds"], "s", False)


def row(work: str, who: str, value: float, unit: str, higher: bool = True) -> dict:
    return {"work": work, "who": who, "value": round(value, 6), "unit": unit, "higher_is_better": higher}


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("packed", type=Path, help="a packed corpus with rows of 512 tokens")
    ask.add_argument("--only", nargs="*", default=["speed", "overhead"], choices=KINDS)
    ask.add_argument("--shapes", nargs="*", default=list(SHAPES), choices=list(SHAPES))
    ask.add_argument("--rounds", type=int, default=3)
    ask.add_argument("--steps", type=int, default=12, help="of each run; 200 for curves unless given")
    ask.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    ask.add_argument("--vocab", type=int, default=250_880, help="of `loss`")
    ask.add_argument("--width", type=int, default=1024, help="of `loss`")
    ask.add_argument("--tokens", type=int, default=2048, help="of `loss`")
    ask.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "seedbed-benchmarks")
    ask.add_argument("--json", type=Path, help="write the rows here")
    args = ask.parse_args()
    bench = Bench(args.packed.resolve(), args.threads, args.cache)
    long = 200 if args.steps == ask.get_default("steps") else args.steps
    work = {
        "speed": lambda: speed(bench, args.shapes, args.rounds, args.steps),
        "overhead": lambda: overhead(bench),
        "loss": lambda: loss(bench, args.vocab, args.width, args.tokens),
        "documents": lambda: documents(bench, args.shapes, args.steps),
        "compile": lambda: compiled(bench, args.shapes, args.steps),
        "curves": lambda: curves(bench, long),
        "step": lambda: whole_step(bench),
    }
    rows = [one for kind in args.only for one in work[kind]()]
    print("| work | who | | |\n|---|---|---:|---|")
    for one in rows:
        print(f"| {one['work']} | {one['who']} | {one['value']:,.6g} | {one['unit']} |")
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
