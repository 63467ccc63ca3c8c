import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from segnext.cli.main import app
from segnext.cli.run_environment import differing, flatten


def session(torch: str, *, changed: bool = False, gpus: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "step": 0,
        "processes": 1,
        "threads": 1,
        "versions": {"python": "3.11.7", "torch": torch},
        "git": {"commit": "0123456789abcdef", "changed": changed},
        "hardware": {"system": "Linux", "cpu": "A", "cores": 2, "gpus": list(gpus)},
        "data": {"pictures": 3, "sha256": "f" * 64},
    }


def write_run(path: Path, *sessions: dict[str, Any]) -> Path:
    path.mkdir()
    (path / "config.yaml").write_text("data: roads\nmodel: segnext_tiny\nmax_steps: 4\n")
    (path / "metrics.jsonl").write_text('{"kind": "val", "step": 4, "miou": 0.5}\n')
    if sessions:
        (path / "environment.json").write_text(json.dumps(sessions))
    return path


def test_the_latest_session_counts() -> None:
    assert flatten([]) == {}
    rows = flatten([session("2.5.0"), session("2.6.0", changed=True, gpus=("H100", "H100"))])
    assert rows["torch"] == "2.6.0"
    assert rows["code"] == "0123456789ab and changes"
    assert rows["gpus"] == "H100, H100"


def test_compare_shows_what_differs_and_show_everything(tmp_path: Path) -> None:
    one = write_run(tmp_path / "a", session("2.5.0"))
    other = write_run(tmp_path / "b", session("2.6.0"))
    old = write_run(tmp_path / "c")
    assert differing([one, other]) == {"torch": ["2.5.0", "2.6.0"]}
    assert differing([one, old])["torch"] == ["2.5.0", None]
    picture = ["--out", str(tmp_path / "comparison.png")]
    command = ["runs", "compare", str(one), str(other), *picture]
    shown = CliRunner().invoke(app, command)
    assert "torch 2.5.0 2.6.0" in " ".join(shown.stdout.split())
    told = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)
    assert told["environment"] == {"torch": ["2.5.0", "2.6.0"]}
    shown = CliRunner().invoke(app, ["runs", "show", str(one)])
    assert "torch 2.5.0, code 0123456789ab, system Linux, cpu A" in shown.stdout
    told = json.loads(CliRunner().invoke(app, ["runs", "show", str(one), "--json"]).stdout)
    assert told["environment"] == [session("2.5.0")]
