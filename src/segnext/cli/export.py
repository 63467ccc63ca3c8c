"""`segnext export`: weights to a file for another runtime."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from segnext.cli.options import Format, IgnoreIndex, Weights
from segnext.errors import UsageError

if TYPE_CHECKING:
    from segnext.deploy import ExportReport


def export(
    weights: Weights,
    out: Annotated[
        Path,
        typer.Argument(
            help="File to write: .onnx, .xml (OpenVINO), .pt2 (AOTInductor) or .pte (ExecuTorch).",
            show_default=False,
        ),
    ],
    output: Annotated[
        str, typer.Option(help="logits at the network's stride, or labels of every pixel.")
    ] = "logits",
    pixels: Annotated[
        bool, typer.Option("--pixels", help="Take stored uint8 pixels and normalise them inside.")
    ] = False,
    dynamic: Annotated[
        bool, typer.Option("--dynamic", help="Take any size and batch; the default without --size.")
    ] = False,
    size: Annotated[
        str | None,
        typer.Option(help="HEIGHTxWIDTH of every input (px), such as 512x512.", show_default=False),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option(min=1, help="Pictures at once. (default: 1 with --size, else any number)"),
    ] = None,
    int8: Annotated[
        bool,
        typer.Option(
            "--int8", help="Weights and activations in 8 bits, but for what that would harm."
        ),
    ] = False,
    int8_all: Annotated[
        bool, typer.Option("--int8-all", help="8 bits wherever the tool knows how.")
    ] = False,
    calibrate: Annotated[
        Path | None,
        typer.Option(
            help="For int8: a folder of pictures, or a data set whose train split is taken. "
            "(default: the train split of --data)",
            show_default=False,
        ),
    ] = None,
    calibration_pictures: Annotated[
        int, typer.Option(min=1, help="How many of them at most.")
    ] = 64,
    fp16: Annotated[
        bool, typer.Option("--fp16", help="Weights in float16; in ONNX activations, too.")
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option(help="Data set to measure the mIoU on, before and after.", show_default=False),
    ] = None,
    split: Annotated[str, typer.Option(help="Of --data: train, val or test.")] = "val",
    ignore_index: IgnoreIndex = None,
    format_: Format = None,
    bundle: Annotated[
        Path | None,
        typer.Option(
            help="New folder for a copy with a picture, its mask, and examples in Python and C++ "
            "that reproduce it; needs --pixels --output labels.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON alone on standard output.")
    ] = False,
) -> None:
    """Write weights as a file for ONNX Runtime, OpenVINO, AOTInductor or ExecuTorch.

    The file is loaded back and compared with PyTorch before it counts; what was found is printed
    and written to OUT.report.json. Classes, colours and normalisation are in the file: segnext
    predict takes it like weights.

    Example: segnext export best.safetensors roads.xml --int8 --data roads/
    """
    from segnext.deploy import export as run_export

    if dynamic and size is not None:
        msg = "--dynamic and --size exclude each other: a file takes any size, or one"
        raise UsageError(msg)
    options: dict[str, Any] = {"output": output}
    with Console(stderr=True).status("reading") as status:
        report = run_export(
            weights,
            out,
            data=data,
            split=split,
            ignore_index=tuple(ignore_index or ()),
            data_format=format_,
            int8=int8,
            int8_all=int8_all,
            calibrate=calibrate,
            calibration_pictures=calibration_pictures,
            fp16=fp16,
            size=None if size is None else _parse_size(size),
            batch=batch,
            pixels=pixels,
            bundle=bundle,
            on_step=status.update,
            **options,
        )
    if as_json:
        typer.echo(json.dumps(report.to_dict()))
    else:
        _print_report(report)


def _parse_size(text: str) -> tuple[int, int]:
    height, cross, width = text.lower().partition("x")
    if not (cross and height.isdigit() and width.isdigit()):
        msg = f"--size {text!r}: should read HEIGHTxWIDTH, such as 512x512"
        raise UsageError(msg)
    return int(height), int(width)


def _print_report(report: "ExportReport") -> None:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, told in describe_report(report):
        table.add_row(name, told)
    Console(highlight=False, markup=False).print(table)


def describe_report(report: "ExportReport") -> list[tuple[str, str]]:
    """Return a report in lines for people, each with what it is about."""
    description, parity, latency = report.description, report.parity, report.latency
    size, batch = description.size, description.batch
    sides = "any height and width" if size is None else f"{size[0]}x{size[1]} px"
    if description.multiple > 1:
        sides += f" in multiples of {description.multiple}"
    taken = "pixels" if description.pixels else "normalised images"
    logits = parity.max_abs_logit_difference
    differ = "" if logits is None else f"logits differ by up to {logits:.2g}, "
    lines = [
        ("written", ", ".join(f"{name} {_megabytes(b)}" for name, b in report.sizes.items())),
        ("as", f"{report.format}, {description.precision}"),
        ("takes", f"{taken}, {sides}, batch {'any' if batch is None else batch}"),
        ("gives", description.output),
        (
            "verified",
            f"{differ}{parity.equal_labels:.4%} of the labels equal, {parity.pictures} pictures",
        ),
        (
            "latency",
            f"{latency.file_ms:.1f} ms, the model in PyTorch {latency.model_ms:.1f} ms "
            f"({latency.height}x{latency.width}, to labels, {latency.threads} threads)",
        ),
        ("size", f"{_megabytes(report.total_bytes)}, the model {_megabytes(report.model_bytes)}"),
    ]
    score = report.score
    if score is not None:
        at_size = ""
        if score.before_at_size is not None:
            at_size = f" ({score.before_at_size:.2%} at the size of the file)"
        lines.append(
            (
                "mIoU",
                f"{score.before:.2%} before{at_size}, {score.after:.2%} after: "
                f"{100 * (score.after - score.before):+.2f} points on {score.images} pictures of "
                f"{score.split}, {score.protocol}",
            )
        )
    if report.bundle is not None:
        lines.append(("bundle", str(report.bundle)))
    return lines


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.2f} MB"
