"""The part of `segnext predict` for millions of pictures."""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from segnext.errors import UsageError, describe_unknown

if TYPE_CHECKING:
    from segnext.predict import Predictor
    from segnext.predict.bulk import Job, Shard, Summary
    from segnext.predict.bulk.run import Engine as BulkEngine

BULK = "Millions of pictures"

ShardOption = Annotated[
    str | None,
    typer.Option(
        "--shard",
        help="Only part i of n, as i/n with i from 0, such as a job array's index.",
        rich_help_panel=BULK,
    ),
]
Engine = Annotated[
    str | None,
    typer.Option(
        help="local: this process; ray: workers of Ray Data; needs the extra ray.",
        rich_help_panel=BULK,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1, help="Workers of Ray; as many as there are GPUs or cores.", rich_help_panel=BULK
    ),
]
RayAddress = Annotated[
    str | None,
    typer.Option(
        help="Cluster to use (auto, host:6379); RAY_ADDRESS, or one for this call alone.",
        rich_help_panel=BULK,
    ),
]
OnError = Annotated[
    str | None,
    typer.Option(
        help="continue: note a broken picture and go on; stop: end at the first.",
        rich_help_panel=BULK,
    ),
]

ENGINES = ("local", "ray")
ON_ERROR = ("continue", "stop")


@dataclass(frozen=True)
class BulkOptions:
    """What the options above say, checked."""

    source: str
    shard: "Shard"
    engine: str
    workers: int | None
    ray_address: str | None
    stop_on_error: bool


def bulk_options(
    paths: list[str],
    out: str,
    shard: str | None,
    engine: str | None,
    workers: int | None,
    ray_address: str | None,
    on_error: str | None,
) -> BulkOptions | None:
    """Check options that belong together; `None` if nothing asks for this way of predicting.

    Raises:
        UsageError: They contradict each other, or a value is not one of those there are.
    """
    from segnext.predict.bulk import Shard, is_bulk_source, is_url

    if engine not in (None, *ENGINES):
        raise UsageError(describe_unknown("engine", str(engine), ENGINES))
    if on_error not in (None, *ON_ERROR):
        raise UsageError(describe_unknown("--on-error", str(on_error), ON_ERROR))
    if engine != "ray" and (workers or ray_address):
        msg = f"{'--workers' if workers else '--ray-address'} is for --engine ray"
        raise UsageError(msg)
    asked = shard is not None or engine is not None or on_error is not None or is_url(out)
    if not asked and not any(is_bulk_source(path) for path in paths):
        return None
    if len(paths) != 1:
        msg = (
            f"{len(paths)} sources given: shards, --engine, --on-error, URLs and lists take one, a "
            f"folder, a URL or a .txt of paths and URLs"
        )
        raise UsageError(msg)
    part = Shard() if shard is None else Shard.parse(shard)
    source = paths[0]
    if not is_url(source) and not is_url(out):
        folder = Path(source).resolve()
        if folder in (Path(out).resolve(), *Path(out).resolve().parents):
            msg = f"{out} lies below the pictures in {source}; choose an --out beside them"
            raise UsageError(msg)
    return BulkOptions(source, part, engine or "local", workers, ray_address, on_error == "stop")


def choose_pictures(outputs: list[str], suggest: int | None) -> list[str]:
    """Return which pictures are written of each prediction, `labels` always among them.

    Raises:
        UsageError: Something else is asked for, which needs all pictures in one folder.
    """
    from segnext.predict.prediction import PICTURES

    others = [f"--save {name}" for name in outputs if name not in PICTURES]
    others += [] if suggest is None else ["--suggest"]
    if others:
        msg = f"{others[0]} needs all pictures at once; run it without shards, --engine and URLs"
        raise UsageError(msg)
    return [name for name in PICTURES if name in {"labels", *outputs}]


def predict_bulk(options: BulkOptions, job: "Job", predictor: "Predictor") -> None:
    """Do it, and print a summary; exit code 1 if a picture failed."""
    from segnext.predict.bulk import Worker, list_pictures, predict_listed, predict_on_ray

    engine: BulkEngine
    if options.engine == "ray":
        engine = functools.partial(
            predict_on_ray, job=job, workers=options.workers, address=options.ray_address
        )
    else:
        engine = Worker(job, predictor).run
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("listing", total=None)
        summary = predict_listed(
            list_pictures(options.source),
            job,
            engine,
            shard=options.shard,
            stop_on_error=options.stop_on_error,
            on_picture=lambda so_far: bar.update(task, description=_count(so_far)),
        )
    _print_summary(summary, options, job.out)
    if summary.failed:
        raise typer.Exit(1)


def _count(summary: "Summary") -> str:
    return f"{summary.done:,} predicted, {summary.skipped:,} skipped, {summary.failed:,} failed"


def _print_summary(summary: "Summary", options: BulkOptions, out: str) -> None:
    shard = options.shard
    part = f"part {shard.index}/{shard.count}: " if shard.count > 1 else ""
    skipped = f", {summary.skipped:,} were finished before" if summary.skipped else ""
    Console(soft_wrap=True, highlight=False, markup=False).print(
        f"{part}{summary.done:,} predicted{skipped}: {out.rstrip('/')}/manifest"
    )
    errors = Console(stderr=True, soft_wrap=True, markup=False, highlight=False)
    if summary.failed:
        errors.print(f"{summary.failed:,} failed:")
        for problem in summary.errors:
            errors.print(f"  {problem}")
        if summary.failed > len(summary.errors):
            errors.print(f"  and {summary.failed - len(summary.errors):,} more, in the manifest")
