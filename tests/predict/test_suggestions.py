from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from pictures import save_picture
from segnext.classes import Classes
from segnext.drawing import write_mask_png
from segnext.errors import DataError, UsageError
from segnext.predict import suggest_pictures, write_suggestions

CLASSES = Classes(("sky", "road", "car"))
Scene = tuple[int, int, float]  # picture, label of its lower half, confidence


def write_scenes(root: Path, scenes: Sequence[Scene]) -> dict[str, Path]:
    """Write pictures with what `segnext predict` would write of them."""
    images = {}
    for number, (picture, label, confidence) in enumerate(scenes):
        random = np.random.default_rng(picture)
        pixels: npt.NDArray[np.uint8] = random.integers(0, 256, (8, 8, 3), np.uint8)
        noise = np.random.default_rng(number).integers(0, 5, (32, 40, 3), np.uint8)
        mask = np.zeros((32, 40), np.uint8)
        mask[16:] = label
        name = f"{number}"
        images[name] = save_picture(
            root / f"photos/{name}.png", (pixels // 2).repeat(4, 0).repeat(5, 1) + noise
        )
        write_mask_png(root / f"masks/{name}.png", mask, CLASSES)
        grey = np.full((32, 40), round(255 * confidence), np.uint8)
        save_picture(root / f"confidence/{name}.png", grey)
    return images


def order(root: Path, scenes: Sequence[Scene], count: int) -> list[int]:
    images = write_scenes(root, scenes)
    return [int(one.path.stem) for one in suggest_pictures(root, images, CLASSES, count)]


def test_the_uncertain_come_first(tmp_path: Path) -> None:
    scenes = [(1, 1, 0.9), (2, 1, 0.6), (3, 1, 0.75)]
    assert order(tmp_path, scenes, 3) == [1, 2, 0]


def test_near_duplicates_of_the_chosen_come_last(tmp_path: Path) -> None:
    scenes = [(1, 1, 0.5), (1, 1, 0.51), (1, 1, 0.52), (2, 2, 0.8), (3, 1, 0.9)]
    assert order(tmp_path, scenes, 3) == [0, 3, 4]


def test_other_classes_make_alike_pictures_differ(tmp_path: Path) -> None:
    assert order(tmp_path, [(1, 1, 0.5), (1, 1, 0.6), (1, 2, 0.7)], 3) == [0, 2, 1]


def test_there_may_be_fewer_and_flat_ones(tmp_path: Path) -> None:
    images = write_scenes(tmp_path, [(1, 1, 0.9)] * 2)
    for path in images.values():
        save_picture(path, np.zeros((32, 40, 3), np.uint8))
    first, second = suggest_pictures(tmp_path, images, CLASSES, 9)
    assert (first.difference, second.difference) == (1, 0)
    assert first.uncertainty == pytest.approx(0.1, abs=1 / 255)
    assert suggest_pictures(tmp_path, {}, CLASSES, 9) == []
    with pytest.raises(UsageError, match="must be at least 1, got 0"):
        suggest_pictures(tmp_path, images, CLASSES, 0)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    images = write_scenes(tmp_path, [(1, 1, 0.9)])
    (tmp_path / "confidence/0.png").unlink()
    with pytest.raises(DataError, match=r"confidence/0\.png"):
        suggest_pictures(tmp_path, images, CLASSES, 1)


def test_a_row_for_each_suggestion(tmp_path: Path) -> None:
    images = write_scenes(tmp_path, [(1, 1, 0.8), (2, 1, 0.6)])
    write_suggestions(tmp_path / "suggest.csv", suggest_pictures(tmp_path, images, CLASSES, 2))
    head, first, second = (tmp_path / "suggest.csv").read_text().splitlines()
    assert head == "rank,image,uncertainty,difference"
    assert first == f"1,{images['1']},0.4000,1.0000"
    assert second.startswith(f"2,{images['0']},0.2000,0.")
