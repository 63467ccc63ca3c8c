"""A server in the test's own process, over the smallest model there is."""

import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import uvicorn
from starlette.testclient import TestClient

from segnext.data.synthetic import draw_scene
from segnext.predict import Predictor
from segnext.serve.app import Service, build_app
from segnext.serve.identity import Identity
from segnext.serve.running import build_service
from segnext.serve.settings import Settings

Client = Callable[..., TestClient]


def encode(image: np.ndarray, kind: str = "PNG") -> bytes:
    content = io.BytesIO()
    PIL.Image.fromarray(image).save(content, kind)
    return content.getvalue()


@pytest.fixture(scope="session")
def photo() -> bytes:
    return encode(draw_scene(3, 1, width=96, height=64)[0])


@pytest.fixture(scope="session")
def predictor(scene_weights: Path) -> Predictor:
    return Predictor(scene_weights, backend="folded", device="cpu")


@pytest.fixture
def make_service(predictor: Predictor) -> Iterator[Callable[..., Service]]:
    made = []

    def make(predictors: list[Any] | None = None, **settings: Any) -> Service:
        chosen = Settings(**settings)
        workers = [predictor] * chosen.workers if predictors is None else predictors
        made.append(build_service(workers, Identity("scenes.safetensors", "ab" * 32), chosen))
        return made[-1]

    yield make
    for service in made:
        service.engine.close()


@pytest.fixture
def make_client(make_service: Callable[..., Service]) -> Iterator[Client]:
    """Start servers with any settings; they stop after the test."""
    with ExitStack() as running:

        def make(predictors: list[Any] | None = None, **settings: Any) -> TestClient:
            app = build_app(make_service(predictors, **settings))
            client = TestClient(
                app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False
            )
            return running.enter_context(client)

        yield make


@pytest.fixture
def client(make_client: Client) -> TestClient:
    return make_client()


@pytest.fixture(scope="module")
def start_live(predictor: Predictor) -> Iterator[Callable[..., str]]:
    """Start servers that listen, for clients in other threads and processes; gives their URLs."""
    with ExitStack() as running:

        def start(predictors: list[Any] | None = None, **settings: Any) -> str:
            return running.enter_context(_listen(predictors or [predictor], Settings(**settings)))

        yield start


@contextmanager
def _listen(predictors: list[Any], settings: Settings) -> Iterator[str]:
    service = build_service(predictors, Identity("scenes.safetensors", "ab" * 32), settings)
    server = uvicorn.Server(
        uvicorn.Config(build_app(service), log_level="warning", server_header=False, ws="none")
    )
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        deadline = time.monotonic() + 30
        while not (server.started and service.ready):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(20)


@pytest.fixture(scope="module")
def live_url(start_live: Callable[..., str]) -> str:
    return start_live(max_pixels=400_000)
