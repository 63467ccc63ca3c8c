import numpy as np
import pytest

from segnext.report.suspects import Suspects


def test_finds_the_largest_region_of_sure_disagreement() -> None:
    truth = np.zeros((60, 80), np.uint8)
    prediction = truth.copy()
    prediction[10:30, 20:40] = 2
    prediction[40:52, 50:70] = 1
    confidence = np.full(truth.shape, 0.99, np.float32)
    suspects = Suspects(3, 255)
    suspects.update(4, truth, prediction, confidence)
    (found,) = suspects.found
    # Two pixels are taken off each side.
    assert found.box == (22, 12, 16, 16)
    assert found.pixels == 256
    assert (found.picture, found.truth, found.prediction) == (4, 0, 2)
    assert found.confidence == pytest.approx(0.99)


def test_unsure_thin_and_ignored_regions_are_no_suspects() -> None:
    truth = np.zeros((60, 80), np.uint8)
    prediction = truth.copy()
    prediction[10:30, 20:40] = 1
    sure = np.full(truth.shape, 0.99, np.float32)
    suspects = Suspects(3, 255)
    suspects.update(0, truth, prediction, np.full(truth.shape, 0.9, np.float32))
    ignored = truth.copy()
    ignored[10:30, 20:40] = 255
    suspects.update(1, ignored, prediction, sure)
    thin = truth.copy()
    thin[:, 30:34] = 1
    suspects.update(2, truth, thin, sure)
    assert suspects.found == []


def test_keeps_the_largest_of_all_pictures() -> None:
    truth = np.zeros((60, 80), np.uint8)
    suspects = Suspects(2, 255)
    for picture, side in enumerate([20, 10, 30, 10]):
        prediction = truth.copy()
        prediction[5 : 5 + side, 5 : 5 + side] = 1
        suspects.update(picture, truth, prediction, np.ones(truth.shape, np.float32))
    assert [one.picture for one in suspects.found] == [2, 0]
