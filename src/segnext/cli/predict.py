"""`segnext predict`: photos to masks on disk."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from segnext.cli.options import (
    MAPS,
    Backend,
    Bands,
    DatasetName,
    Device,
    Flip,
    Overlap,
    Precision,
    ProtocolName,
    Scales,
    ShortSide,
    Stride,
    Threads,
    ValueRange,
    Weights,
    Window,
    build_protocol,
    parse_bands,
    parse_value_range,
)
from segnext.cli.predict_maps import predict_maps
from segnext.errors import UsageError

if TYPE_CHECKING:
    from segnext.predict import Report


def predict(
    weights: Weights,
    paths: Annotated[
        list[str], typer.Argument(help="Pictures, folders or patterns.", show_default=False)
    ],
    out: Annotated[Path, typer.Option(help="Output folder.")] = Path("predictions"),
    confidence: Annotated[
        bool, typer.Option("--confidence", help="Also write confidence pictures.")
    ] = False,
    as_maps: Annotated[
        bool,
        typer.Option(
            "--map",
            help="Rasters of any size to GeoTIFFs of the same place, in bounded memory; needs the "
            "extra geo.",
            rich_help_panel=MAPS,
        ),
    ] = False,
    polygons: Annotated[
        str | None,
        typer.Option(help="Also outlines of the classes: gpkg or geojson.", rich_help_panel=MAPS),
    ] = None,
    bands: Bands = None,
    value_range: ValueRange = None,
    protocol: ProtocolName = None,
    dataset: DatasetName = None,
    window: Window = None,
    stride: Stride = None,
    short_side: ShortSide = None,
    scales: Scales = None,
    overlap: Overlap = None,
    flip: Flip = False,
    device: Device = None,
    backend: Backend = "auto",
    threads: Threads = None,
    precision: Precision = "float32",
) -> None:
    """Predict masks: a palette PNG and an overlay for each picture, and the areas of all classes.

    Writes masks/, overlays/ and areas.json below the output folder. What the same weights have
    done there is skipped. A broken file is listed at the end, with exit code 1.

    With --map: maps/ and areas/ of GeoTIFFs and CSV, in windows of 1024 px unless told otherwise.

    Example: segnext predict best.safetensors photos/ extra.jpg --out masks/

    Example: segnext predict best.safetensors ortho.tif --map --polygons gpkg
    """
    from segnext.inference import open_networks
    from segnext.inference.protocols import find_dataset
    from segnext.maps import MapOptions, map_protocol
    from segnext.predict import Predictor, find_images, fingerprint, predict_images
    from segnext.weights import member_files, spec_of

    map_only = {"--polygons": polygons, "--bands": bands, "--value-range": value_range}
    stray = [name for name, value in map_only.items() if value is not None]
    if stray and not as_maps:
        msg = f"{stray[0]} is for maps; add --map"
        raise UsageError(msg)
    options = MapOptions(parse_bands(bands), parse_value_range(value_range), confidence, polygons)
    images = find_images(paths)
    files = member_files(weights)
    networks = open_networks(
        files, backend=backend, device=device, threads=threads, precision=precision
    )
    spec = spec_of(networks[0])
    chosen = build_protocol(
        map_protocol(spec.protocol)[0] if as_maps else spec.protocol,
        name=protocol,
        dataset=find_dataset(spec.classes, told=dataset),
        short_side=short_side,
        window=window,
        stride=stride,
        scales=scales,
        overlap=overlap,
        flip=flip,
    )
    if as_maps:
        predict_maps(networks, chosen, images, out, options, fingerprint(files))
        return
    predictor = Predictor(networks, protocol=chosen)
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("predicting", total=len(images))
        report = predict_images(
            predictor,
            images,
            out,
            confidence=confidence,
            made_by=fingerprint(files),
            on_image=lambda done: bar.update(task, completed=done),
        )
    _print_report(report, out, networks[0].name)
    if report.failed:
        raise typer.Exit(1)


def _print_report(report: "Report", out: Path, backend: str) -> None:
    skipped = f", {len(report.skipped)} were there already" if report.skipped else ""
    Console(soft_wrap=True, highlight=False).print(
        f"{len(report.done)} predicted by {backend}{skipped}: {out / 'masks'}, {out / 'overlays'}, "
        f"{out / 'areas.json'}"
    )
    errors = Console(stderr=True, soft_wrap=True, markup=False, highlight=False)
    if report.failed:
        errors.print(f"{len(report.failed)} failed:")
    for _, problem in report.failed:
        errors.print(f"  {problem}")
