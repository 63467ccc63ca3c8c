import numpy as np
import pytest

from segnext.errors import UsageError
from segnext.metrics import ConfusionMatrix, compute_metrics


def reference(truth: np.ndarray, prediction: np.ndarray, labels: int, ignore: int) -> dict:
    """The definitions, label by label, with sets of pixels and no confusion matrix."""
    valid = truth != ignore
    iou, accuracy, dice, weights = [], [], [], []
    for label in range(labels):
        is_truth, is_prediction = (truth == label) & valid, (prediction == label) & valid
        both, either = (is_truth & is_prediction).sum(), (is_truth | is_prediction).sum()
        iou.append(both / either if either else np.nan)
        accuracy.append(both / is_truth.sum() if is_truth.any() else np.nan)
        size = is_truth.sum() + is_prediction.sum()
        dice.append(2 * both / size if size else np.nan)
        weights.append(is_truth.sum() / valid.sum())
    weighted = sum(w * i for w, i in zip(weights, iou, strict=True) if w > 0)
    return {
        "iou": np.array(iou),
        "accuracy": np.array(accuracy),
        "dice": np.array(dice),
        "miou": np.nanmean(iou),
        "mean_accuracy": np.nanmean(accuracy),
        "mean_dice": np.nanmean(dice),
        "pixel_accuracy": (truth == prediction)[valid].mean(),
        "weighted": weighted,
    }


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_a_reference_written_from_the_definitions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Label 5 is absent, 4 is only predicted, 3 is only in the truth.
    truth = rng.choice([0, 1, 2, 3, 255], size=(7, 31, 43), p=[0.5, 0.2, 0.1, 0.1, 0.1])
    prediction = rng.choice([0, 1, 2, 4], size=truth.shape)
    matrix = ConfusionMatrix(6)
    for one_truth, one_prediction in zip(truth, prediction, strict=True):
        matrix.update(one_truth.astype(np.uint8), one_prediction.astype(np.uint8))
    found, expected = compute_metrics(matrix.counts), reference(truth, prediction, 6, 255)
    np.testing.assert_allclose(found.iou_per_class, expected["iou"], atol=1e-9)
    np.testing.assert_allclose(found.accuracy_per_class, expected["accuracy"], atol=1e-9)
    np.testing.assert_allclose(found.dice_per_class, expected["dice"], atol=1e-9)
    assert found.miou == pytest.approx(expected["miou"], abs=1e-9)
    assert found.mean_accuracy == pytest.approx(expected["mean_accuracy"], abs=1e-9)
    assert found.mean_dice == pytest.approx(expected["mean_dice"], abs=1e-9)
    assert found.pixel_accuracy == pytest.approx(expected["pixel_accuracy"], abs=1e-9)
    assert found.frequency_weighted_iou == pytest.approx(expected["weighted"], abs=1e-9)
    assert found.absent == (5,)
    assert found.pixels == (truth != 255).sum()


def test_worked_by_hand() -> None:
    matrix = ConfusionMatrix(3)
    matrix.update(np.array([[0, 0, 1], [1, 255, 1]]), np.array([[0, 1, 1], [1, 0, 0]]))
    assert matrix.counts.tolist() == [[1, 1, 0], [1, 2, 0], [0, 0, 0]]
    found = compute_metrics(matrix.counts)
    assert found.iou_per_class[:2].tolist() == [1 / 3, 2 / 4]
    assert np.isnan(found.iou_per_class[2])
    assert found.miou == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert found.pixel_accuracy == pytest.approx(3 / 5)


def test_nothing_counted_is_undefined_and_not_zero() -> None:
    matrix = ConfusionMatrix(2)
    matrix.update(np.full((2, 2), 255), np.zeros((2, 2), int))
    found = compute_metrics(matrix.counts)
    assert np.isnan(found.miou)
    assert np.isnan(found.pixel_accuracy)
    assert found.absent == (0, 1)


def test_wrong_masks_are_named() -> None:
    matrix = ConfusionMatrix(2)
    with pytest.raises(UsageError, match=r"truth is \(2, 2\) but prediction \(2, 3\)"):
        matrix.update(np.zeros((2, 2), int), np.zeros((2, 3), int))
    with pytest.raises(UsageError, match="truth holds label 7, but labels run to 1"):
        matrix.update(np.array([[7]]), np.array([[0]]))
    with pytest.raises(UsageError, match="prediction holds label 9"):
        matrix.update(np.array([[0]]), np.array([[9]]))
    assert matrix.counts.sum() == 0


def test_undefined_ratios_can_count_as_zero_or_one() -> None:
    # Label 2 is absent, label 3 only predicted.
    counts = np.array([[6, 2, 0, 1], [1, 5, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    ious = [6 / 10, 5 / 8, 0.0]
    assert compute_metrics(counts).miou == pytest.approx(sum(ious) / 3, abs=1e-12)
    for number in (0, 1):
        found = compute_metrics(counts, zero_division=number)
        assert found.miou == pytest.approx((sum(ious) + number) / 4, abs=1e-12)
        assert found.iou_per_class.tolist() == [*ious[:2], number, 0.0]
        assert found.accuracy_per_class.tolist() == [6 / 9, 5 / 6, number, number]
        assert found.dice_per_class[2] == number
        assert found.mean_dice == pytest.approx((12 / 16 + 10 / 13 + number + 0) / 4, abs=1e-12)
        assert found.absent == (2,)
        assert found.pixel_accuracy == compute_metrics(counts).pixel_accuracy
        assert found.frequency_weighted_iou == compute_metrics(counts).frequency_weighted_iou


def test_predictions_of_no_label_are_misses() -> None:
    matrix = ConfusionMatrix(2, unlabelled=True)
    matrix.update(np.array([[0, 0, 1, 255]]), np.array([[0, 255, 1, 255]]))
    assert matrix.counts.tolist() == [[1, 0, 1], [0, 1, 0]]
    found = compute_metrics(matrix.counts)
    assert found.iou_per_class.tolist() == [1 / 2, 1]
    assert found.pixel_accuracy == pytest.approx(2 / 3)
    with pytest.raises(UsageError, match=r"prediction holds label 2, but labels run to 1"):
        matrix.update(np.array([[0]]), np.array([[2]]))
    with pytest.raises(UsageError, match=r"prediction holds label 255"):
        ConfusionMatrix(2).update(np.array([[0]]), np.array([[255]]))


def test_wrong_matrices_and_options_are_named() -> None:
    with pytest.raises(UsageError, match=r"zero_division is 'nan', 0 or 1, got 0\.5"):
        compute_metrics(np.eye(2, dtype=np.int64), zero_division=0.5)
    with pytest.raises(UsageError, match=r"is \(L, L\) or \(L, L \+ 1\), got \(2, 4\)"):
        compute_metrics(np.zeros((2, 4), dtype=np.int64))
