import json

import pytest

from benchmark_rows import MACHINE, make_gap, make_row
from segnext.benchmark.result import Benchmark

FIGURES = {"median_ms", "p90_ms", "images_per_s", "peak_memory_mb", "share_of_peak"}


def test_figures_follow_from_calls() -> None:
    row = make_row(batch=4)
    told = row.to_dict()
    # Half a second for four images of 25 GFLOP each: 200 of the machine's 100 GFLOP/s.
    assert told["median_ms"] == 500
    assert told["p90_ms"] == pytest.approx(750)
    assert told["images_per_s"] == pytest.approx(8)
    assert told["share_of_peak"] == pytest.approx(2.0)
    assert told["peak_memory_mb"] == 120
    assert (told["calls"], told["rounds"]) == (10, 10)
    assert (told["parameters"], told["macs"], told["flops"]) == (4e6, 10e9, 25e9)


def test_what_was_not_measured_is_none() -> None:
    told = make_gap().to_dict()
    assert {told[name] for name in FIGURES} == {None}
    assert told["why_not"] == "needs openvino: pip install"
    assert told["macs"] == 10e9


def test_json_has_one_schema_for_every_row() -> None:
    benchmark = Benchmark(MACHINE, [make_row(), make_gap()])
    told = json.loads(json.dumps(benchmark.to_dict(per_module=True)))
    assert set(told) == {"format", "machine", "rows", "modules"}
    measured, gap = told["rows"]
    assert set(measured) == set(gap)
    assert measured["size"] == [512, 1024]
    assert told["machine"]["peak_gflops"] == {"float32": 100.0}
    (modules,) = told["modules"]
    assert (modules["model"], modules["size"]) == ("segnext_tiny", [512, 1024])
    assert modules["modules"][1] == {
        "name": "encoder",
        "parameters": 3_000_000,
        "macs": 9_000_000_000,
        "flops": 20_000_000_000,
    }
    assert "modules" not in benchmark.to_dict()


def test_nothing_run_has_no_machine() -> None:
    assert Benchmark(None, [make_gap()]).to_dict()["machine"] is None
