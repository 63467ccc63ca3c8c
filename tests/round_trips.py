"""Masks that are hard to draw, written for annotation programs and read back."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pictures import save_picture
from segnext.classes import Classes, Mask
from segnext.data.folder import open_folder
from segnext.drawing import write_mask_png
from segnext.predict import Prediction
from segnext.predict.annotations import Annotations
from segnext.predict.writers.registry import WRITERS

WITH_BACKGROUND = Classes(("background", "crop", "weed & <grass>"))
WITHOUT_BACKGROUND = Classes(("road", "sky", "car"))


def hard_masks() -> dict[str, npt.NDArray[np.uint8]]:
    """Return masks of the ids 0, 1 and 2 by name of the picture."""
    random = np.random.default_rng(0)
    rings = np.zeros((41, 37), np.uint8)
    for inset in range(18):
        rings[inset : 41 - inset, inset : 37 - inset] = inset % 3
    board = np.indices((17, 23)).sum(axis=0).astype(np.uint8) % 2 + 1
    holes = np.ones((29, 31), np.uint8)
    holes[1:-1:2, 1:-1:3] = 0
    holes[4:9, 4:9] = 2
    pixels = np.zeros((30, 47), np.uint8)
    pixels[random.integers(0, 30, 20), random.integers(0, 47, 20)] = 1
    pixels[[0, 0, -1, -1], [0, -1, 0, -1]] = 2
    # A picture this wide needs more digits of a share than files of six have.
    wide = (random.random((2, 9973)) < 0.01).astype(np.uint8)
    noise = random.integers(0, 3, (23, 31)).astype(np.uint8)
    whole = np.full((11, 13), 2, np.uint8)
    column, pixel = np.array([[0], [1], [0], [2], [2]], np.uint8), np.ones((1, 1), np.uint8)
    return {
        "rings": rings,
        "diagonal/board": board,
        "holes": holes,
        "pixels": pixels,
        "wide": wide,
        "diagonal/noise": noise,
        "whole": whole,
        "column": column,
        "pixel": pixel,
    }


def write_annotations(
    out: Path, format: str, classes: Classes, masks: dict[str, npt.NDArray[np.uint8]]
) -> Path:
    """Write masks in a format as if they were predicted, the pictures beside it in `images`."""
    folder = out / WRITERS[format].folder
    images = {name: folder / "images" / f"{name}.png" for name in masks}
    annotations = Annotations(out, [format], classes)
    for name, path in images.items():
        picture = np.zeros((*masks[name].shape, 3), np.uint8)
        save_picture(path, picture)
        prediction = Prediction(picture, masks[name], classes, lambda: np.ones(1, np.float32))
        annotations.add(name, path, prediction)
        write_mask_png(out / "masks" / f"{name}.png", masks[name], classes)
    annotations.finish(images, lambda _: None)
    return folder


def read_masks(folder: Path, classes: Classes) -> dict[str, Mask]:
    """Read a data set back, as ids of `classes`."""
    opened = open_folder(folder)
    assert set(opened.classes.names) == set(classes.names)
    place = np.array([classes.names.index(name) for name in opened.classes.names] + [255])
    found = {}
    for part in opened.splits.values():
        for index, item in enumerate(part.items):
            mask = part.mask(index)
            assert set(np.unique(mask)) <= {0, 1, 2, 255}
            found[item.name.removeprefix("images/")] = place[np.minimum(mask, 3)].astype(np.uint8)
    return found


def assert_kept(
    out: Path,
    format: str,
    classes: Classes,
    correct: Callable[[Path], None] = lambda _: None,
) -> None:
    """Assert that masks come back to the pixel; `correct` does what an annotator does meanwhile."""
    masks = hard_masks()
    folder = write_annotations(out, format, classes, masks)
    correct(folder)
    found = read_masks(folder, classes)
    assert set(found) == set(masks)
    for name, mask in masks.items():
        np.testing.assert_array_equal(found[name], mask, name)
