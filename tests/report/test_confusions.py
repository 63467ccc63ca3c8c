import numpy as np

from segnext.report.confusions import CellLeaders


def test_the_pictures_with_most_pixels_stay_in_order() -> None:
    leaders = CellLeaders(2, keep=2)
    for picture, pixels in enumerate([5, 0, 9, 7, 9]):
        leaders.update(picture, np.array([[100, pixels], [picture == 1, 100]]))
    assert leaders.of(0, 1) == [(2, 9), (4, 9)]  # ties go to the earlier one
    assert leaders.of(1, 0) == [(1, 1)]
    assert leaders.of(0, 0) == [(0, 100), (1, 100)]


def test_agrees_with_sorting() -> None:
    generator = np.random.default_rng(1)
    matrices = generator.integers(0, 1000, (30, 4, 4))
    leaders = CellLeaders(4, keep=3)
    for picture, matrix in enumerate(matrices):
        leaders.update(picture, matrix)
    for truth in range(4):
        for prediction in range(4):
            order = np.argsort(-matrices[:, truth, prediction], kind="stable")[:3]
            assert [picture for picture, _ in leaders.of(truth, prediction)] == order.tolist()
