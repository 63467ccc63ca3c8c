"""`segnext evaluate`: weights and a labelled folder to a score."""

import functools
import json
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

if TYPE_CHECKING:
    from segnext.evaluation import Comparison, Evaluation

ALL_PROTOCOLS = "all"


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
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON alone on standard output.")
    ] = False,
) -> None:
    """Score weights on a split: mIoU, per-class IoU, accuracies, Dice.

    mIoU is taken over the confusion matrix of the whole split; classes found neither in truth
    nor in prediction are left out and named. The protocol is part of the result.
    --protocol all scores by every protocol, and shows what each choice of the default is worth.

    Example: segnext evaluate runs/roads-segnext_tiny-1/best.safetensors roads/ --split test
    """
    from segnext.data import open_folder
    from segnext.evaluation import Comparison, Evaluation, compare_protocols
    from segnext.evaluation import evaluate as run_evaluation
    from segnext.inference import open_networks
    from segnext.inference.protocols import find_dataset
    from segnext.weights import spec_of

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
        result: Comparison | Evaluation
        if protocol == ALL_PROTOCOLS:
            result = compare_protocols(networks, folder, default=chosen, **options)
        else:
            result = run_evaluation(networks, folder, protocol=chosen, **options)
    if as_json:
        typer.echo(json.dumps(result.to_dict()))
    elif isinstance(result, Comparison):
        _print_comparison(result)
    else:
        _print_tables(result)


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
