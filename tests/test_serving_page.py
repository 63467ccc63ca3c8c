"""What docs/serving.md asks for besides Python, as written: Docker, its compose, and nginx."""

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from pages import DOCKER, PROXY, ROOT, Block, logical_lines, read_blocks
from segnext.data.synthetic import draw_scene
from segnext.predict import Predictor
from servers import end_server, free_port, start_server

pytestmark = pytest.mark.serving

_LONGEST_S = 900
_BASE = "python:3.12-slim"
_PORT = 8000  # of the page, and of compose.yaml
_SOURCES = (
    *("Dockerfile", ".dockerignore", "compose.yaml", "pyproject.toml", "constraints.txt"),
    *("README.md", "LICENSE", "NOTICE", "src"),
)


def block_for(program: str) -> Block:
    (block,) = [b for b in read_blocks(ROOT / "docs" / "serving.md") if b.needs == program]
    return block


def command(verb: str) -> str:
    """The page's `docker VERB` or `docker compose VERB`."""
    (line,) = [line for line in logical_lines(block_for(DOCKER).code) if f" {verb}" in line]
    return line


def succeeds(*words: str) -> bool:
    done = subprocess.run(words, capture_output=True, timeout=_LONGEST_S, check=False)
    return done.returncode == 0


def docker(*words: str) -> str:
    done = subprocess.run(
        ["docker", *words], capture_output=True, text=True, timeout=_LONGEST_S, check=False
    )
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout.strip()


@contextmanager
def serving(words: list[str], folder: Path, port: int) -> Iterator[None]:
    server = start_server(words, port, cwd=folder)
    try:
        yield
    finally:
        end_server(server)


def ask(port: int, content: bytes, token: str = "") -> npt.NDArray[np.uint8]:
    """Return the mask of a picture."""
    sent = json.dumps({"image": base64.b64encode(content).decode()}).encode()
    request = Request(f"http://127.0.0.1:{port}/v1/predict", data=sent, method="POST")
    request.add_header("Content-Type", "application/json")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    with urlopen(request, timeout=60) as answer, Image.open(answer) as mask:
        return np.asarray(mask)


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    Image.fromarray(draw_scene(3, 1, width=96, height=64)[0]).save(path)
    return path


@pytest.fixture(scope="module")
def expected(photo: Path, scene_weights: Path) -> npt.NDArray[np.uint8]:
    return Predictor(scene_weights, device="cpu")(photo).mask.astype(np.uint8)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, scene_weights: Path) -> Path:
    """A copy of what the image is made of, with weights beside it, and the image made."""
    if shutil.which("docker") is None or not succeeds("docker", "info"):
        pytest.skip("no engine of Docker answers")
    if not (succeeds("docker", "image", "inspect", _BASE) or succeeds("docker", "pull", _BASE)):
        pytest.skip(f"the engine cannot get {_BASE}")
    folder = tmp_path_factory.mktemp("checkout")
    for name in _SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    (folder / "weights").mkdir(mode=0o755)
    shutil.copy(scene_weights, folder / "weights" / "best.safetensors")
    (folder / "weights" / "best.safetensors").chmod(0o644)
    done = subprocess.run(
        ["bash", "-c", command("build")],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_LONGEST_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return folder


@pytest.mark.parametrize("verb", ["run", "up"])
def test_the_image_serves(
    verb: str, checkout: Path, photo: Path, expected: npt.NDArray[np.uint8]
) -> None:
    with serving(["bash", "-c", command(verb)], checkout, _PORT):
        container = docker("ps", "--quiet", "--filter", "ancestor=segnext")
        about = json.loads(docker("inspect", container))[0]
        token = dict(entry.split("=", 1) for entry in about["Config"]["Env"])["SEGNEXT_TOKEN"]
        assert len(token) == 32
        assert (ask(_PORT, photo.read_bytes(), token) == expected).mean() > 0.999
        with pytest.raises(HTTPError, match="401"):
            ask(_PORT, photo.read_bytes(), "f" * 32)

        # Nobody is privileged, nothing can be written, and its own check finds it well.
        assert docker("exec", container, "id", "-u") == "10001"
        for path in ("/weights/new", "/opt/segnext/new"):
            assert not succeeds("docker", "exec", container, "touch", path)
        docker("exec", container, *about["Config"]["Healthcheck"]["Test"][1:])
        published = about["NetworkSettings"]["Ports"]["8000/tcp"]
        assert [port["HostIp"] for port in published] == ["127.0.0.1"]


def test_a_stopped_server_ends_well(checkout: Path) -> None:
    name = f"segnext-test-{os.getpid()}"
    line = command("run").replace("--rm", f"--detach --name {name}", 1)
    with serving(["bash", "-c", f"{line} && docker wait {name}"], checkout, _PORT):
        docker("stop", "--time", "70", name)
        ended = docker("inspect", "--format", "{{.State.ExitCode}}", name)
        docker("rm", name)
        assert ended == "0"


def test_behind_a_proxy(
    tmp_path: Path, photo: Path, expected: npt.NDArray[np.uint8], scene_weights: Path
) -> None:
    if shutil.which("nginx") is None:
        pytest.skip("no nginx here")
    port, own = free_port(), free_port()
    location = block_for(PROXY).code.replace(f"127.0.0.1:{_PORT}", f"127.0.0.1:{own}")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{kind}_temp_path {tmp_path}/{kind};\n" for kind in kinds)
    (tmp_path / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {tmp_path}/pid; error_log stderr;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{places}"
        "limit_req_zone $binary_remote_addr zone=segnext:1m rate=50r/s;\n"
        f"server {{\nlisten 127.0.0.1:{port};\n{location}}}\n}}\n"
    )
    serve = [sys.executable, "-m", "segnext", "serve", str(scene_weights), "--port", str(own)]
    proxy = ["nginx", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf"), "-e", "stderr"]
    with serving(serve, tmp_path, own), serving(proxy, tmp_path, port):
        assert (ask(port, photo.read_bytes()) == expected).mean() > 0.999
        # What is too large for the server, the server says; far larger, the proxy.
        with pytest.raises(HTTPError, match="413") as refused:
            ask(port, bytes(33 * 2**20))
        assert "error" in json.loads(refused.value.read())
        with pytest.raises(HTTPError, match="413") as refused:
            ask(port, bytes(36 * 2**20))
        assert b"nginx" in refused.value.read()
