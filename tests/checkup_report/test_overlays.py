import base64
from pathlib import Path

import cv2
import numpy as np
import pytest

from checked_folders import check, stripes, write_data, write_pair
from pictures import save_picture
from segnext.checkup_report import draw_overlays, overlays
from segnext.data.checkup import Checkup
from segnext.errors import UsageError


@pytest.fixture(scope="module")
def checkup(tmp_path_factory: pytest.TempPathFactory) -> Checkup:
    root = write_data(tmp_path_factory.mktemp("data"), stripes([0, 1, 1]), "a, b", train=12, val=9)
    return check(root)


def decode(url: str) -> np.ndarray:
    content = base64.b64decode(url.removeprefix("data:image/jpeg;base64,"))
    return np.asarray(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR))


def test_pictures_of_all_splits_are_drawn(checkup: Checkup) -> None:
    drawn = draw_overlays(checkup)
    assert [entry.split for entry in drawn] == ["train"] * 8 + ["val"] * 4
    assert drawn[0].name == "train_0"
    assert drawn[0].present == (1, 0)
    assert decode(drawn[0].picture).shape == (40, 48, 3)
    assert (drawn[0].width, drawn[0].height) == (48, 40)
    assert np.abs(decode(drawn[0].picture).astype(int) - decode(drawn[0].overlaid)).mean() > 5


def test_the_number_is_limited(checkup: Checkup) -> None:
    assert [entry.split for entry in draw_overlays(checkup, 3)] == ["train", "train", "val"]
    assert draw_overlays(checkup, 0) == []
    assert len(draw_overlays(checkup, 100)) == 21
    with pytest.raises(UsageError, match=r"a sheet cannot have -1 pictures"):
        draw_overlays(checkup, -1)


def test_the_bytes_are_limited(checkup: Checkup, monkeypatch: pytest.MonkeyPatch) -> None:
    one = draw_overlays(checkup, 1)[0]
    monkeypatch.setattr(overlays, "MOST_BYTES", 3 * (len(one.picture) + len(one.overlaid)))
    assert 1 <= len(draw_overlays(checkup)) <= 3


def test_large_pictures_become_thumbnails(tmp_path: Path) -> None:
    for split in ("train", "val"):
        noise = np.random.default_rng(len(split)).integers(0, 256, (300, 1120, 3), dtype=np.uint8)
        save_picture(tmp_path / split / "images/a.png", noise)
        save_picture(tmp_path / split / "masks/a.png", np.resize(stripes([0, 1]), (300, 1120)))
    entry = draw_overlays(check(tmp_path))[0]
    assert (entry.width, entry.height) == (560, 150)
    assert decode(entry.overlaid).shape == (150, 560, 3)


def test_a_file_that_is_gone_is_left_out(tmp_path: Path) -> None:
    write_data(tmp_path, stripes([0, 1]), "a, b")
    write_pair(tmp_path, "train", "gone", stripes([0, 1]))
    found = check(tmp_path)
    (tmp_path / "train/images/gone.png").unlink()
    assert "gone" not in [entry.name for entry in draw_overlays(found)]
