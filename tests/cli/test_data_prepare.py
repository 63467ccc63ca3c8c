from pathlib import Path

import numpy as np
from typer.testing import CliRunner, Result

from pictures import ids, save_picture
from segnext.cli.main import app
from segnext.data.folder import open_folder


def call(*words: object) -> Result:
    return CliRunner().invoke(app, ["data", *map(str, words)])


def save_voc(root: Path) -> Path:
    lists = root / "ImageSets/Segmentation"
    lists.mkdir(parents=True)
    for split, name in (("train", "2011_000001"), ("val", "2007_000033")):
        save_picture(root / f"JPEGImages/{name}.jpg")
        save_picture(root / f"SegmentationClass/{name}.png", ids(0, 20, 255))
        (lists / f"{split}.txt").write_text(f"{name}\n")
    return root


def test_prepared_data_can_be_opened(tmp_path: Path) -> None:
    root, out = save_voc(tmp_path / "VOC2012"), tmp_path / "out"
    refused = call("prepare", "pascal_voc", "--root", root, "--out", out)
    assert refused.exit_code == 1
    assert "has 1,464 pictures, found 1" in refused.stderr
    done = call("prepare", "pascal_voc", "--root", root, "--out", out, "--partial")
    assert done.exit_code == 0, done.output
    assert done.stdout == f"ready: {out / 'data.yaml'}\n"
    np.testing.assert_array_equal(open_folder(out).dataset("val")[0]["mask"], ids(0, 20, 255))


def test_options_by_set(tmp_path: Path) -> None:
    words = ("prepare", "pascal_voc", "--root", save_voc(tmp_path / "VOC2012"), "--out")
    wrong = call(*words, tmp_path / "out", "--partial", "--set", "sdb=there")
    assert wrong.exit_code == 2
    assert "did you mean sbd?" in wrong.stderr
    reserved = call(*words, tmp_path / "out", "--set", "workers=2")
    assert reserved.exit_code == 2
    assert "--set workers: is no option of a data set" in reserved.stderr


def test_help_has_an_example() -> None:
    for command in ("prepare", "classes", "formats"):
        shown = " ".join(call(command, "--help").stdout.split())
        assert f"Example: segnext data {command}" in shown
