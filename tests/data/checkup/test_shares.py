from collections import Counter

import numpy as np
import pytest

from segnext.classes import Classes
from segnext.data.checkup.labels import Reread
from segnext.data.checkup.shares import (
    ClassShares,
    add_shares,
    find_class_faults,
    find_split_faults,
)

CLASSES = Classes(("road", "tree", "car"))


def mask(ignored: int = 0, **pixels: int) -> Reread:
    names = CLASSES.names
    return Reread(Counter({names.index(name): n for name, n in pixels.items()}), ignored, Counter())


def shares(*masks: Reread) -> ClassShares:
    return add_shares(masks, 3)


def test_pixels_pictures_and_surroundings_add_up() -> None:
    found = shares(mask(road=30, tree=10), mask(road=20, ignored=40))
    assert found.pixels.tolist() == [50, 10, 0]
    assert found.images.tolist() == [2, 1, 0]
    assert found.around.tolist() == [60, 40, 0]
    assert found.ignored_share == pytest.approx(0.4)
    assert found.pixel_shares.tolist() == pytest.approx([50 / 60, 10 / 60, 0])
    assert found.image_shares.tolist() == pytest.approx([1, 0.5, 0])


def test_no_masks_have_no_shares() -> None:
    found = shares()
    assert np.isfinite(found.pixel_shares).all()
    assert found.ignored_share == 0


def test_classes_that_occur_nowhere_and_not_everywhere() -> None:
    train, val = shares(mask(road=1, tree=1)), shares(mask(road=1))
    absent, unscored = find_class_faults({"train": train, "val": val}, CLASSES)
    assert absent.title == "1 class occurs in no mask, of 3: car."
    assert "drop: [car]" in absent.remedy
    assert (unscored.code, unscored.severity) == ("unscored_classes", "note")
    (absent, unlearned) = find_class_faults({"train": val, "val": train}, CLASSES)[:2]
    assert unlearned.code == "unlearned_classes"
    assert unlearned.title.startswith("tree: in val, but not in train")


def test_one_class_is_nothing_to_learn() -> None:
    findings = find_class_faults({"train": shares(mask(road=5))}, CLASSES)
    assert [(finding.code, finding.severity) for finding in findings] == [
        ("absent_classes", "warning"),
        ("one_class", "error"),
    ]


def test_whole_classes_are_no_finding() -> None:
    every = shares(mask(road=1, tree=1, car=1))
    assert find_class_faults({"train": every, "val": every}, CLASSES) == []


def test_splits_that_are_empty_missing_bare_or_tiny() -> None:
    def say(counts: dict[str, int], labelled: dict[str, int]) -> list[tuple[str, str]]:
        return [(f.title, str(f.severity)) for f in find_split_faults(counts, labelled)]

    assert say({"train": 20, "val": 10}, {"train": 20, "val": 10}) == []
    assert say({"train": 0, "val": 10}, {"train": 0, "val": 10}) == [
        ("The train split is empty.", "error")
    ]
    assert say({"train": 20, "val": 10}, {"train": 20, "val": 0}) == [
        ("The 10 pictures of val have no masks.", "error")
    ]
    assert say({"val": 10}, {"val": 10}) == [("There is no train split, only val.", "error")]
    assert say({"train": 20, "val": 9}, {"train": 20, "val": 9}) == [
        ("The val split has only 9 labelled pictures: its scores say little.", "warning")
    ]
    # A test set may have no masks.
    assert say({"train": 20, "val": 10, "test": 5}, {"train": 20, "val": 10, "test": 0}) == []
