import tarfile
from pathlib import Path

import numpy as np
from typer.testing import CliRunner, Result

from conftest import SMALLEST
from predictions import write_predictions, write_voc
from segnext.cli.main import app
from segnext.data.datasets.registry import DATASETS
from segnext.data.masks import read_stored
from segnext.models import SegNeXt, SegNeXtConfig
from segnext.weights import describe_model, save_model


def call(*words: object) -> Result:
    return CliRunner().invoke(app, ["data", "submission", *map(str, words)])


def test_packs_and_checks(tmp_path: Path) -> None:
    root = write_voc(tmp_path / "VOCdevkit", "2008_000006")
    masks = write_predictions(tmp_path / "out", "pascal_voc", ["2008_000006"])
    out = tmp_path / "voc.tar"
    words = "pascal_voc", "--root", root, "--set", "comp=5"
    packed = call(*words, masks, "--out", out, "--partial")
    assert packed.exit_code == 0, packed.output
    assert f"{out}: 1 masks of test, 0.0 MB; names, sizes and ids are right." in packed.stdout
    assert "http://host.robots.ox.ac.uk:8080/" in packed.stdout
    checked = call(*words, "--check", out, "--partial")
    assert checked.exit_code == 0
    assert checked.stdout == packed.stdout
    refused = call(*words, "--check", out)
    assert refused.exit_code == 1
    assert "test of Pascal VOC 2012 has 1,456 pictures, found 1" in refused.stderr


def test_what_predict_leaves_is_packed(tmp_path: Path) -> None:
    names = ["2008_000006", "2008_000011"]
    root = write_voc(tmp_path / "VOCdevkit", *names)
    classes = DATASETS["pascal_voc"].classes
    model = SegNeXt(SegNeXtConfig(num_classes=classes.num_classes, **SMALLEST))
    weights = save_model(model, tmp_path / "voc.safetensors", describe_model(model, classes))
    photos = [str(root / f"VOC2012/JPEGImages/{name}.jpg") for name in names]
    masks, out = tmp_path / "predictions", tmp_path / "voc.tar"
    predicted = CliRunner().invoke(
        app, ["predict", str(weights), *photos, "--out", str(masks), "--device", "cpu"]
    )
    assert predicted.exit_code == 0, predicted.output
    packed = call("pascal_voc", masks, "--root", root, "--out", out, "--partial")
    assert packed.exit_code == 0, packed.output
    with tarfile.open(out) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    for name in names:
        before = read_stored(masks / "masks" / f"{name}.png")[1]
        place = f"results/VOC2012/Segmentation/comp6_test_cls/{name}.png"
        after = read_stored(tmp_path / "unpacked" / place)[1]
        np.testing.assert_array_equal(before, after)  # VOC's train, raw and submission ids agree


def test_mistakes_get_one_line(tmp_path: Path) -> None:
    for words, message in [
        (["ade20k", "masks", "--out", "a.zip"], "no data set given: --root names the folder"),
        (["ade20k", "--root", tmp_path], "give PREDICTIONS and --out FILE to pack, or --check"),
        (["ade20k", "masks", "--root", tmp_path, "--out", "a.tar"], "is a .zip file; name it so"),
        (["ade", "masks", "--root", tmp_path, "--out", "a.zip"], "did you mean ade20k"),
        (
            ["ade20k", "m", "--root", tmp_path, "--out", "a.zip", "--check", "a.zip"],
            "alone to check",
        ),
    ]:
        result = call(*words)
        assert result.exit_code == 2, message
        assert message in " ".join(result.stderr.split())


def test_help_has_an_example() -> None:
    text = " ".join(call("--help").stdout.split())
    assert "Example: segnext data submission ade20k predictions/" in text
