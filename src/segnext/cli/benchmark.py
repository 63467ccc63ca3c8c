"""`segnext benchmark`: what models cost and how fast this machine runs them."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from segnext.cli.options import Device
from segnext.cli.progress import counting_bar
from segnext.errors import UsageError

if TYPE_CHECKING:
    from segnext.benchmark import Benchmark


def benchmark(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL]...",
            help="Names of models, weights of segnext, or exported files (.onnx, .xml, .pt2, "
            ".pte). (default: every model of segnext models)",
            show_default=False,
        ),
    ] = None,
    sizes: Annotated[
        str, typer.Option(help="HEIGHTxWIDTH (px) with commas between, such as 512x512,1024x2048.")
    ] = "512x512",
    backends: Annotated[
        str,
        typer.Option(
            help="Names with commas between, such as folded,openvino; all; or auto, the fastest "
            "that is installed. An exported file has its own."
        ),
    ] = "auto",
    num_classes: Annotated[
        int, typer.Option(min=1, help="K of models that are given by name.")
    ] = 150,
    batch: Annotated[int, typer.Option(min=1, help="Images in a call.")] = 1,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads on the CPU; torch's number by default.")
    ] = None,
    device: Device = None,
    precision: Annotated[
        str, typer.Option(help="float32, bfloat16 or float16, several with commas between.")
    ] = "float32",
    output: Annotated[
        str, typer.Option(help="labels of every pixel, or logits at stride 8.")
    ] = "labels",
    rounds: Annotated[int, typer.Option(min=1, help="Timed turns of every row.")] = 9,
    memory: Annotated[
        bool, typer.Option(help="Measure peak memory, in a process of its own for every row.")
    ] = True,
    per_module: Annotated[
        bool, typer.Option("--per-module", help="Show the costs of every module, too.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON alone on standard output.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for benchmark.json and benchmark.png.", show_default=False),
    ] = None,
) -> None:
    """Count parameters, MACs and FLOPs, and measure latency, throughput and peak memory.

    Backends of one model and size take turns: ratios hold on a busy machine, milliseconds less so.
    Models that are given by name have random weights. A backend that is missing or fails leaves a
    row that says why; the exit code is 1 if no row could be measured.

    Example: segnext benchmark segnext_tiny segnext_small --backends folded,openvino --out bench
    """
    from segnext.benchmark import (
        check_options,
        choose_backends,
        find_subjects,
        list_cases,
        run_benchmark,
        save_benchmark,
    )
    from segnext.inference import choose_device
    from segnext.inference.backends import BACKENDS, open_runner
    from segnext.models import MODELS

    wanted_sizes = [_parse_size(size) for size in _split("--sizes", sizes)]
    precisions = _split("--precision", precision)
    check_options(wanted_sizes, precisions, output, batch)
    cases = list_cases(
        find_subjects(models or list(MODELS), num_classes),
        wanted_sizes,
        choose_backends(_split("--backends", backends), BACKENDS),
        precisions,
        batch=batch,
        output=output,
        device=device,
        threads=threads,
    )
    with counting_bar("measuring") as show:
        found = run_benchmark(
            cases,
            opener=open_runner,
            backends=BACKENDS,
            device=choose_device(device),
            rounds=rounds,
            memory=memory,
            on_step=show,
        )
    if as_json:
        typer.echo(json.dumps(found.to_dict(per_module=per_module)))
    else:
        _print_tables(found, per_module)
    if out is not None:
        written = save_benchmark(found, out, per_module=per_module)
        if not as_json:
            typer.echo(f"written to {out}: {' and '.join(path.name for path in written)}")
    if all(row.timing is None for row in found.rows):
        raise typer.Exit(1)


def _split(option: str, text: str) -> list[str]:
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        msg = f"{option} {text!r}: at least one value is needed"
        raise UsageError(msg)
    return parts


def _parse_size(text: str) -> tuple[int, int]:
    height, cross, width = text.lower().partition("x")
    if not (cross and height.isdigit() and width.isdigit()):
        msg = f"--sizes {text!r}: should read HEIGHTxWIDTH, such as 512x512"
        raise UsageError(msg)
    return int(height), int(width)


def _print_tables(found: "Benchmark", per_module: bool) -> None:
    from segnext.benchmark import build_module_table, print_benchmark

    print_benchmark(found)
    if per_module:
        console = Console()
        for (label, _), costs in found.counted().items():
            console.print()
            console.print(build_module_table(label, costs))
