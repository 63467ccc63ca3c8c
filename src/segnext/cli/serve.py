"""`segnext serve`: a model behind HTTP, with a page."""

from typing import Annotated

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
    Weights,
    Window,
    build_protocol,
)


def serve(
    weights: Weights,
    port: Annotated[int, typer.Option(help="To listen on; 0 takes a free one.")] = 8000,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 for other machines.")
    ] = "127.0.0.1",
    token: Annotated[
        str | None,
        typer.Option(
            help="Clients show it as Authorization: Bearer TOKEN. SEGNEXT_TOKEN hides it from ps.",
            envvar="SEGNEXT_TOKEN",
            show_envvar=False,
            show_default=False,
        ),
    ] = None,
    max_pixels: Annotated[
        int, typer.Option(min=1024, help="Of a picture (px), checked before it is decoded.")
    ] = 16_000_000,
    max_mb: Annotated[float, typer.Option(min=0.01, help="Of a picture's file (MB).")] = 32.0,
    workers: Annotated[int, typer.Option(min=1, help="Pictures computed at the same time.")] = 1,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="Of each worker; its share of the cores by default."),
    ] = None,
    queue: Annotated[
        int, typer.Option(min=0, help="Requests that may wait; one more is answered 429.")
    ] = 32,
    batch: Annotated[
        int,
        typer.Option(
            min=1,
            help="Pictures of one size run together, where that changes no bit and is faster.",
        ),
    ] = 4,
    timeout: Annotated[float, typer.Option(help="Of a request, waiting included (s).")] = 60.0,
    allow_urls: Annotated[
        bool,
        typer.Option("--allow-urls", help="Fetch pictures from public addresses clients name."),
    ] = False,
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
    precision: Precision = "float32",
) -> None:
    """Serve a model: POST /v1/predict, and a page to try it at /.

    Only this machine reaches it unless --host says otherwise; give it a --token then. SIGTERM ends
    it once everything it took on is answered.

    Example: segnext serve best.safetensors --port 8000
    """
    from segnext.inference.backends.extras import import_extra

    for module in ("fastapi", "uvicorn", "python_multipart"):
        import_extra(module, "serve")

    from segnext.inference import open_networks
    from segnext.inference.protocols import find_dataset
    from segnext.predict import Predictor, fingerprint
    from segnext.serve.identity import Identity
    from segnext.serve.running import build_service, name_weights, run_server, share_threads
    from segnext.serve.settings import Settings
    from segnext.weights import member_files, spec_of

    settings = Settings(
        host=host,
        port=port,
        token=token,
        max_pixels=max_pixels,
        max_bytes=int(max_mb * 1_000_000),
        workers=workers,
        queue=queue,
        batch=batch,
        timeout_s=timeout,
        allow_urls=allow_urls,
    )
    files = member_files(weights)
    predictors = []
    for _ in range(workers):
        networks = open_networks(
            files,
            backend=backend,
            device=device,
            threads=share_threads(workers, threads),
            precision=precision,
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
        predictors.append(Predictor(networks, protocol=chosen))
    console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    if not settings.is_loopback and settings.token is None:
        console.print(
            f"warning: {host} is reached from other machines and no --token is asked of them"
        )
    identity = Identity(name_weights(weights), fingerprint(files))
    service = build_service(predictors, identity, settings)
    first = predictors[0]
    run_server(
        service,
        on_start=lambda url: console.print(
            f"{identity.signature} by {first.backend}, {workers} at a time: {url}"
        ),
    )
    console.print("stopped; everything that was taken on is answered")
