"""`segnext classify`: train, score and use MSCAN as a classifier of photos."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from segnext.cli.options import Budget, Device, Overrides

if TYPE_CHECKING:
    from segnext.classification.report import ClassReport

classify_app = typer.Typer(
    help="Classify photos: train MSCAN on ImageNet or your own classes, score it, predict.",
    no_args_is_help=True,
)

ClassifierWeights = Annotated[
    Path,
    typer.Argument(help="Weights of segnext classify train (.safetensors).", show_default=False),
]
Workers = Annotated[int | None, typer.Option(min=0, help="Processes that read ahead.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON alone on standard output.")]


@classify_app.command()
def train(
    data: Annotated[
        Path | None,
        typer.Argument(
            help="Folder with train/ and val/, and in them a folder of photos for each class.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="mscan_tiny, mscan_small, mscan_base or mscan_large. [default: mscan_tiny]"
        ),
    ] = None,
    init: Annotated[
        str | None,
        typer.Option(
            help="Weights to start from: a file or a published name. [default: none, from scratch]"
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Run folder. [default: the next free one under runs/]")
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with the run in this folder.")] = None,
    budget: Budget = None,
    epochs: Annotated[
        float | None, typer.Option(help="Passes over the photos. [default: 300, the recipe's]")
    ] = None,
    crop: Annotated[
        int | None,
        typer.Option(help="Side of training crops [px]. [default: 224; small pictures' own]"),
    ] = None,
    stem_stride: Annotated[
        int | None,
        typer.Option(help="Pixels per position of the first stage: 4, or 2 or 1 for small photos."),
    ] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Photos per step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="After warm-up.")] = None,
    precision: Annotated[str | None, typer.Option(help="fp32, bf16 or fp16.")] = None,
    device: Device = None,
    workers: Workers = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of everything random.")] = None,
    license_: Annotated[
        str | None, typer.Option("--license", help="Terms of the trained weights, kept in them.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="YAML file of options, such as a run's config.yaml."),
    ] = None,
    overrides: Overrides = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing.")] = False,
) -> None:
    """Train a classifier by the ImageNet recipe; whatever is not given is chosen and explained.

    Example: segnext classify train imagenet/ --model mscan_tiny

    Small pictures: segnext classify train cifar/ --stem-stride 1 --epochs 100 --set crop=padded

    In many processes: torchrun --nproc-per-node 8 -m segnext classify train imagenet/

    Then: segnext train roads/ --encoder runs/imagenet-mscan_tiny-1/best.safetensors

    Exit codes: 0 done, 1 failed, 2 wrong use, 130 stopped by Ctrl-C and 143 by SIGTERM, saved.
    """
    from segnext.classification import train_classifier
    from segnext.training.arguments import parse_overrides, read_config

    named = {
        "data": data,
        "model": model,
        "init": init,
        "budget": budget,
        "epochs": epochs,
        "crop_size": crop,
        "stem_stride": stem_stride,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "precision": precision,
        "device": device,
        "num_workers": workers,
        "seed": seed,
        "license": license_,
    }
    options: dict[str, Any] = read_config(config) if config is not None else {}
    options |= {name: value for name, value in named.items() if value is not None}
    options |= parse_overrides(overrides or [])
    train_classifier(resume=resume, out=out, quiet=quiet, **options)
