from pathlib import Path

import numpy as np
import pytest

from segnext.classes import Classes
from segnext.drawing import write_mask_png
from segnext.predict.writers.labelled import Labelled, drawn_labels


@pytest.mark.parametrize(
    ("name", "path", "expected"),
    [
        ("sub/a", "photos/sub/a.jpg", "sub/a.jpg"),
        ("sub/a.jpg", "photos/sub/a.jpg", "sub/a.jpg"),  # beside a.png
        ("a.jpg", "a.jpg.jpg", "a.jpg.jpg"),
        ("v1.2", "v1.2.PNG", "v1.2.PNG"),
    ],
)
def test_files_call_pictures_by_their_full_names(name: str, path: str, expected: str) -> None:
    picture = Labelled(name, Path(path), np.zeros((1, 1), np.uint8), Classes(("a", "b")))
    assert picture.file_name == expected


def test_background_is_not_drawn() -> None:
    assert drawn_labels(Classes(("road", "Background", "sky"))) == [0, 2]
    assert drawn_labels(Classes(("road",))) == [1]
    mask = np.array([[0, 1, 2, 255]], np.uint8)
    picture = Labelled("a", Path("a.jpg"), mask, Classes(("road", "Background", "sky")))
    assert [region.label for region in picture.regions()] == [0, 2]


@pytest.mark.parametrize("count", [3, 300])
def test_masks_are_read_as_they_were_written(tmp_path: Path, count: int) -> None:
    classes = Classes.numbered(count)
    mask = np.arange(count, dtype=classes.mask_dtype).reshape(3, -1)
    write_mask_png(tmp_path / "a.png", mask, classes)
    picture = Labelled.read("a", Path("a.jpg"), tmp_path / "a.png", classes)
    assert picture.mask.dtype == mask.dtype
    np.testing.assert_array_equal(picture.mask, mask)
