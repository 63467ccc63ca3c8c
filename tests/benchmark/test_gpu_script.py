import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from benchmark_rows import COSTS, MACHINE
from segnext.benchmark.cases import Case
from segnext.benchmark.result import Benchmark, Row
from segnext.benchmark.timing import Timing

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "gpu.py"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    monkeypatch.chdir(tmp_path)
    spec = importlib.util.spec_from_file_location("gpu_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_without_cuda_nothing_looks_like_a_figure(
    script: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    script.main([])
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("segnext")]
    # Four backends, three precisions, three sizes and two batches, and the line that says why.
    assert len(rows) == 4 * 3 * 3 * 2 + 1
    for row in rows[:-1]:
        assert re.search(r"float(32|16)  .*  not measured( +-)+ *$", row)
    assert rows[-1].endswith("and 69 more: not measured: there is no CUDA device here")
    assert not list(tmp_path.iterdir())


def test_with_cuda_the_paper_has_a_row(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def measure(cases: list[Case], **options: Any) -> Benchmark:
        assert options["device"].type == "cuda"
        assert {case.output for case in cases} == {"labels"}
        timing = Timing((0.002,), rounds=1)
        rows = [Row(case=case, backend="eager", costs=COSTS, timing=timing) for case in cases]
        return Benchmark(MACHINE, rows)

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(script, "run_benchmark", measure)
    script.main(["--backends", "eager", "--precisions", "float16", "--batches", "16"])
    told = json.loads((tmp_path / "gpu" / "benchmark.json").read_text())
    *measured, paper = told["rows"]
    assert len(measured) == 3
    assert (paper["backend"], paper["size"], paper["batch"]) == ("paper", [768, 1536], 1)
    assert (paper["published_images_per_s"], paper["images_per_s"]) == (25.0, None)
    assert "RTX 3090" in paper["why_not"]
    script.main(["--backends", "eager", "--sizes", "512x512", "--out", "other"])
    assert "RTX" not in (tmp_path / "other" / "benchmark.json").read_text()
