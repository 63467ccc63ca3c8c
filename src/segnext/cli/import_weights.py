"""`segnext import-weights`: a checkpoint of another program to a weights file of ours."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from segnext.classes import Classes
from segnext.errors import UsageError, WeightsError, list_some
from segnext.spec import ModelSpec

if TYPE_CHECKING:
    from segnext.weights import ConvertedStateDict


def import_weights(
    source: Annotated[
        Path,
        typer.Argument(help="Checkpoint to convert: .pth and other torch files, or .safetensors."),
    ],
    output: Annotated[Path, typer.Argument(help="File to write, ending in .safetensors.")],
    classes: Annotated[
        str | None,
        typer.Option(help="Class names in order: a,b,c, or a classes.txt."),
    ] = None,
    num_classes: Annotated[
        int | None,
        typer.Option(help="Number of classes; another than the file's starts a new classifier."),
    ] = None,
    in_channels: Annotated[
        int | None,
        typer.Option(help="Image channels; other than the file's adapts the first convolution."),
    ] = None,
    license_: Annotated[
        str | None, typer.Option("--license", help="Terms of the weights, such as MIT.")
    ] = None,
) -> None:
    """Convert SegNeXt weights of the authors or of MMSegmentation, whole models or encoders.

    The file is read without running code from it. An encoder alone stays one, for
    segnext train --init, unless classes are given.

    Example: segnext import-weights segnext_tiny_ade20k.pth tiny.safetensors --license Apache-2.0
    """
    from segnext.weights import (
        build_from_state_dict,
        convert_state_dict,
        read_checkpoint,
        save_model,
    )

    _refuse_own(source)
    checkpoint = read_checkpoint(source)
    try:
        converted = convert_state_dict(checkpoint)
        model, notes = build_from_state_dict(
            converted,
            num_classes=num_classes,
            in_channels=in_channels,
            classes=None if classes is None else _read_classes(classes),
        )
    except WeightsError as error:
        msg = f"{source}: {error}"
        raise WeightsError(msg) from error
    assert model.spec is not None
    unstated = f"unstated (imported from {source.name}; see its source)"
    spec = replace(model.spec, license=license_ or unstated)
    save_model(model, output, spec)
    _report(source, output, converted, spec, notes)


def _refuse_own(source: Path) -> None:
    """Refuse files that would lose their class names and terms on the way."""
    from segnext.weights import read_spec

    try:
        read_spec(source)
    except WeightsError:
        return
    msg = f"{source}: is a segnext weights file already; use it as it is"
    raise UsageError(msg)


def _read_classes(value: str) -> Classes:
    if value.lower().endswith(".txt"):
        from segnext.data.taxonomy import read_classes

        return read_classes(Path(value)).classes
    return Classes(tuple(name.strip() for name in value.split(",") if name.strip()))


def _report(
    source: Path,
    output: Path,
    converted: "ConvertedStateDict",
    spec: ModelSpec,
    notes: tuple[str, ...],
) -> None:
    whole = f"{spec.classes.num_classes} classes"
    table = Table.grid(padding=(0, 2))
    table.add_row("model", f"{spec.model}, {'encoder only' if spec.encoder_only else whole}")
    table.add_row("channels", str(spec.normalization.channels))
    table.add_row("consumed", f"{len(converted.state_dict)} tensors of {source.name}")
    table.add_row("missing", _count(converted.missing))
    table.add_row("left over", _count(converted.left_over))
    for note in notes:
        table.add_row("note", note)
    if not spec.encoder_only:
        table.add_row("protocol", spec.protocol.describe())
    table.add_row("licence", spec.license)
    table.add_row("written", f"{output} ({output.stat().st_size / 1e6:.1f} MB)")
    Console(markup=False).print(table)


def _count(names: tuple[str, ...]) -> str:
    return f"{len(names)}: {list_some(names)}" if names else "none"
