"""Masks that do not fit their classes: what is said, and that what is proposed mends it."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from checked_folders import (
    check,
    codes,
    color_stripes,
    find,
    photo,
    stripes,
    write_data,
    write_pair,
)
from pictures import save_picture
from segnext.data import open_folder
from segnext.data.datasets.voc_colors import voc_colors
from segnext.errors import DataError

RED, BLUE, GREY = (200, 0, 0), (0, 0, 200), (90, 90, 90)
VOC = voc_colors(3)


def paste(root: Path, position: int = 0) -> None:
    """Do what the report says."""
    proposal = check(root).proposals[position]
    proposal.path.write_text(proposal.text, encoding="utf-8")


def read(root: Path) -> set[int]:
    """Return the train ids of all masks."""
    folder = open_folder(root)
    masks = [part.mask(index) for part in folder.splits.values() for index in range(len(part))]
    return set(np.unique(np.concatenate(masks)).tolist())


WRONG: dict[str, tuple[npt.NDArray[Any], str, str, set[int]]] = {
    "shifted by one": (stripes([1, 2, 3]), "a, b, c", "shifted by one: 1 is a", {0, 1, 2}),
    "shifted by one, with void": (stripes([1, 3, 255]), "a, b, c", "shifted by one", {0, 2, 255}),
    "one too many": (stripes([0, 1, 2, 3]), "a, b, c", "3 is void, and 0 is a", {0, 1, 2, 255}),
    "spread over grey": (stripes([0, 85, 170, 255]), "a, b, c, d", "spread", {0, 1, 2, 3}),
    "spread, with void": (stripes([0, 100, 200]), "a, b", "with 0 for void", {0, 1, 255}),
    "a slip": (stripes([0, 1, 77]), "a, b, c", "mean nothing", {0, 1, 255}),
    "a slip of one class": (stripes([0, 1, 9]), "a", "mean nothing", {0, 1, 255}),
    "black and white": (stripes([0, 255]), "a, b, c", "only 0 and 255", {0, 1}),
    "16 bit": (stripes([1000, 2000], np.uint16), "a, b", "spread", {0, 1}),
    "undeclared and large": (stripes([7, 5000], np.uint16), "", "up to 5000", {0, 1}),
    "the colours of Pascal VOC": (color_stripes(*VOC), "a, b, c", "3 colours", {0, 1, 2}),
    "colours of nobody": (color_stripes(RED, BLUE), "a, b, c", "2 colours", {0, 1}),
    "a strange colour": (
        color_stripes(RED, BLUE, (201, 0, 0)),
        "a 200 0 0, b 0 0 200",
        "nearest is a, 200,0,0 (#c80000), 1 off",
        {0, 1, 255},
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_proposed_makes_the_check_pass(tmp_path: Path, case: str) -> None:
    mask, classes, words, ids = WRONG[case]
    write_data(tmp_path, mask, classes)
    before = check(tmp_path)
    assert not before.passed
    assert before.proposed
    assert words in before.findings[0].title
    paste(tmp_path)
    after = check(tmp_path)
    assert after.passed, codes(after)
    assert not after.proposals
    assert read(tmp_path) == ids
    assert after.classes == before.classes
    for split, shares in before.shares.items():
        assert (after.shares[split].pixels == shares.pixels).all()


def test_where_the_void_is_depends_on_which_value_is_everywhere(tmp_path: Path) -> None:
    write_data(tmp_path, stripes([0, 1, 2]), "a, b, c", train=9)
    write_pair(tmp_path, "train", "rare", stripes([0, 3]))
    checkup = check(tmp_path)
    because = [proposal.because for proposal in checkup.proposals]
    assert because == ["0 is void, and 1 is a", "3 is void, and 0 is a"]
    paste(tmp_path, 1)
    assert check(tmp_path).passed
    assert read(tmp_path) == {0, 1, 2, 255}


def test_the_ids_of_a_known_data_set_are_recognised(tmp_path: Path) -> None:
    names = (
        "road, sidewalk, building, wall, fence, pole, traffic light, traffic sign, vegetation, "
        "terrain, sky, person, rider, car, truck, bus, train, motorcycle, bicycle"
    )
    write_data(tmp_path, stripes([7, 11, 26, 33, 4]), names)
    checkup = check(tmp_path)
    assert "raw ids of Cityscapes" in checkup.findings[0].title
    paste(tmp_path)
    assert check(tmp_path).passed
    assert read(tmp_path) == {0, 2, 13, 18, 255}


def test_ids_of_a_known_data_set_that_may_be_shifted_are_read_either_way(tmp_path: Path) -> None:
    names = (
        "sky, building, pole, road, pavement, tree, signsymbol, fence, car, pedestrian, bicyclist"
    )
    write_data(tmp_path, stripes(range(12)), names)
    because = [proposal.because for proposal in check(tmp_path).proposals]
    assert because == ["these are the raw ids of CamVid, 11 classes", "0 is void, and 1 is sky"]
    paste(tmp_path, 1)
    assert check(tmp_path).passed
    assert read(tmp_path) == {*range(11), 255}


def test_values_that_only_val_has_are_ignored_in_the_proposal(tmp_path: Path) -> None:
    write_data(tmp_path, stripes([0, 1]))
    write_pair(tmp_path, "val", "strange", stripes([0, 1, 5]))
    checkup = check(tmp_path)
    finding = find(checkup, "undeclared_values")
    assert finding.count == 1
    assert finding.examples == ("val/masks/strange.png: 5 (640 pixels)",)
    paste(tmp_path)
    assert check(tmp_path).passed


def test_grey_photos_get_no_label_map(tmp_path: Path) -> None:
    write_data(tmp_path, stripes(range(48)), "a, b, c")
    checkup = check(tmp_path)
    assert "look like grey photos" in find(checkup, "undeclared_values").title
    assert not checkup.proposals
    assert checkup.folder is None


def test_gaps_among_undeclared_ids_are_a_warning_with_a_map(tmp_path: Path) -> None:
    write_data(tmp_path, stripes([1, 2, 9]))
    checkup = check(tmp_path)
    assert checkup.passed
    assert not checkup.proposed
    assert "7 of the 10 ids up to 9 occur in no mask" in find(checkup, "gaps_in_ids").title
    paste(tmp_path)
    assert "gaps_in_ids" not in codes(check(tmp_path))
    assert open_folder(tmp_path).classes.names == ("class_1", "class_2", "class_9")


def test_black_and_white_is_fine_for_one_class_and_two(tmp_path: Path) -> None:
    for index, classes in enumerate(("", "crack", "ground, crack")):
        root = write_data(tmp_path / str(index), stripes([0, 255]), classes)
        assert check(root).passed
        assert not check(root).proposals


@pytest.mark.parametrize("white", [1, 4])
def test_two_scales_in_one_data_set_are_noticed(tmp_path: Path, white: int) -> None:
    write_data(tmp_path, stripes([0, 1]), "ground, crack")
    for index in range(white):
        write_pair(tmp_path, "train", f"white{index}", stripes([0, 255]))
    finding = find(check(tmp_path), "two_scales")
    assert finding.severity == "warning"
    assert finding.count == white
    paste(tmp_path)
    assert read(tmp_path) == {0, 1}
    assert check(tmp_path).passed


def test_one_in_masks_that_a_sample_took_for_black_and_white(tmp_path: Path) -> None:
    write_data(tmp_path, stripes([0, 255]), "ground, crack")
    write_pair(tmp_path, "val", "one", stripes([0, 1]))
    checkup = check(tmp_path)
    assert "others 0 and 1" in find(checkup, "undeclared_values").title
    paste(tmp_path)
    assert check(tmp_path).passed
    assert read(tmp_path) == {0, 1}


def test_one_value_is_nothing_to_learn(tmp_path: Path) -> None:
    write_data(tmp_path / "zero", stripes([0]))
    assert "hold only the value 0" in find(check(tmp_path / "zero"), "one_value").title
    write_data(tmp_path / "void", stripes([255]))
    assert "hold only void (255)" in find(check(tmp_path / "void"), "one_value").title


def test_kinds_are_not_mixed(tmp_path: Path) -> None:
    write_data(tmp_path, stripes([0, 1]), "a, b")
    write_pair(tmp_path, "val", "colored", color_stripes(RED, BLUE))
    checkup = check(tmp_path)
    finding = find(checkup, "mixed_masks")
    assert finding.title == "1 mask holds colours and 5 masks hold ids, in one data set."
    assert finding.examples == ("val/masks/colored.png",)
    # The others are still understood.
    assert checkup.shares["val"].masks == 2


def test_photos_as_masks_are_said(tmp_path: Path) -> None:
    write_data(tmp_path, color_stripes(RED, BLUE), "a 200 0 0, b 0 0 200")
    write_pair(tmp_path, "train", "photo", photo("mask"))
    finding = find(check(tmp_path), "photos_as_masks")
    assert finding.count == 1
    assert finding.examples[0].startswith("train/masks/photo.png: ")


def test_smooth_edges_between_undeclared_colours_are_noticed(tmp_path: Path) -> None:
    mask = np.zeros((200, 200, 3), np.uint8)
    mask[:, 100:] = RED
    for step in range(10):
        mask[step, 100] = (step * 20, 5, 5)
    save_picture(tmp_path / "train/images/a.png", photo("a", 200, 200))
    save_picture(tmp_path / "train/masks/a.png", mask)
    save_picture(tmp_path / "val/images/b.png", photo("b", 200, 200))
    save_picture(tmp_path / "val/masks/b.png", mask)
    finding = find(check(tmp_path), "stray_colors")
    assert "10 of the 12 colours" in finding.title


def test_what_is_ignored_by_the_user_is_no_finding(tmp_path: Path) -> None:
    write_data(tmp_path, stripes([0, 1, 77]), "a, b")
    assert check(tmp_path, ignore_index=(77,)).passed
    with pytest.raises(DataError, match=r"value 77"):
        open_folder(tmp_path).dataset("train").mask(0)


def test_a_known_data_set_ignores_what_it_does_not_know(tmp_path: Path) -> None:
    for split in ("train", "val"):
        name = f"{'0001TP_006690' if split == 'train' else '0016E5_07959'}"
        write_pair(tmp_path, split, name, stripes([0, 1, 11, 40]))
    checkup = check(tmp_path, format="camvid")
    assert "Declared by no class: 40" in find(checkup, "undeclared_values").title
    assert checkup.proposals[0].text.splitlines()[1:] == ["format: camvid", "ignore_index: [40]"]
    paste(tmp_path)
    assert check(tmp_path).passed


def test_colours_in_a_known_data_set_of_ids_are_said(tmp_path: Path) -> None:
    for split, name in (("train", "0001TP_006690"), ("val", "0016E5_07959")):
        write_pair(tmp_path, split, name, color_stripes(*VOC))
    checkup = check(tmp_path, format="camvid")
    finding = find(checkup, "rgb_masks")
    assert finding.title == (
        "2 masks are drawn in colours, but those of CamVid, 11 classes hold ids."
    )
    assert "--format folder" in finding.remedy
    assert finding.examples[0] == "train/masks/0001TP_006690.png"
    assert not checkup.passed
    assert not checkup.proposals


def test_black_and_white_is_seen_beside_values_that_are_ignored(tmp_path: Path) -> None:
    write_data(tmp_path, stripes([0, 255]), "a, b, c")
    assert codes(check(tmp_path, ignore_index=(9,)))["black_and_white"] == "error"
