from pathlib import Path
from typing import Any

import pytest
import torch

from benchmark_rows import MACHINE, make_case
from fake_backends import FAKES, Steady, open_fake
from segnext.benchmark import run
from segnext.benchmark.cases import Case, find_subjects, list_cases
from segnext.benchmark.result import Benchmark
from segnext.benchmark.run import list_unmeasured, run_benchmark

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _known_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "describe_machine", lambda _device, _precisions: MACHINE)


def cases(source: object, *backends: str, **options: Any) -> list[Case]:
    return list_cases(find_subjects([str(source)], 3), [(64, 96)], backends, ["float32"], **options)


def measure(chosen: list[Case], **options: Any) -> Benchmark:
    defaults: dict[str, Any] = {"rounds": 2, "memory": False, "device": CPU}
    return run_benchmark(chosen, opener=open_fake, backends=FAKES, **{**defaults, **options})


def test_a_backend_that_misses_or_fails_is_a_row_that_says_why(scene_weights: Path) -> None:
    found = measure(cases(scene_weights, "absent", "steady", "unopenable", "failing"))
    absent, steady, unopenable, failing = found.rows
    assert [row.backend for row in found.rows] == ["absent", "steady", "unopenable", "failing"]
    assert absent.why_not == 'absent needs pip install "segnext[absent]"'
    assert unopenable.why_not == "cannot be opened"
    assert failing.why_not == "MemoryError"
    assert {row.timing for row in (absent, unopenable, failing)} == {None}
    assert steady.why_not is None
    assert steady.timing is not None
    assert steady.timing.rounds == 2
    assert steady.device == "cpu"
    # What a model costs is known without running it.
    assert len({row.costs and row.costs.macs for row in found.rows}) == 1
    assert found.machine is MACHINE


def test_the_backends_of_the_package_fit(scene_weights: Path) -> None:
    found = run_benchmark(
        cases(scene_weights, "eager", "folded", device="cpu"), device=CPU, rounds=1, memory=False
    )
    assert [row.why_not for row in found.rows] == [None, None]
    assert [row.backend for row in found.rows] == ["eager", "folded"]
    assert all(row.share and row.share > 0 for row in found.rows)


def test_an_exported_file_gets_the_images_that_it_takes(tmp_path: Path) -> None:
    path = tmp_path / "roads.onnx"
    path.write_bytes(b"a graph")
    seen = []

    class Pixels(Steady):
        name = "onnxruntime"
        channels = 4
        pixels = True

        def run(self, images: torch.Tensor, output: str = "logits") -> torch.Tensor:
            seen.append((images.dtype, tuple(images.shape)))
            return images

    found = run_benchmark(
        cases(path, "steady"),
        opener=lambda source, **_: Pixels(source),
        backends=FAKES,
        device=CPU,
        rounds=1,
        memory=False,
    )
    (row,) = found.rows
    assert (row.backend, row.costs, row.why_not, row.share) == ("onnxruntime", None, None, None)
    assert set(seen) == {(torch.uint8, (1, 4, 64, 96))}


def test_auto_is_told_by_its_name(scene_weights: Path) -> None:
    (row,) = measure(cases(scene_weights, "auto")).rows
    assert (row.backend, row.case.backend) == ("steady", "auto")


def test_memory_is_measured_where_times_are(scene_weights: Path) -> None:
    found = measure(cases(scene_weights, "steady", "failing", output="logits"), memory=True)
    steady, failing = found.rows
    assert steady.memory is not None
    assert steady.memory.idle_mb > 50
    assert failing.memory is None


def test_memory_that_cannot_be_measured_leaves_the_times(
    scene_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no more processes")

    monkeypatch.setattr(run, "measure_peak", refuse)
    (row,) = measure(cases(scene_weights, "steady"), memory=True).rows
    assert row.timing is not None
    assert row.why_not == "memory: no more processes"


def test_steps_are_counted_to_the_end(scene_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "measure_peak", lambda *_: None)
    steps: list[tuple[int, int]] = []
    chosen = cases(scene_weights, "steady", "absent", "failing")
    measure(chosen, memory=True, on_step=lambda done, total: steps.append((done, total)))
    assert steps[-1] == (3 * (2 + 1 + 1), 3 * (2 + 1 + 1))


def test_backends_alone_take_turns_together() -> None:
    tiny, base = make_case(), make_case("segnext_base")
    batches = [make_case(backend=backend, batch=16) for backend in ("eager", "folded")]
    assert run._group([tiny, base, *batches, tiny]) == [[tiny], [base], batches, [tiny]]


def test_a_share_is_of_the_device_that_ran(
    scene_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (row,) = measure(cases(scene_weights, "steady")).rows
    assert row.peak_gflops == 100.0
    monkeypatch.setattr(FAKES["steady"], "device", torch.device("meta"))
    (row,) = measure(cases(scene_weights, "steady")).rows
    assert row.share is None


def test_threads_are_set_for_the_while(scene_weights: Path) -> None:
    before, seen = torch.get_num_threads(), []

    def opener(source: object, **options: Any) -> object:
        seen.append(torch.get_num_threads())
        return open_fake(source, **options)

    run_benchmark(
        cases(scene_weights, "steady", threads=before + 1),
        opener=opener,
        backends=FAKES,
        device=CPU,
        rounds=1,
        memory=False,
    )
    assert seen == [before + 1]
    assert torch.get_num_threads() == before


def test_what_cannot_be_run_has_no_figure() -> None:
    told = list_unmeasured([make_case()], "no CUDA device").to_dict()
    (row,) = told["rows"]
    assert told["machine"] is None
    assert row["why_not"] == "no CUDA device"
    figures = ("parameters", "macs", "flops", "median_ms", "images_per_s", "peak_memory_mb")
    assert {row[name] for name in figures} == {None}
