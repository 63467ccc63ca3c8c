import numpy as np

from segnext.data.scenery.bands import BANDS, CLASSES, NODATA, draw_bands

pictures = [draw_bands(np.random.default_rng(seed), 160, 128) for seed in range(40)]
images = np.stack([image for image, _ in pictures])
masks = np.stack([mask for _, mask in pictures])
seen = masks != CLASSES.ignore_index


def test_five_bands_of_sixteen_bits() -> None:
    assert images.shape[1:] == (128, 160, BANDS)
    assert (images.dtype, masks.dtype) == (np.uint16, np.uint8)


def test_values_live_in_a_small_part_of_the_range() -> None:
    values = images[seen]
    assert np.percentile(values, 99.9) < 0.15 * 65535
    glaring = (images == 65535).all(axis=3)
    per_picture = glaring.sum(axis=(1, 2))
    assert 0.1 < (per_picture > 0).mean() < 0.6
    assert per_picture.max() <= 4
    assert np.array_equal(glaring, (images > 20_000).any(axis=3))


def test_border_without_data_is_ignored_and_nothing_else() -> None:
    assert np.array_equal(~seen, (images == NODATA).all(axis=3))
    assert np.array_equal(~seen, (images == NODATA).any(axis=3))
    shares = (~seen).mean(axis=(1, 2))
    assert 0.05 < (shares > 0).mean() < 0.45
    assert shares.max() < 0.5


def test_every_class_has_its_share() -> None:
    shares = [(masks == label).sum() / seen.sum() for label in range(CLASSES.num_classes)]
    assert np.min(shares) > 0.01
    assert np.max(shares) < 0.6


def test_fields_run_in_any_direction() -> None:
    # Labels change as often from row to row as from column to column, over many pictures.
    down = (np.diff(masks.astype(int), axis=1) != 0).mean(axis=(1, 2))
    across = (np.diff(masks.astype(int), axis=2) != 0).mean(axis=(1, 2))
    assert 0.75 < down.mean() / across.mean() < 1.33
    assert np.std(down - across) > 0.01


def test_texture_tells_wood_from_soil_within_a_band() -> None:
    rough = np.abs(np.diff(images[..., 4].astype(float), axis=2))
    inside = (masks[:, :, 1:] == masks[:, :, :-1]) & (rough < 20_000)
    wood, soil = (rough[inside & (masks[:, :, 1:] == label)].mean() for label in (2, 1))
    assert wood > 2 * soil
