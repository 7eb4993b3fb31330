"""The command line: `pipeline init|run|plan|report|inspect|tokenizer|trace|verify|prune|stages`.

stdout carries data, stderr carries talk. Exit 0: done; 1: the work failed; 2: you asked wrongly; 130: interrupted.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from pipeline import config as configs
from pipeline import describe, remembered
from pipeline import report as reports
from pipeline.adopt import adopt, shipped
from pipeline.errors import ConfigError, InputError, SeedbedError
from pipeline.fertility import Question as TokenizerQuestion
from pipeline.fertility import examine, print_fertility
from pipeline.fertility import write_page as write_fertility
from pipeline.inspection import Question, print_inspection, write_page
from pipeline.inspection import inspect as inspect_measure
from pipeline.plan import Planned, plan, strangers
from pipeline.progress import talk
from pipeline.run import run as run_config
from pipeline.sources import SOURCES
from pipeline.stages import STAGES
from pipeline.stages.base import Where
from pipeline.store.counts import total
from pipeline.store.files import written_whole
from pipeline.store.lock import owned
from pipeline.store.place import removal, sizes
from pipeline.store.step import faults, remove_step
from pipeline.text.languages import canonical
from pipeline.trace import trace as trace_document
from pipeline.units import parse_share, parse_size, say_bytes

SECTIONS = {
    "run": configs.RunSettings,
    "identifier": configs.IdentifierConfig,
    "tokenizer": configs.TokenizerConfig,
    "pack": configs.PackConfig,
}
ROWS_SHOWN = 3  # packed rows of a traced document
INTERRUPTED = 130  # as a shell says of a command that Ctrl-C ended

app = typer.Typer(
    help="From raw multilingual text and code to packed token shards, every document accounted for.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

ConfigPath = Annotated[
    Path,
    typer.Argument(
        metavar="CONFIG", help="a YAML config, such as configs/demo.yaml; paths in it begin at the current folder"
    ),
]
Workdir = Annotated[str | None, typer.Option(help="folder of the steps; overrides run.workdir")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON for programs")]


def load(path: Path, workdir: str | None, **more: Any) -> configs.Config:
    overrides = {"workdir": workdir, **more}
    return configs.load(path, {k: v for k, v in overrides.items() if v is not None})


def load_to_look(path: Path, workdir: str | None) -> configs.Config:
    """A config whose steps are to be looked at: its sources may have been put away since."""
    overrides = {} if workdir is None else {"workdir": workdir}
    return configs.load(path, overrides, to_read=False)


def standing(config: configs.Config) -> remembered.Standing:
    """Its steps as they were made last; what differs from the config as it is now is said."""
    found = remembered.as_it_stands(config)
    for note in found.notes:
        print(f"note: {_visible(note).replace('CONFIG', str(config.path))}", file=sys.stderr)
    return found


def console(stderr: bool = False) -> Console:
    """Where tables go; wide enough for them where there is no terminal that has a width of its own."""
    there = (sys.stderr if stderr else sys.stdout).isatty()
    return Console(stderr=stderr, highlight=False, width=None if there else 110)


@app.command()
def run(
    config: ConfigPath,
    workdir: Workdir = None,
    workers: Annotated[str | None, typer.Option(help="processes, or auto; changes no byte")] = None,
    memory: Annotated[
        str | None, typer.Option(help="bound on all processes together, such as 8GB; changes no byte")
    ] = None,
    engine: Annotated[str | None, typer.Option(help="local, or ray for a cluster; changes no byte")] = None,
    address: Annotated[str | None, typer.Option(help="of the Ray cluster: auto, or host:port")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="no progress")] = False,
    as_json: AsJson = False,
) -> None:
    """Make every step of CONFIG that does not stand yet, then write the report.

    A killed run goes on where it stopped; a changed parameter makes that step and those after it again, nothing else.

        \b
        pipeline run configs/demo.yaml
        pipeline run configs/demo.yaml --workers 8 --memory 32GB
        pipeline run configs/demo.yaml --engine ray --address auto --workdir s3://bucket/demo
    """
    count = int(workers) if workers is not None and workers.isdecimal() else workers
    loaded = load(config, workdir, workers=count, memory=memory, engine=engine, address=address)
    voice = talk(quiet or as_json)
    try:
        result = run_config(loaded, voice)
    except KeyboardInterrupt:
        print("stopped; the same command goes on where this one stopped", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
    steps = [_state(p) for p in result.steps]
    if quiet or as_json:
        reports.print_warnings(result.gathered, console(stderr=True), levels=("error",))
    if as_json:
        out = {"steps": steps, "made": result.made, "seconds": round(result.seconds, 3)}
        print(
            json.dumps({**out, "report": str(result.report), "packed": str(result.packed) if result.packed else None})
        )
        return
    if not quiet:
        reports.print_table(result.gathered, console(stderr=True))
        made = f"made {len(result.made)} of {len(result.steps)} steps" if result.made else "all steps stood already"
        voice.say(f"{made} in {result.seconds:.1f} s")
    print(f"report  {result.report}")
    if result.packed:
        print(f"packed  {result.packed}")


def _state(planned: Planned) -> dict[str, Any]:
    state: dict[str, Any] = {"step": planned.step.folder.name, "name": planned.name, "address": planned.address}
    if not planned.step.sealed:
        marks = planned.step.folder / "marks"
        return {**state, "state": "begun" if marks.exists() else "to do"}
    manifest = planned.step.manifest()
    if planned.kind == "packed":
        return {**state, "state": "sealed"}
    return {
        **state,
        "state": "sealed",
        "documents": total(manifest["kept"]),
        "bytes": total(manifest["kept"], "bytes"),
        "dropped": total(manifest["dropped"]),
    }


@app.command(context_settings={"allow_extra_args": True})
def init(
    context: typer.Context,
    recipe: Annotated[
        Path,
        typer.Argument(metavar="RECIPE", help="a config to begin with, or the name of one that ships with the project"),
    ],
    target: Annotated[Path, typer.Argument(metavar="CONFIG", help="the config to write")],
    inputs: Annotated[
        list[str], typer.Option("--input", help="files of yours, or kind:files; a pattern in quotes; may be repeated")
    ],
) -> None:
    """Write CONFIG: the stages of RECIPE over files of your own. Then read it, change it, run it.

    \b
    pipeline init roots mine.yaml --input 'data/*.jsonl.zst'
    pipeline init fineweb crawl.yaml --input 'crawl/*.warc.gz' --input code:src/
    """
    if context.args:
        raise ConfigError(
            f"{len(context.args)} names too many: {', '.join(context.args[:3])}; the shell "
            "put files in the place of a pattern",
            hint="put the pattern in quotes, as in --input 'data/*.jsonl.zst'",
        )
    if target.exists():
        raise ConfigError(f"{target} is there already", hint="name another file, or remove it first")
    text = adopt(shipped(recipe), inputs, target)
    with TemporaryDirectory() as folder:
        aside = Path(folder) / target.name
        aside.write_text(text, "utf-8")
        try:
            configs.load(aside)  # files that are not there, and all else that is wrong, are told now
        except ConfigError as error:
            raise ConfigError(error.message.replace(str(aside), str(target)), error.hint) from error
    with written_whole(target) as aside:
        aside.write_text(text, "utf-8")
    print(f"config  {target}")
    print(f"next: pipeline run {target}", file=sys.stderr)


@app.command("plan")
def show_plan(config: ConfigPath, workdir: Workdir = None, as_json: AsJson = False) -> None:
    """Say what `run` would do: each step, its address, and whether it stands. Runs nothing.

    \b
    pipeline plan configs/demo.yaml
    """
    loaded = load(config, workdir)
    steps = [_state(p) for p in plan(loaded)]
    settings = {
        "workdir": str(loaded.run.workdir),
        "memory": loaded.run.memory_bytes,
        "workers": loaded.run.worker_count,
    }
    if as_json:
        print(json.dumps({**settings, "steps": steps}))
        return
    table = Table("step", "address", "state", box=None)
    for column in ("documents", "text", "dropped"):
        table.add_column(column, justify="right")
    for step in steps:
        size = say_bytes(step["bytes"]) if "bytes" in step else ""
        numbers = (f"{step['documents']:,}", size, f"{step['dropped']:,}") if "documents" in step else ("", "", "")
        table.add_row(step["name"], step["address"], step["state"], *numbers)
    console().print(table)
    todo = sum(step["state"] != "sealed" for step in steps)
    memory = say_bytes(loaded.run.memory_bytes)
    print(
        f"{todo} of {len(steps)} steps to make in {settings['workdir']}, "
        f"with {settings['workers']} workers within {memory}"
    )


@app.command()
def report(config: ConfigPath, workdir: Workdir = None, as_json: AsJson = False) -> None:
    """Write the report of the steps that stand, and print the language mix.

    \b
    pipeline report configs/demo.yaml
    """
    loaded = load_to_look(config, workdir)
    planned = standing(loaded).planned
    steps = [p.step for p in planned if p.step.sealed]
    if not steps:
        raise InputError(f"no step of {config} stands in {loaded.run.workdir}", hint=f"pipeline run {config}")
    gathered = reports.gather(steps)
    whole = len(steps) == len(planned) or not any(run.finished for run in remembered.runs(loaded.run.workdir))
    page = reports.write(gathered, loaded.run.workdir) if whole else None
    if as_json:
        print(json.dumps(gathered.to_json(), ensure_ascii=False))
        return
    reports.print_table(gathered, console())
    said = f"report  {page}" if page else "the report of the last whole run stays as it is: this is a part of one"
    print(said, file=sys.stderr)


@app.command()
def inspect(
    config: ConfigPath,
    measure: Annotated[str, typer.Option(help="what to look at: word_repetition, lang_score, redacted_email, ...")],
    lang: Annotated[list[str] | None, typer.Option(help="only these languages; may be repeated")] = None,
    source: Annotated[list[str] | None, typer.Option(help="only these sources, or patterns of them")] = None,
    kind: Annotated[str | None, typer.Option(help="text or code")] = None,
    low: Annotated[float | None, typer.Option(help="lowest value to keep, instead of the config's limits")] = None,
    high: Annotated[float | None, typer.Option(help="highest value to keep, instead of the config's limits")] = None,
    step: Annotated[
        str | None, typer.Option(help="the keep whose limits to take, such as 05-keep; default: the first")
    ] = None,
    samples: Annotated[int, typer.Option(min=0, help="documents to show on each side of a limit")] = 5,
    workdir: Workdir = None,
    as_json: AsJson = False,
) -> None:
    """Show how a measure is spread, what a limit would drop, and documents on both sides of it. Changes nothing.

    Reads the steps that stand: run the config once, then look as often as you like. With --low and --high it tells what
    other limits would do; moving a limit in the config measures nothing again.

        \b
        pipeline inspect configs/demo.yaml --measure word_repetition
        pipeline inspect configs/demo.yaml --measure word_repetition --lang sw --high 0.1
    """
    loaded = load_to_look(config, workdir)
    where = Where(source=source or None, kind=kind)
    langs = tuple(canonical(code) for code in lang or ())
    question = Question(measure, langs, where, low, high, step, samples)
    found = inspect_measure(standing(loaded).planned, question, loaded.run.memory_bytes)
    if as_json:
        print(json.dumps(found.to_json(), ensure_ascii=False))
        return
    print_inspection(found, console())
    print(f"page  {write_page(found, loaded.run.workdir)}", file=sys.stderr)


@app.command()
def tokenizer(
    config: ConfigPath,
    parallel: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="the same text in many languages: <lang>.jsonl[.zst] or <lang>.txt"),
    ] = None,
    against: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="another tokenizer.json to compare with; may be repeated")
    ] = None,
    sample: Annotated[str, typer.Option(help="bytes of each language to compare sizes and tokenizers on")] = "250KB",
    worth: Annotated[str, typer.Option(help="share of the tokens that doubling the vocabulary must save")] = "2%",
    workdir: Workdir = None,
    as_json: AsJson = False,
) -> None:
    """Show how well the tokenizer of a run serves each language, and which vocabulary would do. Changes nothing.

    Tokens per word and bytes per token, how much of the vocabulary each language uses, what falls back to single bytes,
    the longest and strangest tokens; parity with English where you name a folder of parallel text. Merges are nested,
    so one large training tells what every smaller one would have given: train once at 250,680, then read the curve.

        \b
        pipeline tokenizer configs/demo.yaml --parallel data/udhr
        pipeline tokenizer configs/demo.yaml --against theirs/tokenizer.json --worth 5%
    """
    try:
        size, part = parse_size(sample), parse_share(worth)
    except ValueError as error:
        raise ConfigError(str(error), hint="--sample takes a size, --worth a share") from error
    loaded = load_to_look(config, workdir)
    asked = TokenizerQuestion(size, parallel, tuple(against or ()), part)
    found = examine(standing(loaded).planned, asked)
    if as_json:
        print(json.dumps(found.to_json(), ensure_ascii=False))
        return
    print_fertility(found, console())
    print(f"page  {write_fertility(found, loaded.run.workdir)}", file=sys.stderr)


@app.command()
def trace(
    config: ConfigPath,
    document: Annotated[str, typer.Argument(metavar="ID", help="a document's id: <source>/<path>#<row>")],
    workdir: Workdir = None,
    text: Annotated[bool, typer.Option("--text", help="print its text as it was last seen")] = False,
    as_json: AsJson = False,
) -> None:
    """Tell the life of one document: read, changed, dropped or packed, step by step.

    \b
    pipeline trace configs/demo.yaml 'udhr/sw.jsonl.zst#7'
    """
    life = trace_document(standing(load_to_look(config, workdir)).planned, document)
    if as_json:
        print(json.dumps({"id": life.id, "events": life.events, "text": life.text}, ensure_ascii=False))
        return
    packed = [event for event in life.events if event["what"] == "packed"]
    for event in [event for event in life.events if event not in packed[ROWS_SHOWN:]]:
        detail = "  ".join(f"{k}={_plain(v)}" for k, v in event.items() if k not in ("step", "what") and v is not None)
        print(f"{event['step']:<40} {event['what']:<10} {detail}")
    if len(packed) > ROWS_SHOWN:
        print(f"{'':<40} {'':<10} and {len(packed) - ROWS_SHOWN:,} more rows to {_plain(packed[-1]['row'])} (--json)")
    if text and life.text is not None:
        print(_visible(life.text) if sys.stdout.isatty() else life.text)


def _plain(value: Any) -> str:
    """A value on one line, without characters that a terminal would obey."""
    return _visible(f"{value:.4g}" if isinstance(value, float) else str(value)).replace("\n", "·")


def _visible(text: str) -> str:
    """Text without characters that a terminal would obey; lines stay lines."""
    return "".join(c if c.isprintable() or c == "\n" else "·" for c in text)


@app.command()
def verify(config: ConfigPath, workdir: Workdir = None, as_json: AsJson = False) -> None:
    """Read every sealed file again and compare it with its seal. Exit 1 if one is not as it was.

    \b
    pipeline verify configs/demo.yaml
    """
    sealed = [p.step for p in standing(load_to_look(config, workdir)).planned if p.step.sealed]
    if not sealed:
        raise InputError(f"no step of {config} stands, as it is now: nothing was read", hint=f"pipeline plan {config}")
    found = {step.folder.name: list(faults(step)) for step in sealed}
    if as_json:
        print(json.dumps(found))
    else:
        for name, sentences in found.items():
            print(f"{name:<48} {'as sealed' if not sentences else '; '.join(sentences)}")
    if damaged := [step.folder for step in sealed if found[step.folder.name]]:
        raise InputError(f"{len(damaged)} of {len(sealed)} steps are damaged", hint=f"{removal(damaged)} and run again")


@app.command()
def prune(
    config: ConfigPath,
    workdir: Workdir = None,
    yes: Annotated[bool, typer.Option("--yes", help="remove them; without it they are only named")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="also what other configs need, and the last run where CONFIG changed since")
    ] = False,
) -> None:
    """Remove steps in the workdir that CONFIG does not use (left by earlier parameters).

    What the last run needs stays until CONFIG has run again, and what other configs need stays.

        \b
        pipeline prune configs/demo.yaml          # name them
        pipeline prune configs/demo.yaml --yes    # remove them
    """
    loaded = load_to_look(config, workdir)
    with owned(loaded.run.workdir):
        stands = standing(loaded)
        used = {p.step.folder for p in (stands.now if everything else [*stands.now, *stands.planned])}
        for whose, folders in [] if everything else remembered.needed(loaded, stands):
            used |= folders
            print(f"kept     {len(folders)} steps of {whose} (`--all` removes them too)", file=sys.stderr)
        found = strangers(loaded, used)
        for folder in found:
            size = sum(sizes(folder).values())
            if yes:
                remove_step(folder)
            print(f"{'removed' if yes else 'unused '}  {folder}  {say_bytes(size)}")
    if found and not yes:
        print(f"nothing was removed: `pipeline prune {config} --yes` removes these {len(found)}", file=sys.stderr)


@app.command()
def stages(
    name: Annotated[str | None, typer.Argument(help="one stage or source, in full")] = None,
    as_json: AsJson = False,
) -> None:
    """List all sources, stages and sections of a config with their settings, or explain one.

    \b
    pipeline stages
    pipeline stages dedup_near
    """
    known: dict[str, Any] = {**SOURCES, **STAGES, **SECTIONS}
    if as_json:
        print(json.dumps({n: model.model_json_schema() for n, model in known.items()}))
    elif name is None:
        describe.table(known, len(SOURCES))
    else:
        describe.one(known, name)


def main() -> None:
    """Entry point: every error that the user can mend becomes a sentence and an exit code."""
    try:
        app()
    except SeedbedError as error:
        print(f"error: {_visible(str(error))}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
