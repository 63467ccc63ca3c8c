"""`segnext predict`: photos to masks on disk."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from segnext.cli.options import (
    Backend,
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
    Weights,
    Window,
    build_protocol,
)
from segnext.cli.predict_bulk import (
    Engine,
    OnError,
    RayAddress,
    ShardOption,
    Workers,
    bulk_options,
    predict_bulk,
)

if TYPE_CHECKING:
    from segnext.predict import Report


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
    confidence: Annotated[
        bool, typer.Option("--confidence", help="Also write confidence pictures.")
    ] = False,
    shard: ShardOption = None,
    engine: Engine = None,
    workers: Workers = None,
    ray_address: RayAddress = None,
    on_error: OnError = None,
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

    With --shard, --engine, a URL or a .txt: for millions of pictures. Output names keep the
    pictures' suffixes, and manifest/ tells what is finished and the areas, in place of areas.json.

    Example: segnext predict best.safetensors photos/ extra.jpg --out masks/

    Example: segnext predict best.safetensors s3://bucket/photos --out s3://bucket/out --shard 3/16
    """
    from segnext.inference import open_networks
    from segnext.inference.protocols import find_dataset
    from segnext.predict import Predictor, find_images, fingerprint, predict_images
    from segnext.predict.bulk import Job
    from segnext.weights import member_files, spec_of

    bulk = bulk_options(paths, out_place, shard, engine, workers, ray_address, on_error)
    images = {} if bulk else find_images(paths)
    files = member_files(weights)
    networks = open_networks(
        files, backend=backend, device=device, threads=threads, precision=precision
    )
    spec = spec_of(networks[0])
    chosen = build_protocol(
        spec.protocol,
        name=protocol,
        dataset=find_dataset(spec.classes, told=dataset),
        short_side=short_side,
        window=window,
        stride=stride,
        scales=scales,
        overlap=overlap,
        flip=flip,
    )
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
            how={"confidence": confidence},
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
