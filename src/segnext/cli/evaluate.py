"""`segnext evaluate`: weights and a labelled folder to a score."""

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from segnext.cli.options import (
    Data,
    Device,
    Flip,
    Format,
    Group,
    IgnoreIndex,
    Scales,
    ShortSide,
    SplitSeed,
    Stride,
    Weights,
    Window,
    build_protocol,
)

if TYPE_CHECKING:
    from segnext.evaluation import Evaluation


def evaluate(
    weights: Weights,
    data: Data,
    split: Annotated[str, typer.Option(help="train, val or test.")] = "val",
    window: Window = None,
    stride: Stride = None,
    short_side: ShortSide = None,
    scales: Scales = None,
    flip: Flip = False,
    device: Device = None,
    format_: Format = None,
    group: Group = None,
    ignore_index: IgnoreIndex = None,
    split_seed: SplitSeed = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON alone on standard output.")
    ] = False,
) -> None:
    """Score weights on a split: mIoU, per-class IoU, accuracies, Dice.

    mIoU is taken over the confusion matrix of the whole split; classes found neither in truth
    nor in prediction are left out and named. The protocol is part of the result.

    Example: segnext evaluate runs/roads-segnext_tiny-1/best.safetensors roads/ --split test
    """
    from segnext.evaluation import evaluate as run_evaluation
    from segnext.weights import load_models, spec_of

    models = load_models(weights)
    protocol = build_protocol(
        spec_of(models[0]).protocol,
        short_side=short_side,
        window=window,
        stride=stride,
        scales=scales,
        flip=flip,
    )
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"evaluating {split}", total=None)
        evaluation = run_evaluation(
            models,
            data,
            split=split,
            protocol=protocol,
            device=device,
            group=group,
            format=format_,
            ignore_index=tuple(ignore_index or ()),
            split_seed=split_seed,
            on_image=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if as_json:
        typer.echo(json.dumps(evaluation.to_dict()))
    else:
        _print_tables(evaluation)


def _print_tables(evaluation: "Evaluation") -> None:
    from segnext.class_table import build_class_table

    console, metrics = Console(), evaluation.metrics
    console.print(build_class_table(evaluation.spec.classes.label_names, metrics))
    console.print(
        f"\n[bold]mIoU {metrics.miou:.2%}[/bold]  pixel accuracy {metrics.pixel_accuracy:.2%}  "
        f"mean accuracy {metrics.mean_accuracy:.2%}  mean Dice {metrics.mean_dice:.2%}  "
        f"frequency-weighted IoU {metrics.frequency_weighted_iou:.2%}",
        highlight=False,
    )
    console.print(
        f"{evaluation.split}, {evaluation.images} pictures, {evaluation.spec.protocol.describe()}",
        highlight=False,
    )
    if evaluation.absent_names:
        console.print(
            f"left out, nowhere in truth or prediction: {', '.join(evaluation.absent_names)}"
        )
