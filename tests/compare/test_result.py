import csv
import io
import json

import pytest

from comparisons import build_config, make_measured, make_run
from segnext.compare.result import summarize


def test_scores_are_means_over_seeds_with_their_spread() -> None:
    config = build_config()
    runs = [make_run(config, "first", seed, score) for seed, score in ((0, 40.0), (1, 43.0))]
    runs.append(make_run(config, "second", 0, 45.0))
    result = summarize(config, runs, {"first": make_measured(4_000_000, 10.0)})
    first, second, other = result.rows
    assert (first.score, first.spread) == (41.5, pytest.approx(4.5**0.5))
    assert (second.score, second.spread) == (45.0, None)
    assert (other.score, other.spread, other.minutes) == (None, None, None)
    assert (first.parameters_m, first.gmacs, first.minutes) == (4.0, 0.012, 2.0)
    assert (first.milliseconds("auto"), first.memory_mb("auto")) == (5.0, None)
    assert [row.system.name for row in result.ranked] == ["second", "first"]


def test_numbers_are_json_and_csv() -> None:
    config = build_config()
    runs = [make_run(config, "first", seed, 40.0 + seed) for seed in (0, 1)]
    result = summarize(config, runs, {"first": make_measured(4_000_000, 10.0)}, "a machine")
    told = json.loads(json.dumps(result.to_dict()))
    assert told["format"] == 1
    assert told["machine"] == "a machine"
    assert told["rows"][0]["score"] == 40.5
    assert told["rows"][2]["published"] == {"miou": 37.0, "cityscapes_miou": 76.2}
    lines = list(csv.DictReader(io.StringIO(result.to_csv())))
    assert [(line["system"], line["seed"], line["miou"]) for line in lines] == [
        ("first", "0", "40.0"),
        ("first", "1", "41.0"),
        ("second", "", ""),
        ("other's", "", ""),
    ]
    assert lines[0]["parameters"] == "4000000"
    assert lines[0]["auto_ms"] == "5.0"
    assert lines[3]["published_cityscapes_miou"] == "76.2"
