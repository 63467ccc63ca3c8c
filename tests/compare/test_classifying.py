import json
from pathlib import Path
from typing import Any

import pytest

from class_photos import SMALLEST, TINY, write_color_photos
from segnext.compare import CompareConfig, compare


def test_encoders_are_compared_by_what_they_classify(tmp_path: Path) -> None:
    photos = write_color_photos(tmp_path / "photos")
    options: dict[str, Any] = {**TINY, "max_steps": 2, "validate_every": 1}
    del options["model_options"]
    config = CompareConfig(
        title="encoders",
        task="classify",
        data=photos,
        options=options,
        size=(32, 32),
        systems=[
            {"name": "all", "model": "mscan_tiny", "model_options": SMALLEST},
            {
                "name": "no 1x1",
                "model": "mscan_tiny",
                "model_options": {**SMALLEST, "channel_mixing": False},
                "published": {"top1": 74.8},
            },
        ],
    )
    result = compare(config, tmp_path / "out", quiet=True)
    first, second = result.rows
    assert first.parameters_m is not None
    assert second.parameters_m is not None
    # A 1x1 with bias in the one block of each stage.
    channels = SMALLEST["embed_dims"]
    saved = sum(width * width + width for width in channels)
    assert 1e6 * (first.parameters_m - second.parameters_m) == pytest.approx(saved)
    for row in result.rows:
        assert (row.milliseconds("eager") or 0) > 0
        assert row.memory_mb("eager") is not None
        assert row.measured is not None
        assert row.measured.why_not == {"auto": "runs no classifiers"}
    told = json.loads((tmp_path / "out" / "comparison.json").read_text())
    (run,) = told["rows"][0]["runs"]
    assert run["scores"]["top1"] == pytest.approx(max(score for _, score in run["curve"]))
    assert told["score"] == "top1"
