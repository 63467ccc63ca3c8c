"""From weights to a listening server, and from a signal to its end."""

import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import uvicorn

from segnext.errors import SegnextError, UsageError
from segnext.predict import Predictor
from segnext.serve.app import Service, build_app
from segnext.serve.counters import Counters
from segnext.serve.engine import Engine
from segnext.serve.identity import Identity
from segnext.serve.settings import Settings

# Connections besides those with a place: health checks, metrics, pages, and who is refused.
_MORE_CONNECTIONS = 256


def build_service(
    predictors: Sequence[Predictor], identity: Identity, settings: Settings
) -> Service:
    """Put the parts of a server together; the engine's threads start here."""
    counters = Counters(identity.labels(predictors[0]))
    engine = Engine(predictors, counters, queue=settings.queue, batch=settings.batch)
    return Service(engine, identity, settings, counters)


def run_server(service: Service, *, on_start: Callable[[str], None] = lambda _: None) -> None:
    """Listen until SIGINT or SIGTERM, then finish what was taken on.

    Args:
        service: From `build_service`.
        on_start: Called with the server's URL once it listens.

    Raises:
        SegnextError: The address cannot be had.
    """
    settings = service.settings
    listening = _listen(settings)
    _quiet_libraries()
    config = uvicorn.Config(
        build_app(service),
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=True,
        # Nothing here reads a client's address, so none is taken from what a client says.
        proxy_headers=False,
        limit_concurrency=service.engine.places + _MORE_CONNECTIONS,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=int(settings.timeout_s) + 5,
        ws="none",
    )
    server = uvicorn.Server(config)
    # uvicorn raises the signal again at its end: a server that was told to stop has not failed.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    port = listening.getsockname()[1]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    on_start(f"http://{host}:{port}")
    try:
        server.run(sockets=[listening])
    finally:
        service.engine.close()


def share_threads(workers: int, threads: int | None) -> int:
    """Return the threads of one worker: its share of the cores, if not given."""
    if threads is not None:
        return threads
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    return max(1, cores // workers)


def name_weights(weights: str) -> str:
    """Return how clients know weights: by no folder, URL or hash of the operator."""
    return Path(weights.split("#")[0].split("?")[0].rstrip("/\\")).name or weights


def _listen(settings: Settings) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM
        )[0]
        with ExitStack() as unless_it_listens:
            listening = unless_it_listens.enter_context(socket.socket(family, socket.SOCK_STREAM))
            if sys.platform != "win32":
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
            listening.listen(512)
            unless_it_listens.pop_all()
    except OSError as error:
        msg = f"cannot listen on {settings.host}:{settings.port} ({error.strerror or error})"
        kind = UsageError if isinstance(error, socket.gaierror) else SegnextError
        raise kind(msg) from None
    return listening


def _quiet_libraries() -> None:
    # It logs every oddity of every file, a line each, and files come from strangers.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
