from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segnext.classes import Classes
from segnext.errors import UsageError
from segnext.predict import Prediction

CLASSES = Classes(("sky", "road"), ((0, 0, 255), (255, 0, 0)))


def predict(height: int = 400, width: int = 60) -> Prediction:
    mask = np.zeros((height, width), np.uint8)
    mask[100:] = 1
    image = np.full((height, width, 3), 90, np.uint8)
    return Prediction(image, mask, CLASSES, lambda: np.full(mask.shape, 0.5, np.float32))


def refuse() -> np.ndarray:
    msg = "without probabilities"
    raise UsageError(msg)


def test_contours_change_nothing_but_boundaries() -> None:
    drawn = predict().contours()
    changed = (drawn != 90).any(axis=2)
    assert changed.all(axis=1).nonzero()[0].tolist() == [99, 100]
    assert changed.any(axis=1).sum() == 2
    assert drawn[99:101, 5].tolist() == [[0, 0, 255], [255, 0, 0]]


def test_every_output_has_its_folder(tmp_path: Path) -> None:
    predict().save(tmp_path, "sub/a", outputs=["labels", "contours", "confidence"])
    found = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png"))
    assert found == ["confidence/sub/a.png", "contours/sub/a.png", "masks/sub/a.png"]
    assert np.unique(np.array(Image.open(tmp_path / "confidence/sub/a.png"))).tolist() == [128]


def test_masks_of_many_classes_have_16_bits(tmp_path: Path) -> None:
    classes = Classes.numbered(300)
    mask = np.arange(300, dtype=np.uint16).reshape(15, 20)
    Prediction(np.zeros((15, 20, 3), np.uint8), mask, classes, refuse).save(tmp_path)
    with Image.open(tmp_path / "masks/prediction.png") as stored:
        assert stored.mode.startswith("I;16")
        assert np.array_equal(np.array(stored), mask)


def test_what_cannot_be_written_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="unknown output 'mask': valid: confidence"):
        predict().save(tmp_path, outputs=["overlay", "mask"])
    one = predict()
    prediction = Prediction(one.image, one.mask, CLASSES, refuse)
    with pytest.raises(UsageError, match="without probabilities"):
        prediction.save(tmp_path, confidence=True)
    assert not any(tmp_path.iterdir())
