from dataclasses import replace

import pytest
from rich.console import Console
from rich.table import Table

from benchmark_rows import COSTS, MACHINE, make_gap, make_row
from segnext.benchmark.memory import PeakMemory
from segnext.benchmark.result import Benchmark
from segnext.benchmark.table import (
    build_module_table,
    build_table,
    describe_benchmark,
    print_benchmark,
)


def text(table: Table) -> list[list[str]]:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(table)
    return [line.split() for line in capture.get().splitlines()]


def test_every_row_has_a_line_with_its_figures() -> None:
    lines = text(build_table([make_row(batch=4), make_gap()]))
    assert len(lines) == 2 + 2  # titles with their units, rows
    assert lines[1] == [
        "model",
        "backend",
        "batch",
        "[M]",
        "[G]",
        "[G]",
        "[ms]",
        "[ms]",
        "per",
        "s",
        "[MB]",
        "peak",
    ]
    shown = "segnext_tiny folded batch 4 4.00 10.00 25.00 500.0 750.0 8.00 120 200%"
    assert " ".join(lines[2]) == shown
    gap = "segnext_tiny openvino batch 1 4.00 10.00 25.00 not measured - - - -"
    assert " ".join(lines[3]) == gap


def test_a_published_speed_is_told_and_not_called_measured() -> None:
    row = replace(make_gap(backend="paper"), published_images_per_s=25.0, why_not="on an RTX 3090")
    shown = "segnext_tiny paper 4.00 10.00 25.00 not measured - 25.00 - -"
    assert " ".join(text(build_table([row]))[2]) == shown
    assert describe_benchmark(Benchmark(None, [row]))[-1].endswith("labels: on an RTX 3090")
    assert row.to_dict()["images_per_s"] is None


def test_a_bound_is_no_figure() -> None:
    bound = replace(make_row(), memory=PeakMemory(idle_mb=1.0, peak_mb=91.0, exact=False))
    assert text(build_table([bound]))[2][-3:] == ["<=", "90", "50%"]


def test_lines_tell_what_the_table_does_not() -> None:
    benchmark = Benchmark(MACHINE, [make_row(), make_gap(output="logits")])
    lines = describe_benchmark(benchmark)
    assert lines[0] == "512x1024, batch 1, float32"
    assert lines[1].startswith("parameters, MACs and FLOPs: of the model's definition")
    assert "A CPU, 2 cores, 2 threads, 16 GB; Linux 6 x86_64" in lines
    assert lines[-1] == (
        "segnext_tiny openvino 512x1024 batch 1 float32 logits: needs openvino: pip install"
    )
    assert len(describe_benchmark(Benchmark(None, [make_row()]))) == 2


def test_rows_that_lack_the_same_share_a_line() -> None:
    rows = [make_gap(model) for model in ("a", "b", "c", "d", "e")]
    assert describe_benchmark(Benchmark(None, rows))[-1] == (
        "a openvino 512x1024 batch 1 float32 labels, b openvino 512x1024 batch 1 float32 labels, "
        "c openvino 512x1024 batch 1 float32 labels and 2 more: needs openvino: pip install"
    )


def test_a_narrow_console_gets_whole_figures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    print_benchmark(Benchmark(MACHINE, [make_row(), make_gap()]))
    told = capsys.readouterr().out
    assert "500.0" in told
    assert "not measured" in told
    assert "\u2026" not in told


def test_modules_are_shown_to_the_parts_of_stages_and_hamburger() -> None:
    table = build_module_table("segnext_tiny", COSTS)
    assert table.title == "segnext_tiny, 512x1024, one image"
    shown = {line[0]: line[1:] for line in text(table)[2:]}
    assert shown["all"] == ["4.000", "10.000", "25.000", "100.0%"]
    assert shown["encoder.stages.0"] == ["1.000", "2.000", "5.000", "20.0%"]
    assert shown["decoder.hamburger.nmf"] == ["0.000", "0.500", "1.000", "5.0%"]
    assert "encoder.stages.0.blocks.0" not in shown
    assert "decoder.dropout" not in shown
