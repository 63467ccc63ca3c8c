import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from raster_files import APART, WEST, noise, write_raster, write_squares
from segnext.cli.main import app
from segnext.data.folder import open_folder
from segnext.data.map_preparation import MapRules, PreparedMaps, prepare_maps
from segnext.errors import DataError, UsageError

HEIGHT, WIDTH = 300, 420
RULES = MapRules(window=50, block=100)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("maps")
    pixels = noise(HEIGHT, WIDTH)
    pixels[:100, :110] = 0
    write_raster(folder / "map.tif", pixels, nodata=0)
    write_squares(folder / "squares.gpkg", HEIGHT, WIDTH)
    return folder


def prepare(files: Path, out: Path, rules: MapRules = RULES, labels: str = "squares.gpkg") -> Any:
    return prepare_maps([files / "map.tif"], files / labels, out, rules)


def assignments(prepared: PreparedMaps) -> dict[str, str]:
    return {window.block: window.split for window in prepared.windows}


def test_blocks_go_to_a_split_as_a_whole(files: Path, tmp_path: Path) -> None:
    prepared = prepare(files, tmp_path)
    blocks: dict[str, list[Any]] = {}
    for window in prepared.windows:
        blocks.setdefault(window.block, []).append(window)
    assert {window.split for window in prepared.windows} == {"train", "val", "test"}
    assert len(blocks) == 3 * 4 - 1  # the first one has no data
    for windows in blocks.values():
        assert len({window.split for window in windows}) == 1


def test_the_split_follows_from_the_seed(files: Path, tmp_path: Path) -> None:
    one = assignments(prepare(files, tmp_path / "a"))
    assert one == assignments(prepare(files, tmp_path / "b"))
    assert one != assignments(prepare(files, tmp_path / "c", MapRules(50, 100, seed=1)))


def test_pictures_and_masks_are_those_of_the_place(files: Path, tmp_path: Path) -> None:
    prepared = prepare(files, tmp_path)
    folder = open_folder(tmp_path)
    assert folder.classes.names == ("background", "lake", "wood")
    assert folder.format == "maps"
    assert (folder.channels, folder.bits) == (3, 8)
    pixels = noise(HEIGHT, WIDTH)
    pixels[:100, :110] = 0
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    corners = [(x, y) for y in range(0, HEIGHT, APART) for x in range(0, WIDTH, APART)]
    for number, (x, y) in enumerate(corners):
        expected[y : y + 20, x : x + 20] = 2 - number % 2
    expected[:100, :110] = 255
    places = {window.name: window.place for window in prepared.windows}
    seen = 0
    for split in folder.splits.values():
        split.check()
        for item in (split[index] for index in range(len(split))):
            place = places[item["name"]]
            inside = (slice(place.top, place.bottom), slice(place.left, place.right))
            assert (item["image"] == pixels[inside]).all()
            assert (item["mask"] == expected[inside]).all()
            seen += 1
    assert seen == len(prepared.windows)
    # Of the upper left corner, which has no data, no whole window is left.
    assert prepared.left_out == 4


def test_nodata_reaches_the_training(files: Path, tmp_path: Path) -> None:
    from segnext.data.headers import image_header

    prepare(files, tmp_path)
    item = open_folder(tmp_path).splits["train"].items[0]
    assert image_header(item.image_path).nodata == 0


def test_unlabelled_pixels_may_count_for_nothing(files: Path, tmp_path: Path) -> None:
    prepared = prepare(files, tmp_path, MapRules(50, 100, unlabelled="ignore"))
    folder = open_folder(tmp_path)
    assert folder.classes.names == ("lake", "wood")
    masks = [part[i]["mask"] for part in folder.splits.values() for i in range(len(part))]
    assert all((mask != 255).any() for mask in masks)
    assert set(np.unique(np.concatenate(masks))) == {0, 1, 255}
    assert prepared.left_out > 4


def test_one_class_for_all_polygons(files: Path, tmp_path: Path) -> None:
    prepare(files, tmp_path, MapRules(50, 100, one_class="field"))
    assert open_folder(tmp_path).classes.names == ("background", "field")


def test_rasters_of_ids(files: Path, tmp_path: Path) -> None:
    ids = np.zeros((HEIGHT, WIDTH, 1), np.uint8)
    ids[:, 100:] = 1
    ids[:, 300:] = 255
    write_raster(files / "ids.tif", ids)
    prepare(files, tmp_path / "a", RULES, "ids.tif")
    assert open_folder(tmp_path / "a").classes.names == ("class_0", "class_1")
    prepare(files, tmp_path / "b", MapRules(50, 100, classes=("wood", "lake")), "ids.tif")
    folder = open_folder(tmp_path / "b")
    assert folder.classes.names == ("wood", "lake")
    train = folder.splits["train"]
    found = set(np.unique([train[index]["mask"] for index in range(len(train))]))
    assert found == {0, 1, 255}
    with pytest.raises(DataError, match="holds the id 1, but --classes names 1, from 0 to 0"):
        prepare(files, tmp_path / "c", MapRules(50, 100, classes=("wood",)), "ids.tif")


def test_a_folder_of_labels_and_maps_of_16_bits(tmp_path: Path) -> None:
    maps = []
    for name in ("a", "b"):
        values = noise(64, 64, 5, seed=ord(name)).astype(np.uint16) * 200
        maps.append(write_raster(tmp_path / "maps" / f"{name}.tif", values))
        ids = (noise(64, 64, 1) > 128).astype(np.uint8)
        write_raster(tmp_path / "labels" / f"{name}.tif", ids)
    prepare_maps(maps, tmp_path / "labels", tmp_path / "out", MapRules(32, 32, bands=(5, 1)))
    folder = open_folder(tmp_path / "out")
    assert (folder.channels, folder.bits) == (2, 16)
    assert sum(len(part) for part in folder.splits.values()) == 8
    (tmp_path / "labels" / "b.tif").unlink()
    with pytest.raises(DataError, match=r"has 0 files called b, the labels of .*b\.tif"):
        prepare_maps(maps, tmp_path / "labels", tmp_path / "out", MapRules(32, 32))


def test_a_map_smaller_than_a_window(tmp_path: Path) -> None:
    maps = [write_raster(tmp_path / f"{name}.tif", noise(48, 40)) for name in "abc"]
    prepared = prepare_maps(
        maps, write_squares(tmp_path / "l.gpkg", HEIGHT, WIDTH), tmp_path, MapRules(64)
    )
    assert {window.place.bottom for window in prepared.windows} == {48}
    assert len(prepared.windows) == 3


def test_what_cannot_be_prepared(files: Path, tmp_path: Path) -> None:
    far = write_raster(tmp_path / "far.tif", noise(64, 64), west=WEST + 9e4)
    other = write_raster(tmp_path / "map.tif", noise(64, 64))
    grey = write_raster(tmp_path / "grey.tif", noise(64, 64, 1))
    for unlabelled in ("background", "ignore"):
        rules = MapRules(32, unlabelled=unlabelled)
        with pytest.raises(DataError, match=r"labels nothing in .*far.tif; do they lie in the"):
            prepare_maps([far], files / "squares.gpkg", tmp_path / "out", rules)
    with pytest.raises(DataError, match=r"map.tif and .*map.tif have one name"):
        prepare_maps([files / "map.tif", other], files / "squares.gpkg", tmp_path / "out")
    with pytest.raises(DataError, match=r"has 3 bands and .*grey.tif 1; choose as many"):
        prepare_maps([files / "map.tif", grey], files / "squares.gpkg", tmp_path / "out")
    with pytest.raises(UsageError, match="--classes names the ids of label rasters"):
        prepare(files, tmp_path / "out", MapRules(32, classes=("a",)))
    with pytest.raises(UsageError, match="a block of 32 px is smaller than its windows of 64 px"):
        MapRules(64, 32)
    with pytest.raises(DataError, match=r"one block, .* --window \(now 512 px\) or --block"):
        prepare(files, tmp_path / "out", MapRules(512))
    with pytest.raises(DataError, match="no such file or folder of labels"):
        prepare(files, tmp_path / "out", RULES, "nothing.gpkg")
    assert not (tmp_path / "out").exists()


def test_a_folder_of_other_data_stays_as_it_is(files: Path, tmp_path: Path) -> None:
    (tmp_path / "data.yaml").write_text("format: coco\n")
    with pytest.raises(UsageError, match=r"data.yaml: describes other data; choose another --out"):
        prepare(files, tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["data.yaml"]


def test_the_command_and_a_training(files: Path, tmp_path: Path) -> None:
    def call(*words: object) -> Any:
        return CliRunner().invoke(app, [str(word) for word in words])

    out = tmp_path / "out"
    told = (files / "map.tif", "--labels", files / "squares.gpkg", "--out", out, "--window", 64)
    made = call("data", "maps", *told, "--block", 64)
    assert made.exit_code == 0, made.output
    assert "train: " in made.stdout
    assert "background 9" in made.stdout
    assert f"ready: {out / 'data.yaml'}" in made.stdout
    index = json.loads((out / "maps.windows").read_text())
    assert not Path(index["sources"][0]["raster"]).is_absolute()
    small = "embed_dims=[16,32,32,32]", "depths=[1,1,1,1]", "decoder_width=32", "rank=4"
    options = ["max_steps=1", "batch_size=2", "num_workers=0"]
    options += [f"model_options.{option}" for option in small]
    words = [word for option in options for word in ("--set", option)]
    trained = call("train", out, "--out", tmp_path / "run", "--device", "cpu", *words)
    assert trained.exit_code == 0, trained.output
    assert "windows of 1 maps" in trained.output
    wrong = call("data", "maps", *told, "--shares", "1,2")
    assert wrong.exit_code == 2
    assert "should be three numbers, such as 0.8,0.1,0.1" in wrong.stderr
