"""`segnext evaluate`: weights and a labelled folder to a score."""

import functools
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, TaskID

from segnext.cli.options import (
    BACKEND_HELP,
    Data,
    DatasetName,
    Device,
    Flip,
    Format,
    Group,
    IgnoreIndex,
    Overlap,
    Precision,
    ProtocolName,
    Scales,
    ShortSide,
    SplitSeed,
    Stride,
    Threads,
    Weights,
    Window,
    build_protocol,
)
from segnext.errors import UsageError

if TYPE_CHECKING:
    from segnext.evaluation import Comparison, Evaluation
    from segnext.report import Duel, Report

ALL_PROTOCOLS = "all"
# What a report knows and an evaluation does not, in its JSON.
ADDED_BY_REPORT = ("interval", "worst_class", "mean_boundary_iou", "cost", "starts")


def evaluate(
    weights: Weights,
    data: Data,
    split: Annotated[str, typer.Option(help="train, val or test.")] = "val",
    protocol: ProtocolName = None,
    dataset: DatasetName = None,
    window: Window = None,
    stride: Stride = None,
    short_side: ShortSide = None,
    scales: Scales = None,
    overlap: Overlap = None,
    flip: Flip = False,
    device: Device = None,
    backend: Annotated[
        str | None,
        typer.Option(help=f"{BACKEND_HELP} (default: eager)"),
    ] = None,
    threads: Threads = None,
    precision: Precision = "float32",
    format_: Format = None,
    group: Group = None,
    ignore_index: IgnoreIndex = None,
    split_seed: SplitSeed = 0,
    stitch: Annotated[
        bool,
        typer.Option("--stitch", help="Put patches together and score whole pictures."),
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(help="Folder to write a page to that explains the score, with all figures."),
    ] = None,
    compare: Annotated[
        str | None,
        typer.Option(help="Other weights: what is the difference, and may it be chance?"),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, help="Also score with this many other starts of the decomposition."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON alone on standard output.")
    ] = False,
) -> None:
    """Score weights on a split: mIoU, per-class IoU, accuracies, Dice.

    mIoU is taken over the confusion matrix of the whole split; classes found neither in truth
    nor in prediction are left out and named. The protocol is part of the result.
    --protocol all scores by every protocol, and shows what each choice of the default is worth.
    --report DIR writes DIR/index.html: worst pictures, confusions, borders, sizes, confidence.
    --compare WEIGHTS tells whether other weights are better on the same pictures.

    Example: segnext evaluate runs/roads-segnext_tiny-1/best.safetensors roads/ --split test
    """
    import numpy as np

    from segnext.data import open_folder
    from segnext.evaluation import Comparison, Evaluation, compare_protocols
    from segnext.evaluation import evaluate as run_evaluation
    from segnext.inference import open_networks
    from segnext.inference.protocols import find_dataset
    from segnext.metrics import compute_metrics
    from segnext.weights import spec_of

    _check_together(protocol, report, compare, seeds)
    networks = open_networks(
        weights, backend=backend, device=device, threads=threads, precision=precision
    )
    spec = spec_of(networks[0])
    folder = open_folder(
        data,
        group=group,
        ignore_index=tuple(ignore_index or ()),
        split_seed=split_seed,
        format=format_,
    )
    dataset = find_dataset(spec.classes, folder.format, dataset)
    chosen = build_protocol(
        spec.protocol,
        name=None if protocol == ALL_PROTOCOLS else protocol,
        dataset=dataset,
        short_side=short_side,
        window=window,
        stride=stride,
        scales=scales,
        overlap=overlap,
        flip=flip,
    )
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"evaluating {split}", total=None)
        show = functools.partial(_show_progress, bar, task)
        options: dict[str, Any] = {
            "split": split,
            "dataset": dataset,
            "stitch": stitch,
            "on_image": show,
        }
        result: Comparison | Evaluation | Duel
        found: Report | None = None
        if compare is not None:
            from segnext.report import compare_models

            others = open_networks(
                compare, backend=backend, device=device, threads=threads, precision=precision
            )
            result = compare_models(
                networks,
                others,
                folder,
                report,
                names=(weights, compare),
                # Each by its own, unless one is asked for.
                protocol=None if chosen == spec.protocol else chosen,
                **options,
            )
        elif report is not None or seeds is not None:
            from segnext.report import make_report

            found = make_report(
                networks, folder, report, name=weights, protocol=chosen, seeds=seeds, **options
            )
            counts = np.array(found.confusion)
            used = replace(spec, protocol=chosen)
            metrics = compute_metrics(counts)
            result = Evaluation(metrics, used, split, found.images, counts, dataset)
        elif protocol == ALL_PROTOCOLS:
            result = compare_protocols(networks, folder, default=chosen, **options)
        else:
            result = run_evaluation(networks, folder, protocol=chosen, **options)
    if as_json:
        known = {} if found is None else found.to_dict()
        added = {key: value for key, value in known.items() if key in ADDED_BY_REPORT}
        typer.echo(json.dumps(result.to_dict() | added))
        return
    if isinstance(result, Comparison):
        _print_comparison(result)
    elif isinstance(result, Evaluation):
        _print_tables(result)
    else:
        _print_duel(result)
    if found is not None:
        _print_found(found)
    if report is not None:
        from segnext.report import PAGE

        _print_line(f"page: {report / PAGE}")


def _check_together(
    protocol: str | None, report: Path | None, compare: str | None, seeds: int | None
) -> None:
    """Refuse options that answer different questions."""
    if protocol == ALL_PROTOCOLS and (report or compare or seeds):
        msg = "--protocol all goes without --report, --compare and --seeds; name one protocol"
        raise UsageError(msg)
    if compare and seeds:
        msg = "--seeds tells about one model; leave --compare out"
        raise UsageError(msg)


def _show_progress(bar: Progress, task: TaskID, done: int, total: int) -> None:
    bar.update(task, completed=done, total=total)


def _print_comparison(comparison: "Comparison") -> None:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("protocol")
    for title in ("mIoU", "aAcc", "difference"):
        table.add_column(title, justify="right")
    table.add_column("what was done")
    for score in comparison.scores:
        table.add_row(
            score.name,
            f"{score.metrics.miou:.2%}",
            f"{score.metrics.pixel_accuracy:.2%}",
            f"{100 * comparison.difference(score):+.2f}",
            score.protocol.describe(),
        )
    console = Console()
    console.print(table)
    rules = comparison.dataset or "data of their own size"
    console.print(
        f"\n{comparison.split}, {comparison.images} pictures, rules for {rules}", highlight=False
    )


def _print_tables(evaluation: "Evaluation") -> None:
    from segnext.class_table import build_class_table

    console, metrics = Console(), evaluation.metrics
    console.print(build_class_table(evaluation.spec.classes.label_names, metrics))
    console.print(
        f"\n[bold]mIoU {metrics.miou:.2%}[/bold]  pixel accuracy {metrics.pixel_accuracy:.2%}  "
        f"mean accuracy {metrics.mean_accuracy:.2%}  mean Dice {metrics.mean_dice:.2%}  "
        f"frequency-weighted IoU {metrics.frequency_weighted_iou:.2%}",
        highlight=False,
        soft_wrap=True,
    )
    console.print(
        f"{evaluation.split}, {evaluation.images} pictures, {evaluation.spec.protocol.describe()}",
        highlight=False,
        soft_wrap=True,
    )
    if evaluation.ade20k_score is not None:
        console.print(
            f"scene parsing challenge: {evaluation.ade20k_score:.2%}, the mean of pixel accuracy "
            f"and mIoU over all classes",
            highlight=False,
            soft_wrap=True,
        )
    if evaluation.absent_names:
        console.print(
            f"left out, nowhere in truth or prediction: {', '.join(evaluation.absent_names)}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )


def _print_found(report: "Report") -> None:
    if report.interval is not None:
        low, high = (f"{100 * end:.1f}" for end in (report.interval.low, report.interval.high))
        _print_line(
            f"mIoU {low} to {high} %: {100 * report.interval.level:.0f} % interval, bootstrap over "
            f"{report.interval.units} {report.interval.over}"
        )
    if report.starts is not None:
        drawn = ", ".join(f"{100 * one:.3f}" for one in report.starts.drawn)
        spread = report.starts.spread
        deviation = "" if spread is None else f", standard deviation {100 * spread:.3f}"
        _print_line(
            f"other starts of the decomposition: {drawn}; mean {100 * report.starts.mean:.3f}"
            f"{deviation}; the stored one {100 * report.starts.fixed:.3f}"
        )


def _print_duel(duel: "Duel") -> None:
    from rich.table import Table

    from segnext.report import is_win, judge_duel

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("class")
    for title in ("first", "second", "difference", "95 % interval", "the second"):
        table.add_column(title, justify="right")
    for one in duel.classes:
        ends = one.interval
        table.add_row(
            one.name,
            _percent(one.first),
            _percent(one.second),
            _percent(one.difference, "+.1f"),
            "-" if ends is None else f"{100 * ends.low:+.1f} to {100 * ends.high:+.1f}",
            {True: "won", False: "lost", None: ""}[is_win(one)],
        )
    Console().print(table)
    _print_line(f"\n{judge_duel(duel)}")
    _print_line(f"first: {duel.first}; second: {duel.second}; {duel.images} pictures")


def _percent(value: float | None, form: str = ".1f") -> str:
    return "-" if value is None else f"{100 * value:{form}}"


def _print_line(text: str) -> None:
    Console().print(text, highlight=False, markup=False, soft_wrap=True)
