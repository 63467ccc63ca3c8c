import pytest

from reports import CLASSES, MadeUp, duel, setting, subject
from segnext.report.duel import compare_tallies, is_win, judge, most_changed
from segnext.report.tally import ScoreTally


def test_differences_are_second_less_first() -> None:
    found = duel(-5)
    assert found.first_miou is not None
    assert found.second_miou is not None
    assert found.difference == pytest.approx(found.second_miou - found.first_miou)
    assert found.difference > 0
    assert found.interval is not None
    assert found.interval.low > 0
    assert found.share_better == 1
    tree = found.classes[1]
    assert is_win(tree) is True
    assert is_win(found.classes[0]) is None  # road is the same
    assert judge(found).startswith("the second is better: mIoU ")
    assert "paired bootstrap over 24 images" in judge(found)


def test_the_same_model_twice_is_no_difference() -> None:
    found = duel(0)
    assert found.difference == 0
    assert found.share_better == 0.5
    assert judge(found).startswith("no clear winner: ")
    assert most_changed(found, 5) == ([], [])


def test_a_worse_model_loses() -> None:
    images = MadeUp()
    tallies = ScoreTally(CLASSES), ScoreTally(CLASSES)
    for index in range(len(images)):
        truth = images[index]["mask"]
        tallies[0].update(truth, images.seen(0).mask)
        tallies[1].update(truth, images.seen(index).mask)
    found = compare_tallies(subject("a"), subject("b"), setting(images), tallies)
    assert judge(found).startswith("the first is better: ")
    assert is_win(found.classes[1]) is False
    worse, better = most_changed(found, 3)
    assert worse == [19, 18, 17]
    assert better == []
    assert found.pictures[19].difference == min(one.difference or 0 for one in found.pictures)


def test_one_group_is_too_few() -> None:
    found = duel(-5, groups=["video"] * 24)
    assert found.interval is None
    assert "too few pictures or groups to tell" in judge(found)
    assert is_win(found.classes[1]) is None
