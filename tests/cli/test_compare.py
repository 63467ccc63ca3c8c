import json
from pathlib import Path

from typer.testing import CliRunner, Result

from segnext.cli.main import app


def call(*words: object) -> Result:
    return CliRunner().invoke(app, ["compare", *map(str, words)])


def test_the_paper_s_tables_are_listed() -> None:
    result = call("list")
    assert result.exit_code == 0
    assert "table6" in result.stdout
    assert "Parts of MSCA" in result.stdout


def test_published_figures_alone_make_a_page(tmp_path: Path) -> None:
    result = call("table9", "--out", tmp_path / "nine", "--no-train")
    assert result.exit_code == 0, result.output
    assert "published figures alone" in result.stdout
    page = (tmp_path / "nine" / "comparison.html").read_text()
    assert "SegFormer-B2" in page
    assert "62.4" in page


def test_json_is_alone_on_standard_output(tmp_path: Path) -> None:
    words = ("--out", tmp_path, "--no-train", "--system", "all", "--seeds", "3,4", "--json")
    words += ("--split", "test", "--size", "64x96")
    result = call("table6", *words, "--set", "max_steps=5")
    told = json.loads(result.stdout)
    assert told["config"]["seeds"] == [3, 4]
    assert told["config"]["options"] == {"max_steps": 5}
    assert (told["config"]["split"], told["config"]["size"]) == ("test", [64, 96])
    assert [row["system"] for row in told["rows"]] == ["all"]


def test_wrong_words_are_answered_in_one_line(tmp_path: Path) -> None:
    for words, message in (
        (("tabel6",), "unknown comparison 'tabel6': did you mean table6"),
        (("table6", "--seeds", "a"), "--seeds a: whole numbers with commas, such as 0,1,2"),
        (("table6", "--size", "64"), "--size 64: should read HEIGHTxWIDTH, such as 512x512"),
        (("table6", "--out", tmp_path), "no data given to train on"),
    ):
        result = call(*words)
        assert result.exit_code == 2
        assert message in result.stderr
        assert result.stderr.count("\n") == 1
