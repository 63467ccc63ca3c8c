from pathlib import Path

import numpy as np
import pytest

from segnext.classes import Classes
from segnext.drawing import write_mask_png
from segnext.errors import DataError
from segnext.predict import Prediction
from segnext.predict.annotations import Annotations

CLASSES = Classes(("background", "crop"))
MASK = np.array([[0, 1, 1], [0, 0, 1]], np.uint8)
IMAGES = {"a": Path("photos/a.jpg"), "sub/b": Path("photos/sub/b.jpg")}


def write_masks(out: Path) -> None:
    for name in IMAGES:
        write_mask_png(out / "masks" / f"{name}.png", MASK, CLASSES)


def test_files_are_made_from_masks_and_kept_once_there(tmp_path: Path) -> None:
    write_masks(tmp_path)
    written: list[str] = []
    annotations = Annotations(tmp_path, ["labelme", "coco"], CLASSES)
    annotations.finish(IMAGES, written.append)
    assert written == ["coco", "labelme"]
    made = (tmp_path / "labelme/sub/b.json").read_bytes()
    (tmp_path / "labelme/sub/b.json").write_text("corrected")
    (tmp_path / "labelme/a.json").unlink()
    annotations.finish(IMAGES, written.append)
    assert (tmp_path / "labelme/sub/b.json").read_text() == "corrected"
    assert (tmp_path / "labelme/a.json").exists()
    image = np.zeros((2, 3, 3), np.uint8)
    prediction = Prediction(image, MASK, CLASSES, lambda: np.ones((2, 3), np.float32))
    annotations.add("sub/b", IMAGES["sub/b"], prediction)
    assert (tmp_path / "labelme/sub/b.json").read_bytes() == made


def test_a_damaged_mask_is_named(tmp_path: Path) -> None:
    write_masks(tmp_path)
    (tmp_path / "masks/a.png").write_bytes(b"\x89PNG broken")
    with pytest.raises(DataError, match=r"masks/a\.png"):
        Annotations(tmp_path, ["cvat"], CLASSES).finish(IMAGES, lambda _: None)
    assert not (tmp_path / "cvat/annotations.xml").exists()
