import numpy as np
import pytest

from segnext.report.confidences import BINS, ConfidenceCounts


def test_error_is_the_mean_gap_of_the_bins() -> None:
    counts = ConfidenceCounts()
    counts.update(np.full(60, 0.9, np.float32), np.arange(60) < 30)
    counts.update(np.full(40, 0.5, np.float32), np.arange(40) < 20)
    found = counts.summarize()
    assert found is not None
    assert found.ece == pytest.approx(0.6 * 0.4, abs=1e-6)
    assert found.accuracy == 0.5
    assert found.mean_confidence == pytest.approx(0.74)
    filled = [one for one in found.reliability if one.pixels]
    assert len(found.reliability) == BINS
    assert [one.pixels for one in filled] == [40, 60]
    assert filled[1].low <= 0.9 < filled[1].high
    assert filled[1].accuracy == 0.5


def test_agrees_with_all_pixels_sorted() -> None:
    generator = np.random.default_rng(0)
    confidence = generator.uniform(0.2, 1, 20_000).astype(np.float32)
    right = generator.uniform(size=20_000) < confidence
    counts = ConfidenceCounts()
    counts.update(confidence, right)
    found = counts.summarize()
    assert found is not None
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [
        (bins == place).mean() * abs(right[bins == place].mean() - confidence[bins == place].mean())
        for place in np.unique(bins)
    ]
    assert found.ece == pytest.approx(sum(gaps), abs=1e-6)
    assert found.ece < 0.02
    assert found.coverage[0].coverage == 1
    assert found.coverage[0].accuracy == pytest.approx(right.mean())
    for point in found.coverage:
        kept = confidence >= point.confidence
        assert point.coverage == pytest.approx(kept.mean(), abs=2e-3)
        assert point.accuracy == pytest.approx(right[kept].mean(), abs=5e-3)
    assert len(found.coverage) == 100
    assert found.coverage[-1].accuracy > found.coverage[0].accuracy


def test_certainty_falls_into_the_last_bin_and_nothing_is_nothing() -> None:
    counts = ConfidenceCounts()
    assert counts.summarize() is None
    counts.update(np.ones(4, np.float32), np.ones(4, bool))
    found = counts.summarize()
    assert found is not None
    assert found.reliability[-1].pixels == 4
    assert found.reliability[0].accuracy is None
    assert found.ece == 0
