from collections.abc import Mapping

import numpy as np
import pytest

from segnext.data.statistics import choose_normalization, spread_sample
from segnext.spec import IMAGENET_NORMALIZATION


class Deep:
    """Two bands of 16 bits: a ramp and a constant."""

    def __len__(self) -> int:
        return 100

    def __getitem__(self, index: int) -> Mapping[str, np.ndarray]:
        ramp = np.linspace(0, 65535, 40 * 50).reshape(40, 50)
        return {"image": np.stack([ramp, np.full_like(ramp, 6553.5)], -1).astype(np.uint16)}


def test_eight_bit_rgb_has_imagenets() -> None:
    assert choose_normalization(Deep(), channels=3, bits=8) is IMAGENET_NORMALIZATION


def test_others_are_measured_in_units_of_full_scale() -> None:
    found = choose_normalization(Deep(), channels=2, bits=16)
    assert found.mean == pytest.approx((0.5, 0.1), abs=1e-3)
    assert found.std[0] == pytest.approx(1 / 12**0.5, abs=1e-3)
    assert found.std[1] == pytest.approx(1e-3)  # a constant band stays finite


def test_samples_are_spread_over_everything() -> None:
    assert spread_sample(3, 10) == [0, 1, 2]
    assert spread_sample(101, 5) == [0, 25, 50, 75, 100]
