import json
import math
from pathlib import Path

import numpy as np
import pytest

from runs import TINY
from segnext.errors import TrainingError
from segnext.training.finding import (
    HIGHEST_RATE,
    LOWEST_RATE,
    BatchRange,
    LrRange,
    find_largest,
    read_range,
    save_batches,
    smooth,
)
from segnext.training.run import find


def test_the_mean_has_no_bias_towards_the_start() -> None:
    assert smooth([3.0, 3.0, 3.0]) == pytest.approx([3.0, 3.0, 3.0])
    # 0.9 * 0.1 * 1 + 0.1 * 2, over the weights 0.09 + 0.1
    assert smooth([1.0, 2.0])[1] == pytest.approx(0.29 / 0.19)


def test_the_suggestion_is_where_the_loss_falls_fastest() -> None:
    rates = np.geomspace(1e-7, 1.0, 141)
    exponents = np.log10(rates)
    # A cliff around 1e-3, a floor, and the loss climbs again beyond 1e-1.
    losses = 2 - 1.5 / (1 + np.exp(-4 * (exponents + 3))) + 50 * np.maximum(0, exponents + 1) ** 2
    found = read_range(rates.tolist(), losses.tolist())
    assert 1e-3 < found.steepest < 1e-2  # the mean lags behind by some steps
    assert found.steepest < found.lowest < 0.3


def test_too_few_steps_are_an_error() -> None:
    with pytest.raises(TrainingError, match="diverged after 3 steps, too few to see"):
        read_range([1e-7, 1e-6, 1e-5], [1.0, 2.0, 9.0])


def test_a_range_test_leaves_numbers_and_a_plot(scenes: Path, tmp_path: Path) -> None:
    found = find("lr", scenes, out=tmp_path, steps=12, quiet=True, max_steps=1, **TINY)
    assert isinstance(found, LrRange)
    assert found.rates[0] == LOWEST_RATE
    assert found.rates[-1] <= HIGHEST_RATE * (1 + 1e-9)
    assert found.steepest <= found.lowest
    assert found.steepest in found.rates
    written = json.loads((tmp_path / "lr_range.json").read_text())
    assert written["losses"] == list(found.losses)
    assert (tmp_path / "lr_range.png").read_bytes().startswith(b"\x89PNG")


def test_the_largest_batch_is_found_between_what_fits_and_what_does_not(tmp_path: Path) -> None:
    tried = []

    def measure(size: int) -> int | None:
        tried.append(size)
        return None if size > 40 else 100 + 10 * size

    found = find_largest(measure, 410, "steps")
    assert found.largest == 31
    assert tried == [1, 2, 4, 8, 16, 32, 24, 28, 30, 31]
    roomy = find_largest(measure, 10**6, "steps")
    assert roomy.largest == 40
    assert None in roomy.bytes
    save_batches(roomy, tmp_path)
    assert json.loads((tmp_path / "batch_range.json").read_text())["largest"] == 40
    assert (tmp_path / "batch_range.png").read_bytes().startswith(b"\x89PNG")


def test_what_never_ends_to_fit_is_bounded() -> None:
    assert find_largest(lambda size: 1, 2, "steps").largest == 1024


def test_not_even_one_picture_is_an_error() -> None:
    with pytest.raises(TrainingError, match="one picture takes 11 bytes, the limit is 10 bytes"):
        find_largest(lambda size: 11, 10, "steps")
    with pytest.raises(TrainingError, match="one picture takes more than there is"):
        find_largest(lambda size: None, 10, "steps")


def test_memory_bounds_the_batch_on_a_cpu(scenes: Path, tmp_path: Path) -> None:
    options = {**TINY, "max_steps": 1, "quiet": True}
    found = [
        find("batch", scenes, out=tmp_path, memory=memory, **options)
        for memory in ("100MB", "200MB")
    ]
    assert all(isinstance(entry, BatchRange) for entry in found)
    small, large = (entry.largest for entry in found if isinstance(entry, BatchRange))
    assert 1 < small < large < math.ceil(2.5 * small)
