"""Only the bookkeeping: recording and replaying need a GPU, which these tests do not have."""

from contextlib import nullcontext
from typing import Any

import pytest
import torch

from conftest import SMALLEST
from lively_models import enliven
from segnext.inference.backends import cuda_graphs, open_runner
from segnext.inference.backends.cuda_graphs import CudaGraphRunner
from segnext.models import SegNeXt, SegNeXtConfig


def build() -> SegNeXt:
    torch.manual_seed(0)
    return enliven(SegNeXt(SegNeXtConfig(num_classes=3, **SMALLEST)))


class Stream:
    def wait_stream(self, other: object) -> None:
        pass


class Graph:
    replays = 0

    def replay(self) -> None:
        Graph.replays += 1


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> CudaGraphRunner:
    for name, value in {
        "Stream": lambda *_: Stream(),
        "current_stream": lambda *_: Stream(),
        "stream": lambda _: nullcontext(),
        "CUDAGraph": Graph,
        "graph": lambda _: nullcontext(),
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    return CudaGraphRunner(build(), torch.device("cpu"), "float32")


@pytest.mark.parametrize("output", ["logits", "labels"])
def test_one_recording_for_each_shape_and_output(runner: CudaGraphRunner, output: Any) -> None:
    images = torch.randn(2, 3, 64, 70)
    expected = open_runner(build(), backend="folded", device="cpu").run(images, output)
    Graph.replays = 0
    for _ in range(3):
        torch.testing.assert_close(runner.run(images, output).float(), expected.float())
    assert Graph.replays == 3
    assert len(runner._captured) == 1
    assert runner.run(images, output) is not runner.run(images, output)


def test_the_least_recently_used_recording_is_forgotten(
    runner: CudaGraphRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda_graphs, "MOST_GRAPHS", 2)
    first, second, third = (torch.randn(1, 3, 32, width) for width in (32, 40, 48))
    for images in (first, second, first, third):
        runner.run(images)
    assert [key[3] for key in runner._captured] == [32, 48]
