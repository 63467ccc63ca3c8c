import numpy as np
import pytest

from reports import COST, MadeUp, count, report, setting, subject
from segnext.metrics import ConfusionMatrix, compute_metrics
from segnext.report.summary import choose_pictures, cost_of, summarize


def test_scores_are_those_of_all_masks_together() -> None:
    found, images = report(), MadeUp()
    matrix = ConfusionMatrix(3)
    for index in range(len(images)):
        matrix.update(images[index]["mask"], images.seen(index).mask)
    metrics = compute_metrics(matrix.counts)
    assert found.confusion == tuple(map(tuple, matrix.counts.tolist()))
    assert found.miou == metrics.miou
    assert found.pixels == 24 * 40 * 58
    assert found.interval is not None
    assert found.interval.low < metrics.miou < found.interval.high
    tree = found.classes[1]
    assert tree.name == found.worst_class == "<tree> & more"
    assert tree.recall == metrics.accuracy_per_class[1]
    assert tree.precision == 1
    sky = found.classes[2]
    assert sky.precision == matrix.counts[2, 2] / matrix.counts[:, 2].sum()
    assert sky.images == 24
    assert len(sky.boundary_iou) == len(found.boundary_widths_px) == 3


def test_pictures_are_ranked_by_their_own_score() -> None:
    found, images = report(), MadeUp()
    assert found.worst[0] == images.name(19)
    assert found.pictures[19].wrong == 19 * 20
    assert set(found.best[:2]) == {images.name(0), images.name(20)}  # those without an error
    shown = [*found.worst, *found.best, *found.random]
    assert len(shown) == len(set(shown)) == 24
    assert found.pictures[0].miou == 1
    assert found.pictures[19].confidence == pytest.approx((48 * 0.97 + 10 * 0.55) / 58)


def test_confusions_lead_to_pictures() -> None:
    found, images = report(), MadeUp()
    (only,) = found.confusions
    assert (only.truth, only.prediction) == ("<tree> & more", "sky")
    assert only.pixels == sum(20 * (index % 20) for index in range(24))
    assert [(one.picture, one.pixels) for one in only.pictures] == [
        (images.name(index), 20 * index) for index in (19, 18, 17)
    ]


def test_sizes_and_suspects_have_names() -> None:
    found = report()
    every = {one.size: one for one in found.sizes if one.label is None}
    assert every["small"].objects == 24 * 3  # a tree of 400 px, sky and road of 960 px
    assert every["medium"].objects == 0
    tree = next(one for one in found.sizes if one.label == "<tree> & more" and one.size == "small")
    assert tree.found == sum(index % 20 <= 10 for index in range(24)) / 24
    assert found.suspects[0].truth == "<tree> & more"
    assert found.suspects[0].prediction == "sky"
    assert found.suspects[0].picture == MadeUp().name(19)


def test_without_probabilities_there_is_no_calibration() -> None:
    found = report(confident=False)
    assert found.calibration is None
    assert found.suspects == ()
    assert found.pictures[0].confidence is None
    assert report().calibration is not None


def test_groups_are_what_is_drawn() -> None:
    images = MadeUp()
    groups = [f"video{index // 8}" for index in range(24)]
    found = summarize(subject(), setting(images, groups), count(images), COST)
    assert found.interval is not None
    assert (found.interval.over, found.interval.units) == ("groups", 3)
    assert found.pictures[9].group == "video1"


def test_pictures_without_a_score_are_neither_worst_nor_best() -> None:
    scores = np.array([0.5, np.nan, 0.2, 0.9])
    assert choose_pictures(scores) == ([2, 0, 3], [], [1])
    many = np.linspace(0, 1, 100)
    worst, best, random = choose_pictures(many)
    assert worst == list(range(12))
    assert best == list(range(99, 93, -1))
    assert len(random) == 6
    assert not {*random} & {*worst, *best}


def test_nothing_counted_is_no_score() -> None:
    class Unknown(MadeUp):
        def __getitem__(self, index: int) -> dict:
            item = super().__getitem__(index)
            item["mask"][:] = 255
            return item

    found = summarize(subject(), setting(Unknown()), count(Unknown()), COST)
    assert found.miou is None
    assert found.interval is None
    assert found.worst_class is None
    assert found.calibration is None
    assert found.pictures[0].pixel_accuracy is None


def test_cost_is_told_in_milliseconds() -> None:
    class Network:
        device, name = "cpu", "eager"

    tally = count(MadeUp())
    model = subject()
    object.__setattr__(model, "networks", [Network()])
    cost = cost_of(model, tally, 5.0, (300.0, None))
    assert cost.median_ms == pytest.approx(125)
    assert cost.slowest_ms == pytest.approx(240)
    assert (cost.seconds, cost.peak_memory_mb, cost.backend) == (5.0, 300.0, "eager")
