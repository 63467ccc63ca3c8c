import io
from pathlib import Path

from rich.console import Console

from checked_folders import check, stripes, write_data, write_pair
from segnext.checkup_report import print_checkup, suggest
from segnext.checkup_report.terminal import printable, summarize


def show(root: Path, width: int = 80) -> str:
    checkup = check(root)
    out = io.StringIO()
    print_checkup(checkup, suggest(checkup), Console(file=out, width=width, highlight=False))
    return out.getvalue()


def test_what_matters_is_printed(tmp_path: Path) -> None:
    write_data(tmp_path, stripes([0, 1, 1, 255]), "road, tree", train=12, val=10)
    for index in range(5):
        write_pair(tmp_path, "val", f"strange{index}", stripes([0, 9]))
    text = show(tmp_path)
    assert "error: Some mask values mean nothing" in text
    assert "  val/masks/strange2.png: 9 (960 pixels)" in text
    assert "strange3.png" not in text
    assert "and 2 more" in text
    assert "  ignore_index: [9]" in text
    assert "a training would be spoilt: 1 error" in text
    lines = text.splitlines()
    assert any(line.startswith("road") and "33.3 %" in line and "█" in line for line in lines)
    assert any(line.startswith("(ignored)") and "25.0 %" in line for line in lines)


def test_a_snippet_is_never_wrapped(tmp_path: Path) -> None:
    write_data(tmp_path, stripes([0, 1]), ", ".join(f"a long name {i}" for i in range(9)))
    write_pair(tmp_path, "val", "strange", stripes([30]))
    lines = show(tmp_path, width=60).splitlines()
    assert any(line.startswith("  max_steps: ") and line.endswith("--budget") for line in lines)


def test_names_cannot_steer_the_terminal(tmp_path: Path) -> None:
    write_data(tmp_path, stripes([0, 1]), "a, b", train=12, val=10)
    write_pair(tmp_path, "val", "x\x1b[2J[bold]", stripes([9]))
    text = show(tmp_path)
    assert "\x1b" not in text
    assert "[2J[bold].png" in text
    assert printable("a\tb") == "a\N{REPLACEMENT CHARACTER}b"


def test_the_last_line_sums_up(tmp_path: Path) -> None:
    write_data(tmp_path, stripes([0, 1]), "a, b")
    assert summarize(check(tmp_path)) == "ready to train: 2 warnings"
    (tmp_path / "val/masks/val_0.png").write_bytes(b"")
    assert summarize(check(tmp_path)) == "a training would be spoilt: 1 error and 2 warnings"
