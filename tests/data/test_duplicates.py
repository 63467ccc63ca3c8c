from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from pictures import save_picture, save_splits
from segnext.data import duplicates
from segnext.data.duplicates import (
    EXAMPLES,
    Resemblances,
    Sketch,
    compare_splits,
    find_near_duplicates,
    sketch_picture,
)
from segnext.data.folder import open_folder

Change = Callable[[np.ndarray], np.ndarray]


def _scene(seed: int, height: int = 120, width: int = 160, channels: int = 3) -> np.ndarray:
    """Return smooth random shapes, as photos have."""
    coarse = np.random.default_rng(seed).integers(0, 200, (6, 7, channels), dtype=np.uint8)
    parts = [
        cv2.resize(coarse[..., c], (width, height), interpolation=cv2.INTER_CUBIC)
        for c in range(channels)
    ]
    return np.stack(parts, axis=2)


def _resemble(one: np.ndarray, other: np.ndarray) -> bool:
    return find_near_duplicates([sketch_picture(one)], [sketch_picture(other)]).pairs == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda scene: scene,
        lambda scene: cv2.resize(scene, (71, 53), interpolation=cv2.INTER_AREA),
        lambda scene: cv2.imdecode(cv2.imencode(".jpg", scene, (1, 20))[1], cv2.IMREAD_COLOR),
        lambda scene: scene + np.uint8(30),
        lambda scene: (scene * 0.8).astype(np.uint8),
        lambda scene: scene.astype(np.uint16) * 257,
        lambda scene: np.repeat(scene.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2),
    ],
    ids=["same", "resized", "repacked", "brighter", "paler", "deeper", "grey"],
)
def test_copies_resemble(change: Change) -> None:
    scene = _scene(0)
    assert _resemble(scene, change(scene))


@pytest.mark.parametrize(
    "change",
    [lambda scene: scene[:, ::-1], lambda scene: 255 - scene, lambda scene: _scene(1)],
    ids=["mirrored", "negative", "another"],
)
def test_others_do_not(change: Change) -> None:
    assert not _resemble(_scene(0), np.ascontiguousarray(change(_scene(0))))


def test_no_two_of_many_scenes_resemble() -> None:
    sketches = [sketch_picture(_scene(seed)) for seed in range(200)]
    assert find_near_duplicates(sketches, sketches) == Resemblances(
        200, 200, tuple((index, index) for index in range(EXAMPLES))
    )


def test_flat_pictures_resemble_none() -> None:
    flat = np.full((40, 40, 3), 7, np.uint8)
    assert not _resemble(flat, flat)
    assert not _resemble(_scene(0), flat)


@pytest.mark.parametrize("channels", [1, 2, 4, 12])
@pytest.mark.parametrize("size", [(1, 1), (20, 300), (33, 31)])
def test_any_size_and_channels(channels: int, size: tuple[int, int]) -> None:
    sketch = sketch_picture(_scene(3, *size, channels=channels))
    assert (sketch.signs.shape, sketch.thumbnail.shape) == ((64,), (1024,))
    assert np.isin(sketch.signs, (-1, 1)).all()


def _ramp(*, rising: bool) -> np.ndarray:
    columns = np.arange(160) if rising else np.arange(160)[::-1]
    return np.broadcast_to(columns[None, :, None], (120, 160, 3)).astype(np.uint8)


def test_signs_tell_where_brightness_rises() -> None:
    assert (sketch_picture(_ramp(rising=True)).signs == 1).all()
    assert (sketch_picture(_ramp(rising=False)).signs == -1).all()


def test_both_checks_must_hold() -> None:
    signs, thumbnail = np.ones(64, np.float32), np.zeros(1024, np.float32)
    thumbnail[0] = 1
    far = signs * np.where(np.arange(64) < 11, -1, 1).astype(np.float32)
    near = signs * np.where(np.arange(64) < 10, -1, 1).astype(np.float32)
    like, unlike = thumbnail.copy(), thumbnail.copy()
    like[:2], unlike[:2] = (0.91, (1 - 0.91**2) ** 0.5), (0.89, (1 - 0.89**2) ** 0.5)
    others = [
        Sketch(near, like),
        Sketch(far, like),
        Sketch(near, unlike),
        Sketch(near.copy(), thumbnail),
    ]
    found = find_near_duplicates([Sketch(signs, thumbnail)], others)
    assert found == Resemblances(2, 2, ((0, 0), (0, 3)))


def test_bands_and_pairs_are_counted_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "_BAND", 2)
    scenes = [sketch_picture(_scene(seed)) for seed in (0, 1, 2, 0, 4)]
    others = [sketch_picture(_scene(seed)) for seed in (9, 0, 4)]
    assert find_near_duplicates(scenes, others) == Resemblances(3, 2, ((0, 1), (3, 1), (4, 2)))


def test_nothing_to_compare() -> None:
    assert find_near_duplicates([], [sketch_picture(_scene(0))]) == Resemblances(0, 0, ())
    assert find_near_duplicates([sketch_picture(_scene(0))], []) == Resemblances(0, 0, ())


def test_splits_that_share_a_picture(tmp_path: Path) -> None:
    save_splits(tmp_path, train=3, val=2, test=2)
    for seed, path in enumerate(sorted(tmp_path.rglob("*.jpg"))):
        save_picture(path, _scene(seed, 20, 30))
    save_picture(tmp_path / "train/images/train_2.jpg", _scene(99, 20, 30), quality=95)
    save_picture(tmp_path / "val/images/val_1.jpg", _scene(99, 20, 30), quality=70)
    (found,) = compare_splits(open_folder(tmp_path))
    assert (found.splits, found.compared) == (("train", "val"), (3, 2))
    assert (found.pairs, found.pictures, found.examples) == (1, 1, (("train_2", "val_1"),))


def test_large_splits_are_sampled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three pictures the first and the last are compared; names must follow the sample."""
    monkeypatch.setattr(duplicates, "COMPARED", 2)
    save_splits(tmp_path, train=3, val=1)
    for seed, path in enumerate(sorted(tmp_path.rglob("*.jpg"))):
        save_picture(path, _scene(seed, 20, 30))
    save_picture(tmp_path / "train/images/train_2.jpg", _scene(3, 20, 30))
    (found,) = compare_splits(open_folder(tmp_path))
    assert (found.compared, found.examples) == ((2, 1), (("train_2", "val_0"),))


def test_a_broken_picture_is_left_out(tmp_path: Path) -> None:
    save_splits(tmp_path, train=2, val=2)
    for seed, path in enumerate(sorted(tmp_path.rglob("*.jpg"))):
        save_picture(path, _scene(seed, 20, 30))
    save_picture(tmp_path / "val/images/val_1.jpg", _scene(0, 20, 30))
    path = tmp_path / "val/images/val_0.jpg"
    folder = open_folder(tmp_path)
    path.write_bytes(path.read_bytes()[:-20])
    (found,) = compare_splits(folder)
    assert (found.compared, found.examples) == ((2, 1), (("train_0", "val_1"),))
