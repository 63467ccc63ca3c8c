"""Patches stitched to whole pictures score as the pictures themselves."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from segnext.cli.main import app
from segnext.data import open_folder
from segnext.data.grid import Grid
from segnext.data.patches import cut, encode_png
from segnext.errors import DataError
from segnext.evaluation import evaluate
from segnext.protocol import Protocol

WINDOWS = Protocol(window=48, stride=24)


@pytest.fixture
def patches(scenes: Path, tmp_path: Path) -> Path:
    """The scenes in overlapping patches."""
    for split, part in open_folder(scenes).splits.items():
        for kind in ("images", "masks"):
            (tmp_path / split / kind).mkdir(parents=True)
        for item in (part[index] for index in range(len(part))):
            for patch in Grid(48, 24).plan(*item["mask"].shape):
                name = f"{item['name']}_{patch.describe('sides')}.png"
                photo, mask = cut(item["image"], patch, 0), cut(item["mask"], patch, 255)
                (tmp_path / split / "images" / name).write_bytes(encode_png(photo))
                (tmp_path / split / "masks" / name).write_bytes(encode_png(mask))
    (tmp_path / "classes.txt").write_bytes((scenes / "classes.txt").read_bytes())
    return tmp_path


def test_each_pixel_counts_once(scenes: Path, scene_weights: Path, patches: Path) -> None:
    whole = evaluate(scene_weights, scenes, protocol=WINDOWS, device="cpu")
    stitched = evaluate(scene_weights, patches, protocol=WINDOWS, device="cpu", stitch=True)
    alone = evaluate(scene_weights, patches, protocol=WINDOWS, device="cpu")
    assert (stitched.images, alone.images) == (2, 8)
    assert stitched.metrics.pixels == whole.metrics.pixels == 2 * 64 * 64
    assert alone.metrics.pixels == 8 * 48 * 48
    # The same pictures in the same windows: not nearly but exactly the same counts.
    assert (stitched.counts == whole.counts).all()


def test_the_command_stitches(scenes: Path, scene_weights: Path, patches: Path) -> None:
    options = ["--window", "48", "--stride", "24", "--device", "cpu", "--json"]
    command = ["evaluate", str(scene_weights), str(patches), "--stitch", *options]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["images"], found["pixels"]) == (2, 2 * 64 * 64)


def test_whole_pictures_cannot_be_stitched(scenes: Path, scene_weights: Path) -> None:
    with pytest.raises(DataError, match=r"no patches to stitch, such as scene_"):
        evaluate(scene_weights, scenes, stitch=True, device="cpu")
