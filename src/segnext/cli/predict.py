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
from segnext.cli.predict_bulk import (
    Engine,
    OnError,
    RayAddress,
    ShardOption,
    Workers,
    bulk_options,
    choose_pictures,
    predict_bulk,
)
from segnext.cli.predict_maps import predict_maps
from segnext.errors import UsageError

if TYPE_CHECKING:
    from segnext.predict import Report


PICTURES_BY_DEFAULT = "labels,overlay"


def predict(
    weights: Weights,
    paths: Annotated[
        list[str],
        typer.Argument(
            help="Pictures, folders or patterns; or one URL of a folder or one .txt of paths and "
            "URLs.",
            show_default=False,
        ),
    ],
    out_place: Annotated[str, typer.Option("--out", help="Output folder, or its URL.")] = (
        "predictions"
    ),
    save: Annotated[
        str,
        typer.Option(
            help="What to write, with commas between: labels (always), overlay, contours, "
            "confidence, areas (CSV), coco (polygons), coco-rle, labelme, cvat, label-studio, yolo."
        ),
    ] = PICTURES_BY_DEFAULT,
    confidence: Annotated[
        bool, typer.Option("--confidence", help="Also write confidence pictures.")
    ] = False,
    suggest: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Write suggest.csv: so many of the pictures, the one whose label would teach "
            "most first. Writes confidence pictures, too.",
        ),
    ] = None,
    shard: ShardOption = None,
    engine: Engine = None,
    workers: Workers = None,
    ray_address: RayAddress = None,
    on_error: OnError = None,
    as_maps: Annotated[
        bool,
        typer.Option(
            "--map",
            help="Rasters of any size to GeoTIFFs of the same place, in bounded memory; needs "
            "segnext[geo].",
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

    Writes masks/, overlays/ and areas.json below the output folder, and on request files for
    annotation programs. What the same weights have done there is skipped. A broken file is listed
    at the end, with exit code 1.

    With --shard, --engine, a URL or a .txt: for millions of pictures. Output names keep the
    pictures' suffixes, and manifest/ tells what is finished and the areas, in place of areas.json.

    With --map: maps/ and areas/ of GeoTIFFs and CSV, in windows of 1024 px unless told otherwise.

    Example: segnext predict best.safetensors photos/ extra.jpg --out masks/ --save labels,cvat

    Example: segnext predict best.safetensors s3://bucket/photos --out s3://bucket/out --shard 3/16

    Example: segnext predict best.safetensors ortho.tif --map --polygons gpkg
    """
    from segnext.inference import open_networks
    from segnext.inference.protocols import find_dataset
    from segnext.maps import MapOptions, map_protocol
    from segnext.predict import (
        Predictor,
        find_images,
        fingerprint,
        predict_images,
        suggest_pictures,
        write_suggestions,
    )
    from segnext.predict.bulk import Job
    from segnext.predict.writers.registry import check_outputs, list_places
    from segnext.weights import member_files, spec_of

    map_only = {"--polygons": polygons, "--bands": bands, "--value-range": value_range}
    stray = [name for name, value in map_only.items() if value is not None]
    if stray and not as_maps:
        msg = f"{stray[0]} is for maps; add --map"
        raise UsageError(msg)
    options = MapOptions(parse_bands(bands), parse_value_range(value_range), confidence, polygons)
    outputs = [name.strip() for name in save.split(",") if name.strip()]
    check_outputs(outputs)
    bulk = bulk_options(paths, out_place, shard, engine, workers, ray_address, on_error)
    if bulk and as_maps:
        msg = "--map takes local files, without shards and --engine"
        raise UsageError(msg)
    if as_maps and (suggest is not None or save != PICTURES_BY_DEFAULT):
        msg = "--save and --suggest are for pictures; leave them out with --map"
        raise UsageError(msg)
    if bulk:
        outputs = choose_pictures([*outputs, *(["confidence"] if confidence else [])], suggest)
    images = {} if bulk else find_images(paths)
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
        predict_maps(networks, chosen, images, Path(out_place), options, fingerprint(files))
        return
    predictor = Predictor(networks, protocol=chosen)
    if bulk:
        job = Job(
            tuple(files),
            fingerprint(files),
            chosen,
            out_place,
            backend=backend,
            device=device,
            threads=threads,
            precision=precision,
            how={"outputs": outputs},
        )
        predict_bulk(bulk, job, predictor)
        return
    out = Path(out_place)
    columns = (*Progress.get_default_columns(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("predicting", total=len(images))
        report = predict_images(
            predictor,
            images,
            out,
            outputs=outputs,
            confidence=confidence or suggest is not None,
            made_by=fingerprint(files),
            on_image=lambda done: bar.update(task, completed=done),
            on_write=lambda name: bar.update(task, description=f"writing {name}"),
        )
        if suggest is not None:
            bar.update(task, description="comparing pictures")
            finished = {*report.done, *report.skipped}
            kept = {name: path for name, path in images.items() if name in finished}
            suggestions = suggest_pictures(out, kept, spec.classes, suggest)
            write_suggestions(out / "suggest.csv", suggestions)
    if confidence or suggest is not None:
        outputs.append("confidence")
    written = [out / place for place in list_places(outputs)]
    if suggest is not None:
        written.append(out / "suggest.csv")
    _print_report(report, written, networks[0].name)
    if report.failed:
        raise typer.Exit(1)


def _print_report(report: "Report", written: list[Path], backend: str) -> None:
    skipped = f", {len(report.skipped)} were there already" if report.skipped else ""
    Console(soft_wrap=True, highlight=False).print(
        f"{len(report.done)} predicted by {backend}{skipped}: {', '.join(map(str, written))}"
    )
    errors = Console(stderr=True, soft_wrap=True, markup=False, highlight=False)
    if report.failed:
        errors.print(f"{len(report.failed)} failed:")
    for _, problem in report.failed:
        errors.print(f"  {problem}")
