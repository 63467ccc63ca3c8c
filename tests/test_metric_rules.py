"""Our mean IoU beside the rules of published evaluators, each rule written a second time.

The references work on flat pixels, class by class, as the evaluators describe their rule, and use
no confusion matrix.
"""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segnext.metric_rules import (
    RULES,
    ade20k_miou,
    ade20k_score,
    cityscapes_miou,
    coco_stuff_miou,
)
from segnext.metrics import ConfusionMatrix, compute_metrics

VOID = 255


def intersections_and_unions(
    truth: np.ndarray, prediction: np.ndarray, labels: int
) -> tuple[list[int], list[int]]:
    """Count pixels of each label, with sets of the places where truth counts."""
    held = np.flatnonzero(truth != VOID)
    truth, prediction = truth[held].tolist(), prediction[held].tolist()
    of_truth: list[set[int]] = [set() for _ in range(labels)]
    of_prediction: list[set[int]] = [set() for _ in range(labels)]
    for place, (true, predicted) in enumerate(zip(truth, prediction, strict=True)):
        of_truth[true].add(place)
        if predicted != VOID:
            of_prediction[predicted].add(place)
    pairs = list(zip(of_truth, of_prediction, strict=True))
    return [len(a & b) for a, b in pairs], [len(a | b) for a, b in pairs]


def by_cityscapes(truth: np.ndarray, prediction: np.ndarray, labels: int) -> float:
    intersections, unions = intersections_and_unions(truth, prediction, labels)
    scores = [a / b for a, b in zip(intersections, unions, strict=True) if b]
    return sum(scores) / len(scores)


def by_ade20k(truth: np.ndarray, prediction: np.ndarray, labels: int) -> float:
    intersections, unions = intersections_and_unions(truth, prediction, labels)
    eps = 2.220446049250313e-16
    return sum(a / (eps + b) for a, b in zip(intersections, unions, strict=True)) / labels


def by_coco_stuff(truth: np.ndarray, prediction: np.ndarray, labels: int) -> float:
    intersections, unions = intersections_and_unions(truth, prediction, labels)
    present = set(truth.tolist()) - {VOID}
    return sum(intersections[label] / unions[label] for label in present) / len(present)


REFERENCES = {"cityscapes": by_cityscapes, "ade20k": by_ade20k, "coco_stuff": by_coco_stuff}
LABELS = 13
ONLY_PREDICTED, ABSENT = 11, 12


@pytest.fixture
def masks(shared: Path) -> np.ndarray:
    """Three real masks (3, H, W) of 11 classes, two more labels being nowhere."""
    paths = sorted((shared / "data" / "camvid" / "val" / "masks").glob("*.png"))[:60:20]
    ids = np.stack([np.asarray(Image.open(path)) for path in paths])
    return np.where(ids == 11, VOID, ids).astype(np.uint8)


def distorted(masks: np.ndarray, *, only_predicted: bool) -> np.ndarray:
    """Shift masks as a poor model would, and swap some labels; void gets some label, too."""
    moved = np.roll(masks, (7, -4), axis=(1, 2))
    swapped = np.where(moved == 8, 4, moved)
    swapped[:, ::9] = np.where(swapped[:, ::9] == 3, 5, swapped[:, ::9])
    swapped[swapped == VOID] = 1
    if only_predicted:
        swapped[:, 200:230, 100:180] = ONLY_PREDICTED
    return swapped


def count(truth: np.ndarray, prediction: np.ndarray, **options: bool) -> np.ndarray:
    matrix = ConfusionMatrix(LABELS, **options)
    for one, other in zip(truth, prediction, strict=True):
        matrix.update(one, other)
    return matrix.counts


@pytest.mark.parametrize("only_predicted", [False, True])
@pytest.mark.parametrize("rule", sorted(RULES))
def test_rules_equal_slow_references_on_real_masks(
    masks: np.ndarray, rule: str, only_predicted: bool
) -> None:
    prediction = distorted(masks, only_predicted=only_predicted)
    expected = REFERENCES[rule](masks.reshape(-1), prediction.reshape(-1), LABELS)
    assert 0.3 < expected < 0.9
    assert RULES[rule](count(masks, prediction)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("rule", sorted(RULES))
def test_pixels_predicted_as_nothing_are_misses_in_every_rule(masks: np.ndarray, rule: str) -> None:
    prediction = distorted(masks, only_predicted=True)
    prediction[:, 50:90] = VOID
    expected = REFERENCES[rule](masks.reshape(-1), prediction.reshape(-1), LABELS)
    counts = count(masks, prediction, unlabelled=True)
    assert counts[:, -1].sum() > 0
    assert RULES[rule](counts) == pytest.approx(expected, abs=1e-9)


def test_ours_is_the_rule_of_cityscapes(masks: np.ndarray) -> None:
    for only_predicted in (False, True):
        prediction = distorted(masks, only_predicted=only_predicted)
        ours = compute_metrics(count(masks, prediction)).miou
        expected = by_cityscapes(masks.reshape(-1), prediction.reshape(-1), LABELS)
        assert ours == pytest.approx(expected, abs=1e-9)


def test_ours_with_zeros_for_absent_classes_is_the_rule_of_ade20k(masks: np.ndarray) -> None:
    prediction = distorted(masks, only_predicted=True)
    counts = count(masks, prediction)
    ours = compute_metrics(counts, zero_division=0)
    expected = by_ade20k(masks.reshape(-1), prediction.reshape(-1), LABELS)
    assert ours.miou == pytest.approx(expected, abs=1e-9)
    assert ours.absent == (ABSENT,)
    # One of thirteen classes is nowhere: exactly that share of the mean is lost.
    assert compute_metrics(counts).miou * 12 / 13 == pytest.approx(expected, abs=1e-9)
    held = masks != VOID
    accuracy = (masks == prediction)[held].mean()
    assert ade20k_score(counts) == pytest.approx((accuracy + expected) / 2, abs=1e-9)


def test_ours_differs_from_coco_stuff_by_the_classes_that_are_only_predicted(
    masks: np.ndarray,
) -> None:
    counts = count(masks, distorted(masks, only_predicted=False))
    assert compute_metrics(counts).miou == pytest.approx(coco_stuff_miou(counts), abs=1e-9)
    counts = count(masks, distorted(masks, only_predicted=True))
    present = int((counts.sum(1) > 0).sum())
    theirs = coco_stuff_miou(counts) * present / (present + 1)
    assert compute_metrics(counts).miou == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_rules_agree_where_every_class_occurs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.concatenate([np.arange(6), rng.integers(0, 6, 400)]))
    prediction = np.where(rng.random(406) < 0.6, truth, rng.integers(0, 6, 406))
    matrix = ConfusionMatrix(6)
    matrix.update(truth[None], prediction[None])
    ours = compute_metrics(matrix.counts).miou
    for name, rule in RULES.items():
        assert rule(matrix.counts) == pytest.approx(ours, abs=1e-9), name
        assert rule(matrix.counts) == pytest.approx(REFERENCES[name](truth, prediction, 6))


def test_one_pixel_by_hand() -> None:
    # Class 0: one right, one taken for class 2. Class 1 is nowhere. Class 2 is only predicted.
    counts = np.array([[1, 0, 1], [0, 0, 0], [0, 0, 0]])
    assert cityscapes_miou(counts) == pytest.approx((1 / 2 + 0) / 2)
    assert ade20k_miou(counts) == pytest.approx((1 / 2 + 0 + 0) / 3)
    assert ade20k_score(counts) == pytest.approx((1 / 2 + 1 / 6) / 2)
    assert coco_stuff_miou(counts) == pytest.approx(1 / 2)


def test_nothing_counted_is_undefined_or_zero() -> None:
    counts = np.zeros((3, 3), dtype=np.int64)
    assert np.isnan(cityscapes_miou(counts))
    assert np.isnan(coco_stuff_miou(counts))
    assert ade20k_miou(counts) == 0
