from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pictures import save_picture
from segnext.classes import Classes
from segnext.data.folder import FolderDataset
from segnext.data.grid import Grid, Order
from segnext.data.masks import FileMasks
from segnext.data.pairing import Item
from segnext.data.patches import cut
from segnext.data.stitching import stitch_patches
from segnext.data.taxonomy import Taxonomy
from segnext.errors import DataError

GENERATOR = np.random.default_rng(3)
READER = FileMasks("ids", Taxonomy(Classes(("a", "b", "c"))))


def write_patches(
    root: Path, name: str, photo: Any, mask: Any, grid: Grid, order: Order = "sides"
) -> list[Item]:
    items = []
    for patch in grid.plan(*mask.shape):
        stem = f"{name}_{patch.describe(order)}"
        image = save_picture(root / f"img/{stem}.png", cut(photo, patch, 0))
        label = save_picture(root / f"ann/{stem}.png", cut(mask, patch, 255))
        items.append(Item(stem, image, label, name))
    return items


def picture(height: int, width: int) -> tuple[Any, Any]:
    photo = GENERATOR.integers(0, 256, (height, width, 3), dtype=np.uint8)
    return photo, GENERATOR.integers(0, 3, (height, width), dtype=np.uint8)


def split_of(items: list[Item]) -> FolderDataset:
    return FolderDataset("val", tuple(items), 3, READER)


@pytest.mark.parametrize("order", ["sides", "corners"])
def test_pictures_come_back_exactly(tmp_path: Path, order: Order) -> None:
    large, other = picture(21, 34), picture(16, 40)
    items = write_patches(tmp_path, "P2", *other, Grid(16, 10), order)
    items += write_patches(tmp_path, "P1", *large, Grid(16, 10), order)
    whole = stitch_patches(split_of(items))
    assert len(whole) == 2
    assert [whole[index]["name"] for index in range(2)] == ["P1", "P2"]
    for index, (photo, mask) in enumerate((large, other)):
        np.testing.assert_array_equal(whole[index]["image"], photo)
        np.testing.assert_array_equal(whole[index]["mask"], mask)
    assert whole.path(1) == items[0].image_path


def test_what_was_filled_up_stays_ignored(tmp_path: Path) -> None:
    photo, mask = picture(5, 20)
    items = write_patches(tmp_path, "P1", photo, mask, Grid(16, 10))
    item = stitch_patches(split_of(items))[0]
    np.testing.assert_array_equal(item["mask"][:5], mask)
    assert item["mask"].shape == (16, 20)
    assert (item["mask"][5:] == 255).all()
    assert (item["image"][5:] == 0).all()


def test_missing_patches_are_noticed(tmp_path: Path) -> None:
    items = write_patches(tmp_path, "P1", *picture(36, 36), Grid(16, 10))
    for lost in ([0], [4], [0, 1, 2], [1, 4, 7]):
        left = [item for index, item in enumerate(items) if index not in lost]
        with pytest.raises(DataError, match=r"^P1: its \d patches do not cover the picture"):
            stitch_patches(split_of(left))


def test_whole_pictures_are_no_patches(tmp_path: Path) -> None:
    photo = save_picture(tmp_path / "street_1.png")
    with pytest.raises(DataError, match=r"no patches to stitch, such as street_1"):
        stitch_patches(split_of([Item("street_1", photo, photo, "")]))
    with pytest.raises(DataError, match=r"no patches to stitch, such as no picture"):
        stitch_patches(split_of([]))


def test_a_patch_of_another_size_than_its_name_is_refused(tmp_path: Path) -> None:
    items = write_patches(tmp_path, "P1", *picture(16, 30), Grid(16, 14))
    save_picture(items[1].image_path, np.zeros((15, 16, 3), np.uint8))
    assert items[1].mask_path is not None
    save_picture(items[1].mask_path, np.zeros((15, 16), np.uint8))
    with pytest.raises(DataError, match=r"P1_0_16_14_30\.png: 16x15 pixels, but .* says 16x16"):
        stitch_patches(split_of(items))[0]


def test_enormous_pictures_are_refused_before_they_are_made(tmp_path: Path) -> None:
    photo = save_picture(tmp_path / "x.png")
    names = [f"P1_{top}_{top + 65000}_0_65000" for top in (0, 65000)]
    with pytest.raises(DataError, match=r"P1: its patches make 65000x130000 pixels, above"):
        stitch_patches(split_of([Item(name, photo, photo, "") for name in names]))
