import cv2
import numpy as np

from segnext.data.scenery.defects import PIT, SCRATCH, STAIN, draw_defects

pictures = [draw_defects(np.random.default_rng(seed), 160, 128) for seed in range(150)]
masks = np.stack([mask for _, mask in pictures])


def test_defects_are_rare() -> None:
    assert 0.0001 < (masks == SCRATCH).mean() < 0.005
    assert 0.00005 < (masks == PIT).mean() < 0.003
    assert 0.002 < (masks == STAIN).mean() < 0.03


def test_many_pictures_show_none() -> None:
    assert 0.3 < (masks == 0).all(axis=(1, 2)).mean() < 0.55
    for kind in (SCRATCH, PIT, STAIN):
        assert 0.1 < (masks == kind).any(axis=(1, 2)).mean() < 0.4


def test_scratches_are_long_and_thin() -> None:
    for mask in masks[(masks == SCRATCH).any(axis=(1, 2))]:
        scratch = (mask == SCRATCH).astype(np.uint8)
        assert not cv2.erode(scratch, np.ones((3, 3), np.uint8), borderValue=0).any()
        length = max(scratch.any(axis=0).sum(), scratch.any(axis=1).sum())
        assert length >= 10
        assert scratch.sum() <= 2.5 * length


def test_pits_are_a_few_pixels() -> None:
    for mask in masks:
        stats = cv2.connectedComponentsWithStats((mask == PIT).astype(np.uint8))[2][1:]
        # Two may touch.
        assert (stats[:, cv2.CC_STAT_AREA] <= 32).all()


def test_surface_is_grey_textured_and_of_any_brightness() -> None:
    levels, contrasts = [], []
    for image, mask in pictures:
        assert (image.shape, image.dtype, mask.dtype) == ((128, 160, 1), np.uint8, np.uint8)
        levels.append(image[mask == 0].mean())
        contrasts.append(image[mask == 0].std())
    assert np.ptp(levels) > 60
    assert np.min(contrasts) > 5
