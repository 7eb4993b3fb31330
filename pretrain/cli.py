"""The command `pretrain`: init, fit, eval, generate, export, plan, plot, sweep.

stdout carries data, stderr carries talk. Exit 0: done; 1: the work failed or was stopped; 2: you asked wrongly.
Commands import what they need when they run, so that help and mistakes are told at once.
"""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from pretrain.cli_compare import plot, sweep
from pretrain.cli_plan import plan
from pretrain.cli_words import ConfigPath, DataPath, Json, ModelPath, say
from pretrain.errors import SeedbedError

if TYPE_CHECKING:
    from pretrain.config import Config
    from pretrain.evaluate import Score
    from pretrain.rundir import Outcome, RunDir

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="""Train BLOOM on a packed corpus, and use what was trained.

    A first run:  `pretrain fit configs/bloom-tiny.yaml`, then `pretrain generate runs/demo/bloom-tiny "All human"`.
    """,
)


@app.command()
def init(
    target: Annotated[Path, typer.Argument(metavar="CONFIG", help="The config to write.")],
    data: Annotated[Path, typer.Option("--data", help="The packed corpus, such as runs/demo/packed.")],
) -> None:
    """Write CONFIG: a model of a size that fits a packed corpus. Then read it, change it, fit it.

    `pretrain init my.yaml --data runs/mine/packed`
    """
    from pretrain.draft import draft
    from pretrain.errors import ConfigError
    from pretrain.seam import Seam

    if target.exists():
        raise ConfigError(f"{target} is there already", hint="name another file, or remove it first")
    text = draft(Seam.open(data), data, target)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, "utf-8")
    print(f"config  {target}")
    say(f"next: pretrain plan {target}, then pretrain fit {target}")


@app.command()
def fit(config: ConfigPath) -> None:
    """Train; run again to go on where it stopped.

    Saves a checkpoint every `train.checkpoint_every` steps, at the end, and on Ctrl-C or SIGTERM. On a CPU a run that
    was stopped and went on ends in the same bytes as one that was not. Look at loss.svg and metrics.jsonl in `run.dir`.
    """
    from pretrain.config import load_config
    from pretrain.rundir import finished
    from pretrain.seam import Seam

    settings = load_config(config)
    outcome = finished(settings, Seam.open(settings.data.path))
    if outcome is None:
        from pretrain.fit import fit as train  # takes seconds to import

        outcome = train(settings, say)
    if _is_first():
        _tell_outcome(outcome, settings, config)


@app.command("eval")
def evaluate(
    run: ModelPath,
    data: DataPath = None,
    split: Annotated[str, typer.Option(help="valid (the holdout) or train.")] = "valid",
    rows: Annotated[int | None, typer.Option(min=1, help="At most so many packed rows of each language.")] = None,
    as_json: Json = False,
) -> None:
    """Loss and bits per byte by language, on the holdout.

    Bits per byte compares models with different tokenizers: lower is better.
    """
    from pretrain.evaluate import evaluate as score
    from pretrain.loading import load

    loaded = load(run, say)
    masked = loaded.state.get("config", {}).get("train", {}).get("document_mask", False)
    scores = score(loaded.model, loaded.seam(data, say), split, max_rows=rows, document_mask=masked)
    consumed = loaded.state.get("tokens_by_language", {})  # an exported folder does not say
    if as_json:
        about = {"model": str(loaded.folder), "split": split, "tokens_by_language": consumed}
        print(json.dumps(about | {"scores": [s.to_dict() for s in scores]}))
    else:
        Console().print(_score_table(scores, f"{loaded.folder}, {split}", consumed))
    if not math.isfinite(scores[-1].loss):
        say(f"the loss of {loaded.folder} is {scores[-1].loss}: its weights are of no use; take an earlier checkpoint")
        raise typer.Exit(1)


@app.command()
def generate(
    run: ModelPath,
    prompt: Annotated[str, typer.Argument(help="What to go on from; empty begins a document.")] = "",
    tokens: Annotated[int, typer.Option(help="At most so many new tokens.")] = 60,
    temperature: Annotated[float, typer.Option(help="0 takes the likeliest token each time.")] = 0.8,
    top_k: Annotated[int, typer.Option(help="Draw among so many likeliest tokens; 0: all.")] = 50,
    top_p: Annotated[float, typer.Option(help="Draw among the likeliest that together reach this probability.")] = 1.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same text.")] = 0,
) -> None:
    """Write on from a prompt."""
    from pretrain.generate import complete
    from pretrain.loading import load

    loaded = load(run, say)
    print(complete(loaded.model, loaded.tokenizer(), prompt, tokens, temperature, top_k or None, top_p, seed))


@app.command()
def export(
    run: ModelPath,
    out: Annotated[Path | None, typer.Option("--out", help="Where to; else `export` in the run's folder.")] = None,
) -> None:
    """Write a folder that transformers loads: `AutoModelForCausalLM.from_pretrained(OUT)`."""
    from pretrain.errors import ConfigError
    from pretrain.export import export as write
    from pretrain.loading import load

    loaded = load(run, say)
    if loaded.manifest is None:
        raise ConfigError(f"{run} is an exported folder already", hint="give a run's folder or a checkpoint")
    target = out or loaded.tokenizer_dir / "export"
    origin = {"consumed": loaded.state["tokens_by_language"], "begun_with": loaded.state.get("begun_with")}
    print(write(loaded.model, loaded.config, loaded.manifest, loaded.tokenizer_dir, target, **origin))


app.command()(plan)
app.command()(plot)
app.command()(sweep)


def main() -> None:
    """The console script: errors that we can explain end in a message and their exit code, without a traceback."""
    try:
        app()
    except SeedbedError as error:
        say(f"error: {error}")
        sys.exit(error.exit_code)


def _is_first() -> bool:
    """Whether this is the process that talks: Lightning's own, torchrun's and SLURM's launchers number them."""
    return all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))


def _tell_outcome(outcome: Outcome, settings: Config, config: Path) -> None:
    from pretrain.rundir import RunDir

    run_dir = settings.run.dir
    if not outcome.done:
        say(f"stopped at step {outcome.step} of {outcome.total_steps}; saved in {outcome.checkpoint}")
        say(f"go on with: pretrain fit {config}")
        raise typer.Exit(1)
    if not outcome.trained:
        say(f"{run_dir} is finished: {outcome.step} steps are done; to train longer, {_longer(settings)}")
    run = RunDir(run_dir)
    say(f"checkpoint: {outcome.checkpoint}")
    say(f"curve:      {run_dir / 'loss.svg'}")
    _print_samples(run)


def _longer(settings: Config) -> str:
    """What to change: what follows the end of training, as the decay's end does, must be stated first."""
    train, stated = settings.train, []
    if train.schedule != "constant" and not train.decay_samples:
        stated.append(f"train.decay_samples: {train.total_samples}, where the decay ended")
    if settings.data.mixture.planned and not settings.data.mixture.over_samples:
        stated.append(f"data.mixture.over_samples: {train.total_samples}, which its shares were reckoned over")
    first = f"state {', and '.join(stated)}, and " if stated else ""
    return f"{first}raise {'train.steps' if train.steps else 'train.samples'}"


def _print_samples(run: RunDir) -> None:
    """What the model wrote last, on stdout."""
    samples = run.lines("samples.jsonl")
    for sample in samples:
        if sample["step"] == samples[-1]["step"]:
            print(f"> {sample['text'].strip()}")


def _score_table(scores: list[Score], title: str, consumed: dict[str, int]) -> Table:
    """`consumed`: tokens of each language that the model was trained on; the last score is that of all."""
    table = Table(title=title)
    table.add_column("language")
    for name in ("tokens", "loss", "bits per byte", *(["trained on"] if consumed else [])):
        table.add_column(name, justify="right")
    trained = consumed | {scores[-1].language: sum(consumed.values())}
    for score in scores:
        row = [score.language, f"{score.tokens:,}", f"{score.loss:.4f}", f"{score.bits_per_byte:.4f}"]
        row += [f"{trained.get(score.language, 0):,}"] if consumed else []
        table.add_row(*row, end_section=score is scores[-2])
    return table


if __name__ == "__main__":
    main()
