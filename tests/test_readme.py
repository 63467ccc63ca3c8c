"""The README's commands and Python run as written, on fewer scenes and steps."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from segnext.cli.main import app

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
FEWER = {
    "segnext data synthetic roads": "segnext data synthetic roads --train 8 --val 2 --test 2",
    "--max-steps 100": "--max-steps 2",
    "max_steps=100": "max_steps=2",
}


def blocks(language: str) -> list[str]:
    found = re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)
    for written, fewer in FEWER.items():
        assert written in README
        found = [block.replace(written, fewer) for block in found]
    return found


@pytest.mark.slow
def test_quick_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (commands,) = blocks("bash")
    for line in commands.splitlines():
        program, *words = shlex.split(line, comments=True)
        assert program == "segnext"
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, f"{line}\n{result.output}"
    assert (tmp_path / "predictions" / "masks" / "scene_00000.png").exists()
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), {})
    assert (tmp_path / "predictions-python" / "masks" / "prediction.png").exists()
    assert "(128, 160)" in capsys.readouterr().out


def test_shapes_in_comments_are_true() -> None:
    import torch

    import segnext

    model = segnext.create_model("segnext_tiny", num_classes=19, in_channels=4).eval()
    assert "(1, 19, 42, 63)" in README
    assert model(torch.randn(1, 4, 333, 500)).shape == (1, 19, 42, 63)


def test_pictures_and_files_that_are_linked_exist() -> None:
    root = Path(__file__).resolve().parents[1]
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (root / target).exists(), target
