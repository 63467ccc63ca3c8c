import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from segnext.cli.main import app


def serve(*words: str) -> Any:
    return CliRunner().invoke(app, ["serve", *words])


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Servers that were to run."""
    services: list[Any] = []

    def run_server(service: Any, on_start: Any) -> None:
        services.append(service)
        on_start("http://here")
        service.engine.close()

    monkeypatch.setattr("segnext.serve.running.run_server", run_server)
    return services


def test_options_reach_the_server(scene_weights: Path, started: list[Any]) -> None:
    words = ["--port", "0", "--max-pixels", "5000", "--workers", "2", "--queue", "3"]
    words += ["--backend", "folded", "--threads", "1", "--window", "64", "--allow-urls"]
    result = serve(str(scene_weights), *words)
    assert result.exit_code == 0, result.output
    (service,) = started
    assert service.engine.places == 5
    assert service.settings.max_pixels == 5000
    assert service.settings.allow_urls
    assert service.engine.predictor.protocol.window == 64
    assert "scenes.safetensors@" in result.output
    assert "by folded, 2 at a time: http://here" in result.output
    assert "warning" not in result.output


def test_an_open_host_without_a_token_is_warned_of(
    scene_weights: Path, started: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    line = "warning: 0.0.0.0 is reached from other machines and no --token is asked of them"
    words = [str(scene_weights), "--host", "0.0.0.0", "--backend", "folded"]
    words += ["--threads", "1"]
    assert line in serve(*words).output
    assert line not in serve(*words, "--token", "0123456789abcdef").output
    monkeypatch.setenv("SEGNEXT_TOKEN", "0123456789abcdef")
    assert line not in serve(*words).output
    assert started[-1].settings.token == "0123456789abcdef"


def test_wrong_values_are_one_line(scene_weights: Path) -> None:
    result = serve(str(scene_weights), "--token", "short")
    assert result.exit_code == 2
    assert "the token must have 16 characters or more" in result.output
    result = serve("nothing.safetensors")
    assert result.exit_code != 0
    assert "Traceback" not in result.output


def test_a_missing_extra_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "uvicorn" else find_spec(name, *rest),
    )
    result = serve("a.safetensors")
    assert result.exit_code == 2
    assert 'needs uvicorn: pip install "segnext[serve]"' in result.output


def test_help_does_not_wait_for_the_server() -> None:
    before = set(sys.modules)
    result = serve("--help")
    assert "POST /v1/predict" in result.output
    assert not {"fastapi", "uvicorn"} & (set(sys.modules) - before)
