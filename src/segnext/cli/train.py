"""`segnext train`: a folder of photos and masks to weights."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from segnext.cli.options import (
    Budget,
    Device,
    Domain,
    Format,
    Group,
    IgnoreIndex,
    Init,
    Memory,
    Model,
    Overrides,
    SplitSeed,
)
from segnext.errors import UsageError

# Instead of a recipe's name.
_LIST = "list"


def train(
    data: Annotated[
        Path | None,
        typer.Argument(
            help="Folder or .zip of photos and labels, or a data.yaml.", show_default=False
        ),
    ] = None,
    model: Model = None,
    init: Init = None,
    encoder: Annotated[
        str | None,
        typer.Option(
            help="Weights to take the encoder alone from, such as those of segnext classify train."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Run folder. (default: the next free one under runs/)")
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with the run in this folder.")] = None,
    budget: Budget = None,
    max_steps: Annotated[
        int | None, typer.Option(min=1, help="Optimizer steps, instead of a budget.")
    ] = None,
    crop: Annotated[
        str | None, typer.Option(help="Training crop HEIGHTxWIDTH (px), such as 256x320.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Pictures per step.")] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Of the encoder, after warm-up.")
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(help="cross_entropy, ohem, focal, dice, lovasz or boundary; sums by --set."),
    ] = None,
    domain: Domain = None,
    teacher: Annotated[
        str | None, typer.Option(help="Weights of a model to learn from as well.")
    ] = None,
    unlabelled: Annotated[
        Path | None, typer.Option(help="Folder of further pictures, for the teacher.")
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(min=2, help="Cross-validate: as many runs, each with another part as val."),
    ] = None,
    find_lr: Annotated[
        bool,
        typer.Option("--find-lr", help="Only find a learning rate, by a range test with a plot."),
    ] = False,
    find_batch: Annotated[
        bool,
        typer.Option("--find-batch", help="Only find the largest batch that fits into --memory."),
    ] = False,
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="The same bits twice on one machine.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, do one step, write nothing.")
    ] = False,
    precision: Annotated[str | None, typer.Option(help="fp32, bf16 or fp16.")] = None,
    memory: Memory = None,
    device: Device = None,
    workers: Annotated[int | None, typer.Option(min=0, help="Processes that read ahead.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of everything random.")] = None,
    format_: Format = None,
    group: Group = None,
    ignore_index: IgnoreIndex = None,
    split_seed: SplitSeed = 0,
    license_: Annotated[
        str | None, typer.Option("--license", help="Terms of the trained weights, kept in them.")
    ] = None,
    plan: Annotated[
        Path | None,
        typer.Option(help="YAML file of options: a plan.yaml, or a run's config.yaml."),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(help="Recipe of the paper, such as ade20k/segnext_tiny; list shows all."),
    ] = None,
    overrides: Overrides = None,
    report: Annotated[
        bool,
        typer.Option(
            "--report/--no-report",
            help="At the end, beyond the budget, explain the best weights' score in RUN/report.",
        ),
    ] = True,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing.")] = False,
) -> None:
    """Train a model. Whatever is not given is chosen for the data and the machine, and explained.

    Example: segnext train roads/ --budget 30m

    With options: segnext train roads/ --model segnext_small --crop 512x512 --set ema_decay=0.9995

    As in the paper: segnext train ADEChallengeData2016 --recipe ade20k/segnext_tiny

    In many processes: torchrun --nproc-per-node 4 -m segnext train roads/

    Exit codes: 0 done, 1 failed, 2 wrong use, 130 stopped by Ctrl-C and 143 by SIGTERM, saved.
    """
    from segnext.report.after_training import cross_validate
    from segnext.report.after_training import train as run_training
    from segnext.training.arguments import parse_overrides, read_config
    from segnext.training.recipes import apply_recipe

    if recipe == _LIST:
        _print_recipes()
        return
    if recipe is not None and plan is not None:
        msg = f"--recipe {recipe} and --plan {plan} both say everything; give one of them"
        raise UsageError(msg)
    named = {
        "data": data,
        "model": model,
        "init": init,
        "encoder": encoder,
        "budget": budget,
        "max_steps": max_steps,
        "crop_size": _parse_crop(crop) if crop is not None else None,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "loss": loss,
        "domain": domain,
        "teacher": teacher,
        "unlabelled": unlabelled,
        "precision": precision,
        "memory": memory,
        "device": device,
        "num_workers": workers,
        "seed": seed,
        "group": group,
        "format": format_,
        "ignore_index": tuple(ignore_index) if ignore_index else None,
        "split_seed": split_seed or None,
        "license": license_,
        "deterministic": deterministic or None,
    }
    given = {name: value for name, value in named.items() if value is not None}
    given |= parse_overrides(overrides or [])
    options: dict[str, Any]
    if recipe is not None:
        options = apply_recipe(recipe, given)
    else:
        options = (read_config(plan) if plan is not None else {}) | given
    if find_lr or find_batch:
        _find(options, find_lr=find_lr, find_batch=find_batch, out=out, quiet=quiet)
        return
    if folds is not None and resume is None and not dry_run:
        told = {name: value for name, value in options.items() if name not in ("folds", "fold")}
        cross_validate(folds=folds, out=out, report=report, quiet=quiet, **told)
    else:
        options |= {"folds": folds} if folds is not None else {}
        run_training(resume=resume, out=out, dry_run=dry_run, report=report, quiet=quiet, **options)


def _find(
    options: dict[str, Any], *, find_lr: bool, find_batch: bool, out: Path | None, quiet: bool
) -> None:
    from segnext.training.run import find

    if find_lr and find_batch:
        msg = "--find-lr and --find-batch are two trials; find the batch first, then its rate"
        raise UsageError(msg)
    if "data" not in options:
        msg = "no data given: segnext train DIR --find-lr"
        raise UsageError(msg)
    find("lr" if find_lr else "batch", out=out, quiet=quiet, **options)


def _print_recipes() -> None:
    from rich.table import Table

    from segnext.training.recipes import list_recipes, read_recipe

    table = Table("recipe", "crop", "batch", "steps", "score to expect", box=None)
    for name in list_recipes():
        recipe = read_recipe(name)
        options, score = recipe.options, recipe.notes["score"]
        height, width = options["crop_size"]
        steps = f"{options['max_steps']:,}"
        # The source of a score stands in parentheses; it is in the file.
        shown = score.partition(" (")[0]
        table.add_row(name, f"{height}x{width}", str(options["batch_size"]), steps, shown)
    console = Console()
    console.print(table)
    console.print(
        "\nbatch: of all processes. segnext train DIR --recipe NAME; options given go first.",
        highlight=False,
    )


def _parse_crop(text: str) -> tuple[int, int]:
    height, cross, width = text.lower().partition("x")
    if not (cross and height.isdigit() and width.isdigit()):
        msg = f"{text!r} should read HEIGHTxWIDTH, such as 256x320"
        raise typer.BadParameter(msg, param_hint="--crop")
    return int(height), int(width)
