from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from pictures import ids, save_picture
from segnext.classes import Classes
from segnext.data.grid import Grid, Patch
from segnext.data.masks import FileMasks
from segnext.data.pairing import Item
from segnext.data.patches import (
    Style,
    cut,
    cut_mask,
    encode_png,
    find_patches,
    picture_of,
    plan_cutting,
    read_grid,
)
from segnext.data.preparation import run_tasks
from segnext.data.taxonomy import Taxonomy
from segnext.errors import DataError, UsageError

CLASSES = Classes(("a", "b"), raw_to_train=((0, None), (1, 0), (2, 1)))
READER = FileMasks("ids", Taxonomy(CLASSES))

# Height and width of Vaihingen's areas, by split; 344 and 398 patches are published of them.
VAIHINGEN = {
    344: [
        *((2569, 1919), (2566, 1893), (2558, 2818), (2565, 1919), (1281, 2336), (2546, 1903)),
        *((2546, 1903), (1783, 2995), (2567, 1917), (3007, 2006), (2563, 1934), (2555, 1980)),
        *((2555, 1388), (1995, 1996), (2557, 1887), (2557, 1887)),
    ],
    398: [
        *((2557, 1887), (2546, 1903), (1884, 2805), (2565, 1919), (2565, 1919), (2546, 1903)),
        *((2557, 1887), (2557, 1887), (2767, 2428), (2315, 1866), (2557, 1887), (2555, 1980)),
        *((2555, 1581), (3313, 1917), (2550, 3816), (2575, 1922), (2563, 1917)),
    ],
}


def places(grid: Grid, height: int, width: int) -> list[str]:
    return [patch.describe("sides") for patch in grid.plan(height, width)]


def test_the_last_patch_is_shifted_inwards() -> None:
    grid = Grid.overlapping(896, 384)
    assert grid == Grid(896, 512)
    assert places(grid, 1023, 1147) == [
        "0_896_0_896",
        "0_896_251_1147",
        "127_1023_0_896",
        "127_1023_251_1147",
    ]
    assert [patch.top for patch in grid.plan(896 + 512, 10)] == [0, 512]
    assert [patch.top for patch in grid.plan(896 + 513, 10)] == [0, 512, 513]
    assert places(grid, 896, 896) == places(grid, 10, 20) == ["0_896_0_896"]


def test_published_counts_are_those_of_patches_side_by_side() -> None:
    grid = Grid(512, 512)
    assert 24 * len(grid.plan(6000, 6000)) == 3456
    assert 14 * len(grid.plan(6000, 6000)) == 2016
    assert 24 * len(Grid(512, 256).plan(6000, 6000)) == 12_696
    for count, sizes in VAIHINGEN.items():
        assert sum(len(grid.plan(*size)) for size in sizes) == count


def test_impossible_grids_are_refused() -> None:
    with pytest.raises(UsageError, match=r"patches of 8 px cannot overlap by 8 px; say 0 to 7"):
        Grid.overlapping(8, 8)
    with pytest.raises(UsageError, match=r"patches of 8 px every 9 px"):
        Grid(8, 9)
    with pytest.raises(UsageError, match=r"patches of 70000 px every 70000 px"):
        Grid(70_000, 70_000)
    with pytest.raises(UsageError, match=r"overlap='much': should be a whole number"):
        read_grid(512, "much")
    with pytest.raises(UsageError, match=r"patch=True: should be a whole number"):
        read_grid(True, 0)


def test_what_lies_beyond_the_picture_is_filled() -> None:
    pixels = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert cut(pixels, Patch(0, 1, 3, 4), 255).tolist() == [[1, 2, 255], [4, 5, 255], [255] * 3]
    assert cut(pixels[..., None], Patch(0, 0, 3, 3), 7).shape == (3, 3, 1)
    assert cut(pixels, Patch(1, 1, 2, 3), 255).tolist() == [[4, 5]]


def test_names_tell_their_order_together() -> None:
    sides = ["P1_0_4_0_4", "P1_0_4_4_8", "P1_4_8_0_4", "P1_4_8_4_8"]
    corners = ["P1_0_0_4_4", "P1_4_0_8_4", "P1_0_4_4_8", "P1_4_4_8_8"]
    expected = [Patch(0, 0, 4, 4), Patch(0, 4, 4, 8), Patch(4, 0, 8, 4), Patch(4, 4, 8, 8)]
    for names in (sides, corners):
        assert find_patches(names) == [("P1", patch) for patch in expected]
    assert [patch.describe("corners") for patch in expected] == [n[3:] for n in corners]
    assert find_patches(["P1_0_4_0_4", "P1"]) is None
    assert find_patches(["P1_0_4_0_4", "P1_0_0_4_4"]) is None
    assert find_patches(["P1_0_4_0_4", "P1_0_5_0_5"]) is None
    assert find_patches(["P1_4_0_4_0"]) is None
    assert find_patches([]) is None
    assert picture_of("2_10_0_0_512_512") == "2_10"
    assert picture_of("P0006") == "P0006"


@pytest.mark.parametrize(("order", "second"), [("sides", "0_16_14_30"), ("corners", "14_0_30_16")])
def test_patches_of_a_split_are_written_once(tmp_path: Path, order: str, second: str) -> None:
    photo = np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    mask = ids(0, 1, 2)
    source, out = tmp_path / "raw", tmp_path / "out"
    items = [
        Item("a/x", save_picture(source / "x.png", photo), save_picture(source / "m.png", mask), "")
    ]
    style = Style(order, "_L", void=9)  # type: ignore[arg-type]
    tasks = plan_cutting(items, READER, Grid(16, 14), style, "val")
    assert len(tasks) == 2
    assert run_tasks(tasks, out, workers=0) == 2
    assert run_tasks(tasks, out, workers=0) == 0
    assert len(list((out / "img_dir/val").iterdir())) == 4
    assert len(list((out / "ann_dir/val").iterdir())) == 4
    image = cv2.imread(str(out / f"img_dir/val/x_{second}.png"))
    np.testing.assert_array_equal(image[..., ::-1], photo[:16, 14:])
    stored = cv2.imread(str(out / f"ann_dir/val/x_{second}_L.png"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(stored, np.where(mask == 0, 9, mask)[:16, 14:])


def test_a_stopped_picture_is_cut_again(tmp_path: Path) -> None:
    item = Item("x", save_picture(tmp_path / "x.png"), None, "")
    tasks = plan_cutting([item], READER, Grid(16, 14), Style("sides"), "train")
    run_tasks(tasks, tmp_path / "out", workers=0)
    (tmp_path / "out" / tasks[0].output).unlink()
    (tmp_path / "out/img_dir/train/x_4_20_14_30.png").write_bytes(b"half")
    assert run_tasks(tasks, tmp_path / "out", workers=0) == 1
    assert (tmp_path / "out/img_dir/train/x_4_20_14_30.png").stat().st_size > 4


def test_photos_and_masks_of_other_sizes_are_refused(tmp_path: Path) -> None:
    photo = save_picture(tmp_path / "x.png", np.zeros((20, 29, 3), np.uint8))
    item = Item("x", photo, save_picture(tmp_path / "m.png", ids(1)), "")
    with pytest.raises(DataError, match=r"m\.png: 30x20 pixels, but its image .*x\.png has 29x20"):
        list(cut_mask(item, READER, Grid(16, 16), Style("sides"), "x"))


def test_more_bands_than_a_png_holds_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(
        path, np.zeros((20, 30, 5), np.uint8), planarconfig="contig", photometric="minisblack"
    )
    tasks = plan_cutting([Item("x", path, None, "")], READER, Grid(9, 9), Style("sides"), "val")
    with pytest.raises(DataError, match=r"x\.tif: has 5 bands, but patches hold 1 or 3"):
        run_tasks(tasks, tmp_path / "out", workers=0)


def test_png_keeps_grey_and_sixteen_bits() -> None:
    for pixels in (np.full((2, 3, 1), 9, np.uint8), np.full((2, 3, 3), 40_000, np.uint16)):
        read = cv2.imdecode(np.frombuffer(encode_png(pixels), np.uint8), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(read.reshape(pixels.shape), pixels)
