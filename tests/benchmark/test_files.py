import json
from pathlib import Path

import cv2
import pytest

from benchmark_rows import MACHINE, make_gap, make_row
from segnext.benchmark.files import save_benchmark
from segnext.benchmark.result import Benchmark
from segnext.errors import SegnextError


def test_json_and_picture(tmp_path: Path) -> None:
    benchmark = Benchmark(MACHINE, [make_row(), make_gap()])
    written = save_benchmark(benchmark, tmp_path / "new" / "out", per_module=True)
    assert [path.name for path in written] == ["benchmark.json", "benchmark.png"]
    assert json.loads(written[0].read_text()) == benchmark.to_dict(per_module=True)
    assert cv2.imread(str(written[1])) is not None


def test_nothing_timed_is_no_picture(tmp_path: Path) -> None:
    written = save_benchmark(Benchmark(None, [make_gap()]), tmp_path)
    assert list(tmp_path.iterdir()) == written == [tmp_path / "benchmark.json"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(SegnextError, match=r"benchmark\.json: cannot be written"):
        save_benchmark(Benchmark(None, [make_gap()]), tmp_path / "out")
