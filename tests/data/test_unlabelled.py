from pathlib import Path

import numpy as np
import pytest

from segnext.data import open_folder
from segnext.data.unlabelled import WithUnlabelled
from segnext.errors import DataError


def test_unlabelled_pictures_follow_with_ignored_masks(scenes: Path) -> None:
    train = open_folder(scenes).dataset("train")
    both = WithUnlabelled(train, scenes / "test" / "images")
    assert len(both) == 6 + 3
    np.testing.assert_array_equal(both[5]["mask"], train[5]["mask"])
    last = both[8]
    assert last["image"].shape == (64, 64, 3)
    assert last["mask"].shape == (64, 64)
    assert set(np.unique(last["mask"])) == {255}
    assert both.path(0) == train.items[0].image_path
    assert both.path(8).name == "scene_00002.png"


def test_an_empty_folder_is_refused(scenes: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no pictures there to learn from without masks"):
        WithUnlabelled(open_folder(scenes).dataset("train"), tmp_path)
