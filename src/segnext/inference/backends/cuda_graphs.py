"""The folded network on a CUDA device, captured once per shape and replayed.

SegNeXt's small layers take less time on a GPU than their launches do; a replayed graph launches
all of them at once, and the mask's kernels with them.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from segnext.inference.backends.runner import Runner
from segnext.inference.backends.torch_eager import prepare_on
from segnext.inference.description import Output
from segnext.inference.upsampling import label_in_bands
from segnext.models import SegmentationModel

# A captured graph keeps its activations; pictures of ever new sizes must not fill the device.
MOST_GRAPHS = 8
WARM_UP_RUNS = 3


@dataclass(frozen=True)
class _Captured:
    graph: Any
    images: Tensor
    result: Tensor


class CudaGraphRunner(Runner):
    """A folded network whose runs are recorded by shape, the least recently used forgotten.

    Args:
        model: Any device.
        device: A CUDA device.
        precision: Of weights and activations.
    """

    def __init__(self, model: SegmentationModel, device: torch.device, precision: str) -> None:
        super().__init__("cuda_graphs", model.config.in_channels, device)
        self._network: nn.Module = prepare_on(model, device, precision)
        self._captured: OrderedDict[tuple[Any, ...], _Captured] = OrderedDict()

    @torch.inference_mode()
    def run(self, images: Tensor, output: Output = "logits") -> Tensor:
        """Run as every runner does; the mask is part of the recorded graph."""
        self._check(images, output)
        key = (*images.shape, output)
        captured = self._captured.get(key)
        if captured is None:
            while len(self._captured) >= MOST_GRAPHS:
                self._captured.popitem(last=False)
            captured = self._captured[key] = self._capture(images, output)
        self._captured.move_to_end(key)
        captured.images.copy_(images)
        captured.graph.replay()
        # The next replay writes to the same memory.
        return captured.result.clone()

    def compute(self, images: Tensor) -> Tensor:
        """Run without a recording."""
        result: Tensor = self._network(images)
        return result

    def _capture(self, images: Tensor, output: Output) -> _Captured:
        held = images.to(self.device).clone(memory_format=torch.channels_last)
        # Libraries choose kernels and make their workspaces at the first runs, which a recording
        # must not contain.
        stream: Any = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP_RUNS):
                self._compute_output(held, output)
        torch.cuda.current_stream(self.device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            result = self._compute_output(held, output)
        return _Captured(graph, held, result)

    def _compute_output(self, images: Tensor, output: Output) -> Tensor:
        logits = self.compute(images).float()
        if output == "logits":
            return logits
        height, width = images.shape[-2:]
        return torch.stack([label_in_bands(one, height, width) for one in logits])
