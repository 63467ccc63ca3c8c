from pathlib import Path

import pytest

from pictures import save_pairs, save_picture
from segnext.data.formats.mask_pictures import holds_mask_pictures


@pytest.mark.parametrize(
    "mask", ["masks/a.png", "labels/train/a.png", "train/masks/a.png", "valid/Labels/a.png"]
)
def test_masks_are_seen(tmp_path: Path, mask: str) -> None:
    save_picture(tmp_path / mask)
    assert not holds_mask_pictures(tmp_path)
    for parent in (".", "train", "valid"):
        save_picture(tmp_path / parent / "images/a.jpg")
    (tmp_path / mask).with_name(".DS_Store").write_text("")
    assert holds_mask_pictures(tmp_path)


def test_photos_and_other_labels_are_no_masks(tmp_path: Path) -> None:
    save_pairs(tmp_path, {"images/train/a.jpg": "", "train/b.jpg": ""})
    save_picture(tmp_path / "annotations/panoptic_train2017/a.png")
    (tmp_path / "labels/train").mkdir(parents=True)
    (tmp_path / "labels/train/a.txt").write_text("0 0 0 1 0 1 1\n")
    (tmp_path / "labels/b.png").mkdir()
    assert not holds_mask_pictures(tmp_path)
