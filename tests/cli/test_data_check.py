import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from checked_folders import stripes, write_data, write_pair
from segnext.checkup_report.page import MARK
from segnext.cli.main import app


def call(*words: object) -> Result:
    return CliRunner().invoke(app, ["data", "check", *map(str, words), "--workers", "0"])


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_data(tmp_path / "data", stripes([0, 1]), "a, b", train=12, val=10)


def test_help_has_an_example() -> None:
    result = CliRunner().invoke(app, ["data", "check", "--help"])
    assert "Example: segnext data check roads/" in " ".join(result.stdout.split())


def test_right_data_pass_and_leave_a_page(root: Path) -> None:
    result = call(root)
    assert result.exit_code == 0, result.output
    assert "ready to train: nothing found" in result.stdout
    assert "page: check.html" in result.stdout
    assert MARK in Path("check.html").read_text(encoding="utf-8")
    assert call(root).exit_code == 0  # its own page may be replaced


def test_wrong_data_leave_exit_code_one_and_what_is_pasted_mends_them(root: Path) -> None:
    for path in root.glob("*/masks/*.png"):
        path.unlink()
        write_pair(root, path.parent.parent.name, path.stem, stripes([1, 2]))
    result = call(root, "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert not Path("check.html").exists()
    assert told["findings"][0]["code"] == "undeclared_values"
    assert told["plan"]["crop_size"] == [64, 64]
    Path(told["proposals"][0]["path"]).write_text(told["proposals"][0]["text"])
    assert call(root).exit_code == 0


def test_the_printed_label_map_can_be_pasted_as_it_stands(root: Path) -> None:
    write_pair(root, "val", "strange", stripes([0, 9]))
    printed = call(root).stdout.splitlines()
    start = next(index for index, line in enumerate(printed) if line.startswith("proposed: "))
    end = printed.index("", start)
    (root / "data.yaml").write_text("\n".join(printed[start + 1 : end]))
    assert yaml.safe_load((root / "data.yaml").read_text())["ignore_index"] == [9]
    assert call(root).exit_code == 0


def test_options_reach_the_check(root: Path) -> None:
    write_pair(root, "val", "strange", stripes([0, 9]))
    result = call(root, "--ignore-index", 9, "--group", r"^([a-z]+)", "--json", "--out", "a/b.html")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["plan"]["group"] == r"^([a-z]+)"
    assert told["plan"]["ignore_index"] == [9]
    assert Path("a/b.html").exists()
    assert call(root, "--format", "foldr").exit_code == 2


def test_no_other_file_is_overwritten(root: Path) -> None:
    Path("check.html").write_text("my own page")
    result = call(root)
    assert result.exit_code == 2
    assert "check.html: is there already and no page of segnext data check" in " ".join(
        result.stderr.split()
    )
    assert Path("check.html").read_text() == "my own page"
    assert call(root, "--out", root).exit_code == 2


def test_a_missing_folder_is_one_finding(root: Path) -> None:
    result = call("nowhere")
    assert result.exit_code == 1
    assert "nowhere: no such folder" in result.stdout
    assert "Traceback" not in result.output
