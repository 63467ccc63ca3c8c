import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
from typer.testing import CliRunner

from raster_files import WINDOWS, lively_network, noise, write_raster
from segnext.cli.main import app
from segnext.errors import UsageError
from segnext.inference import open_runner
from segnext.maps import MapOptions, map_protocol, predict_map
from segnext.predict import Predictor
from segnext.protocol import Protocol
from segnext.weights import save_model

HEIGHT, WIDTH = 540, 450
# Narrow enough for several strips of the map.
STRIP = 300


def make_predictor(protocol: Protocol = WINDOWS, channels: int = 3) -> Predictor:
    return Predictor(lively_network(channels), backend="eager", protocol=protocol)


def labels_of(path: Path) -> npt.NDArray[Any]:
    with rasterio.open(path) as dataset:
        return dataset.read(1)


@pytest.mark.parametrize("overlap", ["blend", "logits", "probabilities"])
def test_labels_are_those_of_the_picture_in_memory(tmp_path: Path, overlap: Any) -> None:
    pixels = noise(HEIGHT, WIDTH)
    path = write_raster(tmp_path / "a.tif", pixels)
    predictor = make_predictor(Protocol(window=64, stride=32, overlap=overlap))
    options = MapOptions(confidence=True)
    blocks: list[tuple[int, int]] = []
    result = predict_map(
        predictor,
        path,
        tmp_path / "out",
        "a",
        options,
        strip_width=STRIP,
        on_block=lambda done, total: blocks.append((done, total)),
    )
    assert blocks[-1][0] == blocks[-1][1] == 2 * 2  # two strips of two blocks
    whole = predictor(pixels)
    labels = labels_of(result.labels)
    assert len(np.unique(labels)) > 3
    assert (labels == whole.mask).all()
    percent = labels_of(tmp_path / "out" / "confidence" / "a.tif")
    assert np.abs(percent - 100 * whole.confidence).max() < 0.51
    assert result.areas.pixels == {name: a.pixels for name, a in whole.areas.items()}


def test_place_and_nodata_are_those_of_the_source(tmp_path: Path) -> None:
    pixels = noise(100, 120)
    pixels[:30, :50] = 0
    path = write_raster(tmp_path / "a.tif", pixels, nodata=0)
    predictor = make_predictor()
    result = predict_map(predictor, path, tmp_path / "out", "sub/a")
    assert result.labels == tmp_path / "out" / "maps" / "sub" / "a.tif"
    with rasterio.open(path) as source, rasterio.open(result.labels) as made:
        assert made.crs == source.crs
        assert made.transform == source.transform
        assert made.nodata == 255
        assert ((made.read(1) == 255) == (pixels == 0).all(axis=2)).all()
    # What was not observed looked like the mean to the network.
    filled = pixels.copy()
    filled[:30, :50] = np.rint(255 * np.array(predictor.spec.normalization.mean))
    observed = (pixels > 0).any(axis=2)
    assert (labels_of(result.labels) == predictor(filled).mask)[observed].all()
    with (tmp_path / "out" / "areas" / "sub" / "a.csv").open() as file:
        rows = {row["class"]: row for row in csv.DictReader(file)}
    assert sum(int(row["pixels"]) for row in rows.values()) == observed.sum()
    assert sum(float(row["square_metres"]) for row in rows.values()) == observed.sum() / 4


def test_a_map_without_any_data(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", np.zeros((64, 64, 3), np.uint8), nodata=0)
    options = MapOptions(confidence=True, polygons="gpkg")
    result = predict_map(make_predictor(), path, tmp_path / "out", "a", options)
    assert (labels_of(result.labels) == 255).all()
    assert (labels_of(tmp_path / "out" / "confidence" / "a.tif") == 255).all()


def test_bands_and_values_as_told(tmp_path: Path) -> None:
    pixels = noise(64, 96, 4)
    path = write_raster(tmp_path / "a.tif", pixels.astype(np.int16) * 10)
    options = MapOptions(bands=(3, 1, 2), value_range=(0, 2550))
    predictor = make_predictor()
    result = predict_map(predictor, path, tmp_path / "out", "a", options)
    expected = predictor(pixels[..., [2, 0, 1]].astype(np.uint16) * 257).mask
    assert (labels_of(result.labels) == expected).all()


def test_only_a_window_of_rows_is_read_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from segnext.data.rasters import Raster

    read, places = Raster.read, []

    def watch(self: Raster, window: Any) -> Any:
        places.append((window.height, window.width))
        return read(self, window)

    monkeypatch.setattr(Raster, "read", watch)
    path = write_raster(tmp_path / "a.tif", noise(600, 700))
    predict_map(make_predictor(), path, tmp_path / "out", "a", strip_width=STRIP)
    heights, widths = zip(*places, strict=True)
    assert max(heights) <= 512  # of a block; windows are lower
    assert max(widths) == 64 + 11 * 32  # twelve windows, the least that strips of these can have


KILLED = """
import os, signal
from pathlib import Path
from raster_files import WINDOWS, lively_network
from segnext.maps import predict_map
from segnext.predict import Predictor

def kill(done, total):
    if done == 2:
        os.kill(os.getpid(), signal.SIGKILL)

path, out, strip = sys.argv[1:]
predictor = Predictor(lively_network(), backend="eager", threads=1, protocol=WINDOWS)
predict_map(predictor, Path(path), Path(out), "a", strip_width=int(strip), on_block=kill)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_killed_prediction_goes_on(tmp_path: Path) -> None:
    pixels = noise(1030, 400)
    path, out = write_raster(tmp_path / "a.tif", pixels), tmp_path / "out"
    tests = Path(__file__).parents[1]
    code = f"import sys; sys.path.insert(0, {str(tests)!r})\n{KILLED}"
    arguments = [sys.executable, "-c", code, str(path), str(out), str(STRIP)]
    died = subprocess.run(arguments, capture_output=True, env=os.environ, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()[-2000:]
    assert not (out / "maps" / "a.tif").exists()
    left = out / "maps" / ".a.progress"
    before = {part.name: part.stat().st_mtime_ns for part in left.glob("*.npz")}
    assert len(before) == 2

    seen: list[tuple[int, int]] = []
    after: dict[str, int] = {}

    def watch(done: int, total: int) -> None:
        seen.append((done, total))
        after.update({part.name: part.stat().st_mtime_ns for part in left.glob("*.npz")})

    predictor = make_predictor()
    result = predict_map(predictor, path, out, "a", strip_width=STRIP, on_block=watch)
    assert [done for done, _ in seen] == [*range(2, seen[0][1] + 1)]
    assert before.items() <= after.items()
    assert (labels_of(result.labels) == predictor(pixels).mask).all()
    assert not left.exists()


def test_what_is_there_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, out = write_raster(tmp_path / "a.tif", noise(64, 64)), tmp_path / "out"
    predictor = make_predictor()
    assert not predict_map(predictor, path, out, "a", made_by="one").skipped
    with monkeypatch.context() as patch:
        patch.setattr(Predictor, "predict_bands", None)  # would raise
        again = predict_map(
            predictor, path, out, "a", MapOptions(polygons="geojson"), made_by="one"
        )
    assert again.skipped
    assert (out / "polygons" / "a.geojson").is_file()
    # Other weights: all of it anew, and nothing stays that contradicts it.
    assert not predict_map(predictor, path, out, "a", made_by="other").skipped
    assert not (out / "polygons" / "a.geojson").exists()


def test_protocols_of_maps() -> None:
    assert map_protocol(Protocol()) == (Protocol(window=1024, overlap="blend"), [])
    asked = Protocol(window=96, stride=32, short_side=64, scales=(1.0, 2.0), flip=True)
    plain, left_out = map_protocol(asked)
    assert plain == Protocol(window=96, stride=32)
    assert left_out == ["resizing", "scales", "flip"]


def test_other_protocols_are_refused(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", noise(64, 64))
    with pytest.raises(UsageError, match="not by own size, whole image, single scale, flip"):
        predict_map(make_predictor(Protocol(flip=True)), path, tmp_path, "a")


def test_unknown_polygons_are_refused() -> None:
    with pytest.raises(UsageError, match="unknown kind of polygons 'shp'"):
        MapOptions(polygons="shp")


def test_two_networks_are_averaged(tmp_path: Path) -> None:
    pixels = noise(96, 96)
    path = write_raster(tmp_path / "a.tif", pixels)
    other = lively_network()
    with __import__("torch").no_grad():
        other.decoder.classifier.weight.neg_()
    runners = [open_runner(model, backend="eager") for model in (lively_network(), other)]
    predictor = Predictor(runners, protocol=WINDOWS)
    result = predict_map(predictor, path, tmp_path / "out", "a")
    assert (labels_of(result.labels) == predictor(pixels).mask).all()


def call(*words: object) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_the_command(tmp_path: Path) -> None:
    model = lively_network()
    weights = save_model(model, tmp_path / "w.safetensors", model.spec)
    maps = tmp_path / "maps"
    write_raster(maps / "a.tif", noise(64, 96))
    (maps / "b.tif").write_bytes(b"nothing")
    out = tmp_path / "out"
    options = ("--map", "--window", 64, "--backend", "eager", "--out", out)
    result = call("predict", weights, maps, *options, "--polygons", "gpkg", "--flip")
    assert result.exit_code == 1
    assert "a.tif: predicted by eager; " in result.stdout
    assert "in one view: without flip" in result.stderr
    assert "1 failed" in result.stderr
    assert "b.tif: is no raster that GDAL opens" in result.stderr
    assert (out / "polygons" / "a.gpkg").is_file()
    again = call("predict", weights, maps / "a.tif", *options)
    assert again.exit_code == 0
    assert "was there already" in again.stdout
    made = rasterio.open(out / "maps" / "a.tif").tags()["SEGNEXT_MADE"]
    assert json.loads(made)["protocol"] == "own size, window 64 stride 32 blended, single scale"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--polygons", "gpkg"), "--polygons is for maps; add --map"),
        (("--map", "--bands", "1,x"), "should be numbers with commas between, such as 4,3,2"),
        (("--map", "--value-range", "5"), "should be two numbers, black and white"),
    ],
)
def test_wrong_options_are_one_line(
    tmp_path: Path, scene_weights: Path, words: tuple[str, ...], message: str
) -> None:
    path = write_raster(tmp_path / "a.tif", noise(64, 64))
    result = call("predict", scene_weights, path, *words)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
