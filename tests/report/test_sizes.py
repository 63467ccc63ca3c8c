import numpy as np

from segnext.report.sizes import SizeCounts


def test_components_are_sorted_by_area_and_found_by_half() -> None:
    truth = np.zeros((200, 300), np.uint8)
    truth[10:20, 10:20] = 1  # small, half right
    truth[20:30, 20:30] = 1  # touches it by a corner: one component of 200 px
    truth[100:132, 10:42] = 1  # 1024 px: medium from here on, missed
    truth[60:156, 100:196] = 2  # 9216 px: large from here on
    truth[0, 0] = 255
    prediction = np.zeros_like(truth)
    prediction[10:20, 10:20] = 1
    prediction[60:140, 100:196] = 2
    counts = SizeCounts(3)
    counts.update(truth, prediction)
    assert counts.objects.tolist() == [[0, 0, 1], [1, 1, 0], [0, 0, 1]]
    assert counts.found.tolist() == [[0, 0, 1], [1, 0, 0], [0, 0, 1]]
    assert counts.pixels[1].tolist() == [200, 1024, 0]
    assert counts.right[1].tolist() == [100, 0, 0]
    assert counts.right[2].tolist() == [0, 0, 80 * 96]
    counts.update(truth, truth)
    assert counts.found[1].tolist() == [2, 1, 0]


def test_less_than_half_is_not_found() -> None:
    truth = np.ones((10, 10), np.uint8)
    prediction = truth.copy()
    prediction[:5] = 0
    prediction[5, 0] = 0
    counts = SizeCounts(2)
    counts.update(truth, prediction)
    assert counts.objects.sum() == 1
    assert counts.found.sum() == 0
