import cv2
import numpy as np
import pytest

from segnext.data.scenery.specks import DISC, RING, draw_specks

SLIDES = [draw_specks(np.random.default_rng(seed), 160, 128) for seed in range(24)]


def test_cells_cover_under_three_percent() -> None:
    shares = np.array([[(mask == kind).mean() for kind in (RING, DISC)] for _, mask in SLIDES])
    assert (shares.sum(1) > 0).all()
    assert shares.sum(1).max() < 0.03
    assert shares.mean(0).min() > 0.002


@pytest.mark.parametrize("kind", [RING, DISC])
def test_cells_are_tiny_whole_and_apart(kind: int) -> None:
    for _, mask in SLIDES:
        found = cv2.connectedComponentsWithStats((mask == kind).astype(np.uint8))[2][1:]
        assert (found[:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]] <= 10).all()
        inner = (
            (found[:, cv2.CC_STAT_LEFT] > 0)
            & (found[:, cv2.CC_STAT_TOP] > 0)
            & (found[:, cv2.CC_STAT_LEFT] + found[:, cv2.CC_STAT_WIDTH] < 160)
            & (found[:, cv2.CC_STAT_TOP] + found[:, cv2.CC_STAT_HEIGHT] < 128)
        )
        assert (found[inner, cv2.CC_STAT_WIDTH] >= 3).all()
        assert (found[inner, cv2.CC_STAT_AREA] >= 5).all()


def test_rings_are_lighter_inside_and_discs_are_not() -> None:
    centres: dict[int, list[float]] = {RING: [], DISC: []}
    for image, mask in SLIDES:
        grey = image.mean(axis=2)
        for kind, differences in centres.items():
            _, labels, stats, middles = cv2.connectedComponentsWithStats(
                (mask == kind).astype(np.uint8)
            )
            for number in range(1, len(stats)):
                if stats[number, cv2.CC_STAT_AREA] >= 30:
                    column, row = np.rint(middles[number]).astype(int)
                    differences.append(grey[row, column] - grey[labels == number].mean())
    assert np.mean(np.array(centres[RING]) > 0) > 0.95
    assert np.mean(np.array(centres[DISC]) < 0) > 0.9


def test_debris_is_as_dark_as_cells() -> None:
    share = []
    for image, mask in SLIDES:
        grey = image.mean(axis=2)
        dark = grey < np.median(grey[mask > 0])
        share.append((dark & (mask == 0)).sum() / dark.sum())
    assert np.mean(share) > 0.25


def test_larger_slides_hold_more_cells_not_larger_ones() -> None:
    _, mask = draw_specks(np.random.default_rng(3), 320, 256)
    count, _, stats, _ = cv2.connectedComponentsWithStats((mask > 0).astype(np.uint8))
    assert count > 13
    assert stats[1:, cv2.CC_STAT_WIDTH].max() <= 10
    assert 0 < (mask > 0).mean() < 0.03
