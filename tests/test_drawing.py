from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from segnext.classes import Classes
from segnext.drawing import (
    colorize,
    contact_sheet,
    displayable,
    legend,
    overlay,
    overlay_with_legend,
    write_mask_png,
    write_png,
)
from segnext.errors import UsageError

Array = npt.NDArray[Any]

RED, GREEN, BLUE = (200, 0, 0), (0, 180, 0), (0, 0, 160)
CLASSES = Classes(("red", "green", "blue"), (RED, GREEN, BLUE))
MASK = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 255, 255]], np.uint8)


def colors_of(picture: Array) -> set[tuple[int, ...]]:
    return {tuple(color) for color in picture.reshape(-1, 3).tolist()}


def test_colorize_paints_class_colours_and_ignored_pixels() -> None:
    picture = colorize(MASK, CLASSES, ignore_color=(9, 9, 9))
    assert (picture.shape, picture.dtype) == ((3, 4, 3), np.uint8)
    assert picture[0, 0].tolist() == list(RED)
    assert picture[1, 3].tolist() == list(GREEN)
    assert picture[2, 0].tolist() == list(BLUE)
    assert picture[2, 3].tolist() == [9, 9, 9]


def test_colorize_of_one_class_has_a_background() -> None:
    picture = colorize(np.array([[0, 1, 255]]), Classes(("crack",), (RED,)))
    assert picture.tolist() == [[[0, 0, 0], list(RED), [0, 0, 0]]]


def test_colorize_takes_wide_masks() -> None:
    classes = Classes.numbered(300)
    picture = colorize(np.array([[299, 65535]], np.uint16), classes)
    assert picture[0].tolist() == [list(classes.colors[299]), [0, 0, 0]]


@pytest.mark.parametrize("value", [3, 254, -1])
def test_colorize_refuses_what_is_no_train_id(value: int) -> None:
    with pytest.raises(UsageError, match=f"holds {value}, but train ids run from 0 to 2"):
        colorize(np.array([[0, value]], np.int64), CLASSES)


def test_colorize_refuses_what_is_no_mask() -> None:
    with pytest.raises(UsageError, match=r"must be \(H, W\) integers, got \(2, 2\) float64"):
        colorize(np.zeros((2, 2)), CLASSES)


def test_displayable_keeps_eight_bit_values() -> None:
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    assert np.array_equal(displayable(image), image)
    grey = displayable(image[..., 0])
    assert np.array_equal(grey, np.repeat(image[..., :1], 3, axis=2))
    assert np.array_equal(displayable(image[..., :1]), grey)
    assert np.array_equal(displayable(image[..., :2]), grey)


def test_displayable_does_not_hand_out_the_image_itself() -> None:
    image = np.zeros((2, 2, 3), np.uint8)
    displayable(image)[:] = 9
    assert image.max() == 0


def test_displayable_stretches_sixteen_bits_to_percentiles() -> None:
    ramp = np.arange(1000, 1101, dtype=np.uint16).reshape(1, 101)
    shown = displayable(ramp)[0, :, 0]
    assert shown[:3].tolist() == [0, 0, 0]
    assert shown[98:].tolist() == [255, 255, 255]
    assert shown[50] in (127, 128)
    assert displayable(np.full((4, 4, 1), 700, np.uint16)).max() == 0


def test_displayable_shows_the_first_three_of_many_bands() -> None:
    image = np.zeros((10, 10, 5), np.uint8)
    image[5:, :, 0], image[5:, :, 4] = 60, 200
    shown = displayable(image)
    assert colors_of(shown) == {(0, 0, 0), (255, 0, 0)}


@pytest.mark.parametrize("image", [np.zeros((4, 4, 3)), np.zeros(4, np.uint8)])
def test_displayable_refuses_other_arrays(image: Array) -> None:
    with pytest.raises(UsageError, match="uint8 or uint16, got"):
        displayable(image)


def test_overlay_blends_with_alpha_and_spares_ignored_pixels() -> None:
    image = np.full((3, 4, 3), 100, np.uint8)
    picture = overlay(image, MASK, CLASSES, alpha=0.25, outline=False)
    assert picture[0, 0].tolist() == [125, 75, 75]
    assert picture[2, 3].tolist() == [100, 100, 100]
    assert np.array_equal(overlay(image, MASK, CLASSES, alpha=0, outline=False), image)


def test_overlay_outlines_boundaries_in_the_plain_colour() -> None:
    image = np.full((3, 4, 3), 100, np.uint8)
    picture = overlay(image, MASK, CLASSES)
    assert picture[0, 1].tolist() == list(RED)
    assert picture[0, 0].tolist() == [150, 50, 50]
    assert picture[2, 2].tolist() == [100, 100, 100]


def test_overlay_without_colour_inside_outlines_both_sides() -> None:
    image = np.full((800, 20, 3), 90, np.uint8)
    mask = np.zeros((800, 20), np.uint8)
    mask[400:] = 1
    drawn = overlay(image, mask, CLASSES, alpha=0)
    assert drawn[399, 0].tolist() == list(RED)
    assert drawn[400, 0].tolist() == list(GREEN)
    assert (np.delete(drawn, [399, 400], axis=0) == 90).all()


def test_overlay_leaves_its_arguments_alone() -> None:
    image, mask = np.full((3, 4, 3), 100, np.uint8), MASK.copy()
    overlay(image, mask, CLASSES)
    assert image.min() == image.max() == 100
    assert np.array_equal(mask, MASK)


def test_overlay_accepts_deep_and_grey_images() -> None:
    rng = np.random.default_rng(0)
    for shape in ((3, 4), (3, 4, 1), (3, 4, 6)):
        image = rng.integers(0, 60000, shape).astype(np.uint16)
        assert overlay(image, MASK, CLASSES).shape == (3, 4, 3)


def test_overlay_refuses_sizes_that_differ() -> None:
    with pytest.raises(UsageError, match=r"\(4, 3\) and \(3, 4\)"):
        overlay(np.zeros((4, 3, 3), np.uint8), MASK, CLASSES)
    with pytest.raises(UsageError, match=r"\(4, 3\) and \(3, 4\)"):
        overlay_with_legend(np.zeros((4, 3, 3), np.uint8), MASK, CLASSES)


def test_overlay_refuses_alpha_out_of_range() -> None:
    with pytest.raises(UsageError, match=r"alpha must lie between 0 and 1, got 1\.5"):
        overlay(np.zeros((3, 4, 3), np.uint8), MASK, CLASSES, alpha=1.5)


def test_legend_lists_the_classes_asked_for() -> None:
    full, some = legend(CLASSES), legend(CLASSES, present=[2, 0])
    assert full.shape[1] == some.shape[1] == 200
    assert full.shape[0] > some.shape[0]
    assert {RED, GREEN, BLUE} <= colors_of(full)
    assert {RED, BLUE} <= colors_of(some)
    assert GREEN not in colors_of(some)


def test_legend_prints_shares() -> None:
    plain = legend(CLASSES)
    assert not np.array_equal(plain, legend(CLASSES, shares=[0.5, 0.4999, 0.0001]))
    zero, little = (legend(CLASSES, shares=[1, share, 0]) for share in (0, 0.001))
    assert not np.array_equal(zero, little)


def test_legend_fits_a_given_height_and_counts_the_rest() -> None:
    classes = Classes.numbered(40)
    column = legend(classes, height=150)
    assert column.shape == (150, 200, 3)
    assert classes.colors[3] in colors_of(column)
    assert classes.colors[6] not in colors_of(column)
    assert legend(classes, height=10).shape == (10, 200, 3)


def test_legend_takes_any_name() -> None:
    names = ("Gehsteig für Fußgänger", "道路", "a\nb", "w" * 200)
    assert legend(Classes(names)).shape[1] == 200
    accented, plain = legend(Classes(("é",), (RED,))), legend(Classes(("e",), (RED,)))
    assert np.array_equal(accented, plain)


def test_legend_of_one_class_names_the_background() -> None:
    assert legend(Classes(("crack",))).shape == legend(Classes(("a", "b"))).shape


def test_overlay_with_legend_enlarges_small_pictures_and_lists_what_is_there() -> None:
    mask = np.zeros((60, 80), np.uint8)
    mask[:, 60:] = 2
    picture = overlay_with_legend(np.full((60, 80, 3), 90, np.uint8), mask, CLASSES)
    assert picture.shape[0] == 360
    column = picture[:, 480:]
    assert {RED, BLUE} <= colors_of(column)
    assert GREEN not in colors_of(column)
    swatches = (column == RED).all(axis=-1), (column == BLUE).all(axis=-1)
    assert swatches[0].nonzero()[0].min() < swatches[1].nonzero()[0].min()


def test_overlay_with_legend_keeps_large_pictures() -> None:
    image, mask = np.zeros((700, 500, 1), np.uint8), np.full((700, 500), 255, np.uint8)
    picture = overlay_with_legend(image, mask, CLASSES)
    assert picture.shape[0] == 700
    assert not picture[:, :500].any()


def test_contact_sheet_grows_with_rows_captions_and_legend() -> None:
    image = np.full((30, 40, 3), 77, np.uint8)
    mask = np.tile(np.array([[0, 1, 2, 2]], np.uint8), (30, 10))
    row = [image, mask, image]
    one = contact_sheet([row], titles=["Photo", "Truth", "Prediction"], classes=CLASSES)
    two = contact_sheet([row] * 2, titles=["Photo", "Truth", "Prediction"], classes=CLASSES)
    bare = contact_sheet([[image] * 3], titles=["a", "b", "c"])
    told = contact_sheet([[image] * 3], titles=["a", "b", "c"], captions=["first"])
    assert one.shape[1] == two.shape[1] == bare.shape[1] == 2 * 20 + 3 * 240 + 2 * 8
    assert two.shape[0] - one.shape[0] == 180 + 8
    assert bare.shape[0] < told.shape[0]
    assert bare.shape[0] < one.shape[0]
    assert {(77, 77, 77), RED, GREEN, BLUE} <= colors_of(one)


def test_contact_sheet_wraps_a_long_legend() -> None:
    image, classes = np.zeros((8, 8, 3), np.uint8), Classes.numbered(30)
    sheet = contact_sheet([[image]], titles=["Photo"], classes=classes, cell_width=120)
    assert set(classes.colors) <= colors_of(sheet)


def test_contact_sheet_refuses_uneven_rows_and_captions() -> None:
    image = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(UsageError, match=r"rows of 2 pictures each, got \[2, 1\]"):
        contact_sheet([[image, image], [image]], titles=["a", "b"])
    with pytest.raises(UsageError, match=r"rows of 1 pictures each, got \[\]"):
        contact_sheet([], titles=["a"])
    with pytest.raises(UsageError, match="sheet of 1 rows needs as many captions, got 2"):
        contact_sheet([[image]], titles=["a"], captions=["b", "c"])


def test_write_png_makes_folders_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
    path = tmp_path / "deep" / "größe.png"
    write_png(path, picture)
    write_png(path, picture)
    assert np.array_equal(np.asarray(Image.open(path)), picture)
    assert list(path.parent.iterdir()) == [path]


def test_mask_png_is_indexed_and_reads_back(tmp_path: Path) -> None:
    write_mask_png(tmp_path / "m.png", MASK.astype(np.int64), CLASSES)
    stored = Image.open(tmp_path / "m.png")
    assert stored.mode == "P"
    assert np.array_equal(np.asarray(stored), MASK)
    assert np.array_equal(np.asarray(stored.convert("RGB")), colorize(MASK, CLASSES))


def test_mask_png_of_one_class(tmp_path: Path) -> None:
    mask = np.array([[0, 1], [255, 1]], np.uint8)
    write_mask_png(tmp_path / "m.png", mask, Classes(("crack",), (RED,)))
    stored = Image.open(tmp_path / "m.png")
    assert np.array_equal(np.asarray(stored), mask)
    assert stored.convert("RGB").getpixel((1, 0)) == RED


def test_mask_png_above_255_labels_is_sixteen_bit_grey(tmp_path: Path) -> None:
    mask = np.array([[0, 299], [65535, 7]], np.uint16)
    write_mask_png(tmp_path / "m.png", mask, Classes.numbered(300))
    stored = Image.open(tmp_path / "m.png")
    assert stored.mode == "I;16"
    assert np.array_equal(np.asarray(stored), mask)


def test_mask_png_refuses_what_is_no_train_id(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds 7, but train ids"):
        write_mask_png(tmp_path / "m.png", np.array([[7]], np.uint8), CLASSES)
    assert list(tmp_path.iterdir()) == []
