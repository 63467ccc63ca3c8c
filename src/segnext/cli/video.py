"""`segnext video`: a video, a folder of frames, a camera or a stream to labels."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

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
from segnext.cli.progress import counting_bar

if TYPE_CHECKING:
    from segnext.predict import VideoReport


def video(
    weights: Weights,
    source: Annotated[
        str,
        typer.Argument(
            help="A video file, a folder of frames, camera:0, or a URL such as rtsp://...",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Output folder.")] = Path("video"),
    smoothing: Annotated[
        float,
        typer.Option(
            help="Share of the past in an average of probabilities over frames, 0 to below 1; "
            "0.5 calms flicker. Starts anew at cuts."
        ),
    ] = 0.0,
    overlay: Annotated[bool, typer.Option(help="Write overlay.mp4 (or .avi).")] = True,
    masks: Annotated[bool, typer.Option(help="Write the labels of each frame as PNG.")] = True,
    codec: Annotated[
        str,
        typer.Option(help="Of the overlay: h264, mpeg4, mjpeg, or auto for the first there is."),
    ] = "auto",
    fps: Annotated[
        float | None,
        typer.Option(
            help="Frames per second of a folder, or of a camera that does not tell; 25 by default."
        ),
    ] = None,
    frames: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many; at the end by default.")
    ] = None,
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
    """Predict the frames of a video, a folder, a camera or a stream.

    Writes overlay.mp4, masks/, timings.csv and summary.json below the output folder. Ctrl-C stops
    it; what was written until then stays and can be played.

    Example: segnext video best.safetensors drive.mp4 --smoothing 0.5 --out drive/
    """
    from segnext.inference import open_networks
    from segnext.inference.protocols import find_dataset
    from segnext.predict import Predictor, fingerprint, write_video
    from segnext.weights import member_files, spec_of

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
    with counting_bar("predicting") as count:
        report = write_video(
            Predictor(networks, protocol=chosen),
            source,
            out,
            smoothing=smoothing,
            fps=fps,
            codec=codec,
            overlay=overlay,
            masks=masks,
            limit=frames,
            made_by=fingerprint(files),
            on_frame=count,
        )
    _print_report(report, out, networks[0].name)
    if report.ended == "cut off":
        Console(stderr=True, soft_wrap=True, markup=False, highlight=False).print(
            f"{report.source} is cut off: it should have {report.declared} frames, and "
            f"{report.frames} could be read"
        )
        raise typer.Exit(1)


def _print_report(report: "VideoReport", out: Path, backend: str) -> None:
    console = Console(soft_wrap=True, highlight=False, markup=False)
    passed = f", {report.passed} let pass" if report.passed else ""
    console.print(
        f"{report.frames} frames of {report.width}x{report.height} px predicted by {backend}"
        f"{passed}: {out}"
    )
    stages = ", ".join(f"{stage} {spent:.1f}" for stage, spent in report.mean_ms.items())
    console.print(
        f"{report.frames / report.seconds:.1f} frames/s (the video has {report.fps:.4g}); ms a "
        f"frame: {stages}; {report.bound_by} bounds"
    )
