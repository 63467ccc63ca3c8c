import hashlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from segnext.data import synthetic
from segnext.data.folder import open_folder
from segnext.data.synthetic import SCENE_CLASSES, SCENE_DOMAINS, draw_scene, write_scenes
from segnext.errors import DataError, UsageError

K = SCENE_CLASSES.num_classes

Array = npt.NDArray[Any]

every_domain = pytest.mark.parametrize("domain", SCENE_DOMAINS)


def draw_many(start: int, count: int, domain: str = "street") -> tuple[Array, Array]:
    scenes = [draw_scene(0, start + index, domain=domain) for index in range(count)]
    return np.stack([image for image, _ in scenes]), np.stack([mask for _, mask in scenes])


def write_few(out: Path, **changes: Any) -> Path:
    return write_scenes(
        out, **{"train": 2, "val": 1, "test": 1, "width": 64, "height": 64, **changes}
    )


def snapshot(folder: Path) -> dict[str, bytes]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@every_domain
@pytest.mark.parametrize(("width", "height"), [(160, 128), (64, 64), (301, 77), (65, 200)])
def test_scene_has_the_size_asked_for(width: int, height: int, domain: str) -> None:
    image, mask = draw_scene(3, 5, width=width, height=height, domain=domain)
    channels, kind = {"defects": (1, np.uint8), "bands": (5, np.uint16)}.get(domain, (3, np.uint8))
    assert (image.shape, image.dtype) == ((height, width, channels), kind)
    assert (mask.shape, mask.dtype) == ((height, width), np.uint8)
    assert mask[mask != 255].max() < SCENE_DOMAINS[domain].classes.num_classes


@every_domain
def test_scene_depends_on_nothing_but_its_arguments(domain: str) -> None:
    first = draw_scene(1, 7, domain=domain)
    draw_scene(2, 8, domain=domain)
    again = draw_scene(1, 7, domain=domain)
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    for seed, index in ((1, 8), (2, 7)):
        assert not np.array_equal(first[0], draw_scene(seed, index, domain=domain)[0])


def test_streets_are_those_of_earlier_versions() -> None:
    # Of the mask only: it is filled by integers, so no platform rounds it otherwise.
    _, mask = draw_scene(3, 5)
    expected = "1defc23fc5a8ceee2b6d2c41904d89a30e5ee442c9e5ca7ff440d30496261124"
    assert hashlib.sha256(mask.tobytes()).hexdigest() == expected


def test_most_scenes_show_every_class() -> None:
    _, masks = draw_many(0, 40)
    for label in range(K):
        share = (masks == label).mean(axis=(1, 2))
        assert (share > 0).mean() >= 0.9, SCENE_CLASSES.names[label]
        assert share.mean() > 0.03, SCENE_CLASSES.names[label]


def test_structures_are_wide_enough_for_logits_of_stride_eight() -> None:
    _, masks = draw_many(0, 20)
    kernel = np.ones((5, 5), np.uint8)
    for label in range(K):
        ours = (masks == label).astype(np.uint8)
        kept = sum(cv2.morphologyEx(mask, cv2.MORPH_OPEN, kernel).sum() for mask in ours)
        assert kept > 0.8 * ours.sum(), SCENE_CLASSES.names[label]


def test_larger_scene_shows_the_same_street() -> None:
    _, small = draw_scene(0, 4)
    _, large = draw_scene(0, 4, width=320, height=256)
    assert (large[1::2, 1::2] == small).mean() > 0.97


@every_domain
def test_colour_alone_does_not_solve_the_task(domain: str) -> None:
    num_classes = SCENE_DOMAINS[domain].classes.num_classes
    images, masks = draw_many(0, 24, domain)
    means = np.array([images[masks == label].mean(axis=0) for label in range(num_classes)])
    fresh_images, fresh_masks = draw_many(5000, 12, domain)
    distances = ((fresh_images[..., None, :].astype(np.float32) - means) ** 2).sum(axis=-1)
    guesses = np.where(fresh_masks == 255, 255, distances.argmin(axis=-1))
    ious = [
        ((guesses == label) & (fresh_masks == label)).sum()
        / ((guesses == label) | (fresh_masks == label)).sum()
        for label in range(num_classes)
    ]
    assert np.mean(ious) < 0.5


def test_unknown_domain_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    message = r"unknown domain of scenes 'speck': did you mean specks\? valid: bands, defects, spe"
    with pytest.raises(UsageError, match=message):
        draw_scene(0, 0, domain="speck")
    with pytest.raises(UsageError, match=message):
        write_few(tmp_path / "scenes", domain="speck")
    assert not (tmp_path / "scenes").exists()


@every_domain
def test_folder_of_each_domain_is_read_back(tmp_path: Path, domain: str) -> None:
    out = write_few(tmp_path / "scenes", train=8, domain=domain)
    folder = open_folder(out)
    described = SCENE_DOMAINS[domain]
    assert folder.classes.names == described.classes.names
    assert folder.classes.colors == described.classes.colors
    assert {split: len(part) for split, part in folder.splits.items()} == {
        "train": 8,
        "val": 1,
        "test": 1,
    }
    for index in range(8):
        item = folder.dataset("train")[index]
        image, mask = draw_scene(0, index, width=64, height=64, domain=domain)
        assert np.array_equal(item["image"], image)
        assert item["image"].dtype == image.dtype
        assert np.array_equal(item["mask"], mask)
    note = json.loads((out / "scenes.json").read_text())
    assert note.get("domain") == (None if domain == "street" else domain)


def test_scenes_of_another_domain_are_other_scenes(tmp_path: Path) -> None:
    out = write_few(tmp_path / "scenes")
    with pytest.raises(DataError, match="scenes made with other settings"):
        write_few(out, domain="bands")
    write_few(out, domain="bands", overwrite=True)
    assert sorted(entry.suffix for entry in (out / "train/images").iterdir()) == [".tif", ".tif"]


@pytest.mark.parametrize(
    ("seed", "index", "size", "message"),
    [
        (-1, 0, (64, 64), "seed of scenes must be 0 or more, got -1"),
        (0, -2, (64, 64), "index of a scene must be 0 or more, got -2"),
        (0, 0, (63, 64), "64 to 2048 px wide and high, got 63x64"),
        (0, 0, (64, 4000), "got 64x4000"),
    ],
)
def test_numbers_out_of_range_are_refused(
    seed: int, index: int, size: tuple[int, int], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        draw_scene(seed, index, width=size[0], height=size[1])


def test_folder_holds_pairs_palettes_and_classes(tmp_path: Path) -> None:
    out = write_few(tmp_path / "deep" / "scenes")
    assert sorted(snapshot(out)) == sorted(
        ["classes.txt", "scenes.json"]
        + [
            f"{split}/{kind}/scene_{index:05d}.png"
            for split, count in (("train", 2), ("val", 1), ("test", 1))
            for kind in ("images", "masks")
            for index in range(count)
        ]
    )
    image, mask = draw_scene(0, 1, width=64, height=64)
    assert np.array_equal(np.asarray(Image.open(out / "train/images/scene_00001.png")), image)
    stored = Image.open(out / "train/masks/scene_00001.png")
    assert stored.mode == "P"
    assert np.array_equal(np.asarray(stored), mask)
    assert stored.getpalette()[3:6] == list(SCENE_CLASSES.colors[1])
    assert (out / "classes.txt").read_text().splitlines()[0] == "sky 104 178 236"


def test_splits_share_no_scene(tmp_path: Path) -> None:
    files = snapshot(write_few(tmp_path / "scenes", train=3, val=3, test=3))
    images = [content for name, content in files.items() if "/images/" in name]
    assert len({hashlib.sha256(image).hexdigest() for image in images}) == 9


def test_splits_may_be_left_out(tmp_path: Path) -> None:
    out = write_few(tmp_path / "scenes", val=0, test=0)
    assert sorted(entry.name for entry in out.iterdir()) == ["classes.txt", "scenes.json", "train"]


def test_same_scenes_are_not_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = write_few(tmp_path / "scenes")
    monkeypatch.setattr(synthetic, "draw_scene", None)
    assert write_few(out) == out


def test_other_scenes_need_overwrite(tmp_path: Path) -> None:
    out = write_few(tmp_path / "scenes")
    before = snapshot(out)
    with pytest.raises(DataError, match="scenes made with other settings"):
        write_few(out, seed=1)
    assert snapshot(out) == before
    write_few(out, seed=1, train=1, overwrite=True)
    assert json.loads((out / "scenes.json").read_text())["seed"] == 1
    assert len(list((out / "train/images").iterdir())) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["scenes"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_other_peoples_files_are_never_replaced(tmp_path: Path, overwrite: bool) -> None:
    out = write_few(tmp_path / "scenes")
    (out / "diary.txt").write_text("mine")
    with pytest.raises(DataError, match=r"holds other files \(diary.txt\)"):
        write_few(out, seed=1, overwrite=overwrite)
    (out / "diary.txt").unlink()
    (out / "scenes.json").unlink()
    with pytest.raises(DataError, match=r"holds other files \(classes.txt, test, train, val\)"):
        write_few(out, overwrite=overwrite)


def test_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scenes").write_text("mine")
    with pytest.raises(DataError, match="is a file, but scenes need a folder"):
        write_few(tmp_path / "scenes")


def test_damaged_note_counts_as_other_scenes(tmp_path: Path) -> None:
    out = write_few(tmp_path / "scenes")
    (out / "scenes.json").write_text("{")
    with pytest.raises(DataError, match="other settings"):
        write_few(out)
    write_few(out, overwrite=True)
    assert json.loads((out / "scenes.json").read_text())["train"] == 2


def test_empty_folder_is_filled(tmp_path: Path) -> None:
    out = tmp_path / "scenes"
    out.mkdir()
    assert (write_few(out) / "train/masks/scene_00000.png").is_file()


def test_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(synthetic, "_write_notes", fail)
    with pytest.raises(OSError, match="disk full"):
        write_few(tmp_path / "scenes")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("counts", [{"train": 0}, {"val": -1}, {"test": 2_000_000}])
def test_counts_out_of_range_are_refused(counts: dict[str, int]) -> None:
    split, count = next(iter(counts.items()))
    with pytest.raises(UsageError, match=f"number of {split} scenes must be .* got {count}"):
        write_few(Path("never"), **counts)
    assert not Path("never").exists()
