import json

from typer.testing import CliRunner

from segnext.cli.main import app
from segnext.data.datasets.registry import DATASETS
from segnext.data.formats.registry import FORMATS


def test_everything_that_can_be_read_is_listed() -> None:
    shown = CliRunner().invoke(app, ["data", "formats"]).stdout
    for name in (*DATASETS, *FORMATS, "folder"):
        assert name in shown
    listed = json.loads(CliRunner().invoke(app, ["data", "formats", "--json"]).stdout)
    assert [row["name"] for row in listed["datasets"]] == list(DATASETS)
    assert [row["name"] for row in listed["formats"]] == ["folder", *FORMATS]
    ade = listed["datasets"][0]
    assert (ade["name"], ade["classes"], ade["counts"]["train"]) == ("ade20k", 150, [20210])
