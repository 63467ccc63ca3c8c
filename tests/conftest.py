"""Fixtures that several test files share."""

from pathlib import Path

import pytest
import torch

from segnext.models import SegNeXt, SegNeXtConfig

SHARED = Path(__file__).resolve().parents[2] / "shared"

# A SegNeXt of the real shape, small enough for a test of milliseconds.
SMALLEST = {
    "embed_dims": (16, 32, 32, 32),
    "depths": (1, 1, 1, 1),
    "mlp_ratios": (2, 2, 2, 2),
    "decoder_width": 32,
    "rank": 4,
}


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def shared() -> Path:
    """Reference values and real data, kept beside the checkout and never in it."""
    if not SHARED.is_dir():
        pytest.skip("needs the reference data kept beside the repository")
    return SHARED


@pytest.fixture
def smallest_model() -> SegNeXt:
    return SegNeXt(SegNeXtConfig(num_classes=3, **SMALLEST))
