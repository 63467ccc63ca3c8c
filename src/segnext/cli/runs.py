"""`segnext runs list|show|compare`: what past runs did.

What `--json` prints; scores are 0-1, times in seconds, and what is not known is null:

list     a list of summaries: name, path, model, data (name of its folder), state (done, stopped or
         unfinished), step, max_steps, best_miou, best_step, elapsed_s, written (ISO 8601, UTC),
         best (true for the highest mIoU among the listed runs on the same data)
show     a summary without best, and: options {name: value}, reasons {name: text}, validations
         [{step, miou, pixel_accuracy, mean_accuracy, iou_per_class}], per_class {name: {iou,
         accuracy, dice}}, files {name: path}, resume (command or null), problems [text],
         environment [session of environment.json]
compare  runs [summary without best], options and environment {name: [value of each run]} where
         they differ, iou_per_class {name: [value of each run]}, picture (path of the PNG)
"""

import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from segnext.cli.run_environment import differing, flatten, read_environment
from segnext.errors import SegnextError, UsageError

if TYPE_CHECKING:
    from segnext.training.history import RunHistory

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON alone on standard output.")]

# Scores of runs that differ in one of these were not measured on the same pixels the same way.
MEASURED_BY = (
    "data",
    "group",
    "split_seed",
    "fold",
    "folds",
    "ignore_index",
    "base_size",
    "window",
)
FILES = {
    "config.yaml": "every option",
    "fingerprint.json": "what the data are like",
    "environment.json": "versions, code, hardware and files of each session",
    "metrics.jsonl": "the log",
    "curves.png": "loss, learning rate and mIoU",
    "per_class.csv": "classes at the best validation",
    "samples": "pictures of each validation",
    "contact_sheet.png": "pictures of the best weights",
    "report/index.html": "what the score of the best weights is made of",
    "best.safetensors": "best weights, for evaluate and predict",
    "best": "weights of the best validations",
    "last.safetensors": "weights of the last validation",
    "checkpoint.safetensors": "full state, for --resume",
    "divergence.json": "the step whose loss was not finite",
}
STATES = {"done": "done", "stopped": "stopped", "unfinished": "running or killed"}
TABLE_ROWS = 12
SPARKS = "▁▂▃▄▅▆▇█"


def list_runs(
    folder: Annotated[Path, typer.Argument(help="Folder that holds the runs.")] = Path("runs"),
    as_json: AsJson = False,
) -> None:
    """List the runs below a folder, at most three levels deep, the latest first.

    A star marks the highest val mIoU among the runs on the same data.

    Example: segnext runs list runs/
    """
    from segnext.training.history import find_runs, read_run

    runs = []
    for path in find_runs(folder):
        try:
            runs.append(read_run(path))
        except SegnextError as error:  # one spoilt folder does not hide the others
            typer.echo(f"left out: {error}", err=True)
    runs.sort(key=lambda run: run.written, reverse=True)
    best = _find_best(runs)
    if as_json:
        typer.echo(json.dumps([{**_summarize(run), "best": run.path in best} for run in runs]))
        return
    console = _console()
    if not runs:
        console.print(f"no runs below {folder}")
        return
    titles = ("run", "model", "data", "state", "steps", "val mIoU", "at step", "time", "written")
    table = _table(*titles, right=(4, 5, 6, 7))
    for column in (table.columns[0], table.columns[-1]):  # narrow terminals fold the others
        column.no_wrap = True
    for run in runs:
        table.add_row(
            run.name,
            str(run.options["model"]),
            run.data_name,
            STATES[run.state],
            f"{run.step}/{run.max_steps or '?'}",
            *_best_cells(run, star=run.path in best),
            _clock(run.elapsed_s),
            f"{datetime.fromtimestamp(run.written):%Y-%m-%d %H:%M}",
            style="bold" if run.path in best else None,
        )
    console.print(table)


def show_run(
    run: Annotated[Path, typer.Argument(help="Run folder.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Show a run: state, options and their reasons, validations, classes, files.

    Example: segnext runs show runs/roads-segnext_tiny-1
    """
    from segnext.training.history import read_run

    history = read_run(run)
    files = {name: history.path / name for name in FILES if (history.path / name).exists()}
    if as_json:
        about = {
            **_summarize(history),
            "options": history.options,
            "reasons": history.reasons,
            "validations": [asdict(validation) for validation in history.validations],
            "per_class": history.per_class,
            "files": {name: str(path) for name, path in files.items()},
            "resume": _resume_command(history),
            "problems": history.problems,
            "environment": read_environment(run),
        }
        typer.echo(json.dumps(about, default=str))
        return
    console = _console()
    console.print(f"{history.path}", style="bold", soft_wrap=True)
    console.print(
        f"{history.options['model']} on {history.options['data']}: {_describe_state(history)}, "
        f"{_clock(history.elapsed_s)} of training",
        soft_wrap=True,
    )
    for problem in history.problems:
        console.print(f"problem: {problem}", style="yellow", soft_wrap=True)
    where = flatten(read_environment(run))
    if where:
        console.print(", ".join(f"{k} {v}" for k, v in where.items()), soft_wrap=True)
    _print_options(console, history)
    _print_validations(console, history)
    _print_classes(console, history)
    table = _table("file", "what it is", right=())
    for name, path in files.items():
        table.add_row(str(path), FILES[name])
    console.print()
    console.print(table)
    resume = _resume_command(history)
    if resume:
        console.print(f"\ngo on with: {resume}", soft_wrap=True)
    elif history.state != "done":
        console.print("\nno checkpoint to go on from: a run writes its first when it validates")


def compare_runs(
    runs: Annotated[list[Path], typer.Argument(help="Two run folders or more.")],
    out: Annotated[Path, typer.Option(help="PNG file of the curves.")] = Path("comparison.png"),
    as_json: AsJson = False,
) -> None:
    """Compare runs: options that differ, scores, classes, and a picture of their curves.

    Differences are against the first run.

    Example: segnext runs compare runs/roads-segnext_tiny-1 runs/roads-segnext_tiny-2
    """
    from segnext.storage import write_atomically
    from segnext.training.history import draw_comparison, label_runs, read_run

    if len(runs) < 2:
        msg = f"compare needs at least two run folders, got {len(runs)}"
        raise UsageError(msg)
    if out.suffix.lower() != ".png":
        msg = f"--out {out}: the picture is a PNG; give a name that ends in .png"
        raise UsageError(msg)
    histories = [read_run(path) for path in runs]
    write_atomically(out, draw_comparison(histories))
    options, classes = _differing_options(histories), _collect_iou(histories)
    places = differing(runs)
    if as_json:
        about = {
            "runs": [_summarize(history) for history in histories],
            "options": options,
            "environment": places,
            "iou_per_class": classes,
            "picture": str(out),
        }
        typer.echo(json.dumps(about, default=str))
        return
    console, names = _console(), label_runs(histories)
    table = _table("option", *names, right=())
    for option, values in (options | places).items():
        table.add_row(option, *map(_text, values))
    console.print(table if options or places else "all options are the same")
    table = _table("", *names)
    table.add_row("state", *map(_describe_state, histories))
    cells = [_best_cells(history) for history in histories]
    table.add_row("at step", *(step for _, step in cells))
    table.add_row("training time", *(_clock(history.elapsed_s) for history in histories))
    scores = [history.best.miou if history.best else None for history in histories]
    table.add_row("val mIoU", *_against_first(scores), style="bold")
    for name, values in classes.items():
        table.add_row(f"IoU {name}", *_against_first(values))
    console.print()
    console.print(table)
    measured = [option for option in MEASURED_BY if option in options]
    if measured:
        note = f"scores were measured differently and do not compare: see {', '.join(measured)}"
        console.print(f"\n{note}", style="yellow", soft_wrap=True)
    console.print(f"\ncurves in {out}", soft_wrap=True)


def _summarize(run: "RunHistory") -> dict[str, Any]:
    best = run.best
    return {
        "name": run.name,
        "path": str(run.path),
        "model": str(run.options["model"]),
        "data": run.data_name,
        "state": run.state,
        "step": run.step,
        "max_steps": run.max_steps,
        "best_miou": best.miou if best else None,
        "best_step": best.step if best else None,
        "elapsed_s": run.elapsed_s,
        "written": datetime.fromtimestamp(run.written, UTC).isoformat(timespec="seconds"),
    }


def _find_best(runs: Sequence["RunHistory"]) -> set[Path]:
    """Return the folders of the best run on each data set."""
    best: dict[str, RunHistory] = {}
    for run in runs:
        if run.best is None:
            continue
        leader = best.setdefault(str(run.options["data"]), run)
        assert leader.best is not None
        if run.best.miou > leader.best.miou:
            best[str(run.options["data"])] = run
    return {run.path for run in best.values()}


def _differing_options(runs: Sequence["RunHistory"]) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for run in runs for name in run.options)
    values = {name: [run.options.get(name) for run in runs] for name in names}
    return {name: row for name, row in values.items() if any(value != row[0] for value in row)}


def _collect_iou(runs: Sequence["RunHistory"]) -> dict[str, list[float | None]]:
    names = dict.fromkeys(name for run in runs for name in run.per_class)
    return {name: [run.per_class.get(name, {}).get("iou") for run in runs] for name in names}


def _print_options(console: Console, run: "RunHistory") -> None:
    table = _table("option", "value", "because", right=())
    for name, reason in run.reasons.items():
        table.add_row(name, _text(run.options.get(name)), reason)
    if run.reasons:
        console.print()
        console.print(table)
    others = [
        f"{name} {_text(value)}"
        for name, value in run.options.items()
        if name not in run.reasons and value not in (None, [], {})
    ]
    console.print(f"\nother options: {', '.join(others)}")


def _print_validations(console: Console, run: "RunHistory") -> None:
    best = run.best
    if best is None:
        console.print("\nno validation yet")
        return
    table = _table("step", "val mIoU", "pixel accuracy", "mean accuracy", right=(0, 1, 2, 3))
    for validation in run.validations[-TABLE_ROWS:]:
        shares = (validation.miou, validation.pixel_accuracy, validation.mean_accuracy)
        style = "bold" if validation is best else None
        table.add_row(str(validation.step), *map(_percent, shares), style=style)
    console.print()
    if run.validations:
        console.print(table)
    if len(run.validations) > TABLE_ROWS:
        console.print(f"the latest {TABLE_ROWS} of {len(run.validations)} validations")
    scores = [validation.miou for validation in run.validations]
    line = f"best val mIoU {_percent(best.miou)} % at step {best.step}"
    if len(scores) > 1 and not console.options.ascii_only:
        line += f"   {draw_sparkline(scores)}"
    console.print(line, style="bold")


def _print_classes(console: Console, run: "RunHistory") -> None:
    if not run.per_class:
        return
    table = _table("class", "IoU", "accuracy", "Dice")
    for name, row in run.per_class.items():
        table.add_row(name, *(_percent(row[column]) for column in ("iou", "accuracy", "dice")))
    console.print()
    console.print(table)


def draw_sparkline(values: Sequence[float], width: int = 40) -> str:
    """Draw values as a line of bars from their lowest to their highest.

    Args:
        values: At least one.
        width: Characters at most; of more values, evenly spread ones are drawn.
    """
    count = min(width, len(values))
    shown = [values[round(i * (len(values) - 1) / max(1, count - 1))] for i in range(count)]
    low, high = min(shown), max(shown)
    scale = (len(SPARKS) - 1) / (high - low) if high > low else 0.0
    return "".join(SPARKS[round((value - low) * scale)] for value in shown)


def _describe_state(run: "RunHistory") -> str:
    return f"{STATES[run.state]} at step {run.step} of {run.max_steps or '?'}"


def _resume_command(run: "RunHistory") -> str | None:
    if run.state == "done" or run.progress is None:
        return None
    return f"segnext train --resume {shlex.quote(str(run.path))}"


def _best_cells(run: "RunHistory", *, star: bool = False) -> tuple[str, str]:
    if run.best is None:
        return "-", "-"
    return f"{'* ' if star else ''}{_percent(run.best.miou)}", str(run.best.step)


def _against_first(values: Sequence[float | None]) -> list[str]:
    first, *others = values
    cells = [_percent(first)]
    for value in others:
        change = "" if first is None or value is None else f" ({100 * (value - first):+.1f})"
        cells.append(_percent(value) + change)
    return cells


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _table(*titles: str, right: Sequence[int] | None = None) -> Table:
    """Build a table without lines; numbers stand right in all columns but the first."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for index, title in enumerate(titles):
        to_right = index > 0 if right is None else index in right
        table.add_column(title, justify="right" if to_right else "left", overflow="fold")
    return table


def _console() -> Console:
    # Names and values are printed as they are. A file or a pipe has no edge to wrap lines at.
    width = None if sys.stdout.isatty() else 200
    return Console(markup=False, emoji=False, highlight=False, width=width)
