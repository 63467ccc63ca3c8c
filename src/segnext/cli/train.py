"""`segnext train`: a folder of photos and masks to weights."""

from pathlib import Path
from typing import Annotated, Any

import typer

from segnext.cli.options import Device, Group, IgnoreIndex, SplitSeed


def train(
    data: Annotated[
        Path | None,
        typer.Argument(help="Folder of photos and masks, or a data.yaml.", show_default=False),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Model name, see segnext models. [default: segnext_tiny]")
    ] = None,
    init: Annotated[
        str | None,
        typer.Option(help="none (from scratch) or a weights file to start from. [default: none]"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Run folder. [default: the next free one under runs/]")
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with the run in this folder.")] = None,
    budget: Annotated[
        str | None, typer.Option(help="Wall time of the run, such as 30m, 2h or 1h30m.")
    ] = None,
    max_steps: Annotated[
        int | None, typer.Option(min=1, help="Optimizer steps, instead of a budget.")
    ] = None,
    crop: Annotated[
        str | None, typer.Option(help="Training crop HEIGHTxWIDTH [px], such as 256x320.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Pictures per step.")] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Of the encoder, after warm-up.")
    ] = None,
    precision: Annotated[str | None, typer.Option(help="fp32 or bf16.")] = None,
    device: Device = None,
    workers: Annotated[int | None, typer.Option(min=0, help="Processes that read ahead.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of everything random.")] = None,
    group: Group = None,
    ignore_index: IgnoreIndex = None,
    split_seed: SplitSeed = 0,
    license_: Annotated[
        str | None, typer.Option("--license", help="Terms of the trained weights, kept in them.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="YAML file of options, such as a run's config.yaml.")
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any other option, name=value. May be repeated."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing.")] = False,
) -> None:
    """Train a model. Whatever is not given is chosen for the data and the machine, and explained.

    Example: segnext train roads/ --budget 30m

    With options: segnext train roads/ --model segnext_small --crop 512x512 --set ema_decay=0.9995
    """
    from segnext.training.config import parse_overrides, read_config
    from segnext.training.run import train as run_training

    options: dict[str, Any] = read_config(config) if config is not None else {}
    given = {
        "data": data,
        "model": model,
        "init": init,
        "budget": budget,
        "max_steps": max_steps,
        "crop_size": _parse_crop(crop) if crop is not None else None,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "precision": precision,
        "device": device,
        "num_workers": workers,
        "seed": seed,
        "group": group,
        "ignore_index": tuple(ignore_index) if ignore_index else None,
        "split_seed": split_seed or None,
        "license": license_,
    }
    options |= {name: value for name, value in given.items() if value is not None}
    options |= parse_overrides(overrides or [])
    run_training(resume=resume, out=out, quiet=quiet, **options)


def _parse_crop(text: str) -> tuple[int, int]:
    height, cross, width = text.lower().partition("x")
    if not (cross and height.isdigit() and width.isdigit()):
        msg = f"{text!r} should read HEIGHTxWIDTH, such as 256x320"
        raise typer.BadParameter(msg, param_hint="--crop")
    return int(height), int(width)
