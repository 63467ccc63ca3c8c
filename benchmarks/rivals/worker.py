"""One contestant in a process of its own, obeying JSON lines; started by `compare.py`.

The first argument is a JSON object (see `Assignment`). The first line written is `{"ready": ...}`
or `{"left_out": "why"}`; then every line read is a command and gets one line back:

    {"do": "run", "output": "labels"}                 -> {"seconds": 0.31}
    {"do": "save", "output": "logits", "file": FILE}  -> {}, and a numpy file
    {"do": "measure_memory", "output": "labels"}      -> see `memory.measure_memory`
"""

import importlib.metadata
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memory import measure_memory

PACKAGES = (
    "torch",
    "openvino",
    "onnxruntime",
    "segnext",
    "mmsegmentation",
    "mmcv-lite",
    "transformers",
    "torchvision",
    "segmentation-models-pytorch",
)


@dataclass(frozen=True)
class Assignment:
    """What a worker is started with.

    Attributes:
        network: Such as `mmseg/tiny`.
        backend: Such as `openvino`.
        form: Of a graph's outputs, see `runners.GraphRunner`.
        outputs: That will be asked for: `logits`, `labels`, or `step` for training.
        batch: Pictures at once.
        height: Of the picture [px].
        width: Of the picture [px].
        classes: K.
        threads: For everything.
        weights: File of SegNeXt's weights.
        picture: `noise`, or `clouds`, which are noise at all scales.
    """

    network: str
    backend: str
    form: str
    outputs: list[str]
    batch: int
    height: int
    width: int
    classes: int
    threads: int
    weights: str
    picture: str


def main() -> None:
    # Libraries print what they like: the driver's line is kept apart from their standard output.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def answer(message: dict[str, Any]) -> None:
        print(json.dumps(message), file=answers, flush=True)

    assignment = Assignment(**json.loads(sys.argv[1]))
    try:
        training = "step" in assignment.outputs
        worker = TrainingWorker(assignment) if training else Worker(assignment)
    except Exception as error:
        # Whatever keeps a contestant away (no package, an export that fails) is a result too.
        answer({"left_out": f"{type(error).__name__}: {error}"[:500]})
        raise
    answer({"ready": worker.description})
    for line in sys.stdin:
        command = json.loads(line)
        answer(getattr(worker, command.pop("do"))(**command))


class Worker:
    """Inference of one network in one backend.

    Args:
        assignment: Whose and what.
    """

    def __init__(self, assignment: Assignment) -> None:
        import torch
        from networks import build_network
        from runners import GraphRunner, SegnextRunner, TorchRunner

        torch.set_num_threads(assignment.threads)
        self.shape = (assignment.batch, 3, assignment.height, assignment.width)
        self.picture = assignment.picture
        self.images: Any = None
        start = time.perf_counter()
        network = build_network(assignment.network, assignment.classes, Path(assignment.weights))
        parameters = sum(parameter.numel() for parameter in network.parameters())
        with torch.inference_mode():
            if assignment.network.startswith("segnext/"):
                self.runner: Any = SegnextRunner(network, assignment.backend, assignment.threads)
            elif assignment.backend in ("eager", "channels_last"):
                self.runner = TorchRunner(network, assignment.backend)
            else:
                self.runner = GraphRunner(
                    network,
                    assignment.backend,
                    self._draw_images(),
                    assignment.threads,
                    assignment.form,
                    assignment.outputs,
                )
        self.description = {
            "versions": versions(),
            "parameters": parameters,
            "seconds_to_open": time.perf_counter() - start,
            "forms": self.runner.forms,
            "trials": getattr(self.runner, "trials", {}),
        }

    def run(self, output: str) -> dict[str, float]:
        """Time one run on images that are there already."""
        self.images = self._draw_images() if self.images is None else self.images
        return {"seconds": self._seconds(output)}

    def save(self, output: str, file: str) -> dict[str, Any]:
        """Write an output as a numpy file."""
        import numpy as np
        import torch

        with torch.inference_mode():
            np.save(file, self.runner.run(self._draw_images(), output).numpy())
        return {}

    def measure_memory(self, output: str) -> dict[str, float]:
        """Measure the peak of a first and of a next run beyond the idle process.

        Idle is after imports, after the network was built and its backend opened, and, where the
        backend takes any size, after a run of 64x64; before the picture exists.
        """
        if self.runner.any_size:
            self._seconds(output, self._draw_images((self.shape[0], 3, 64, 64)))
        return measure_memory(self._draw_images, lambda images: self._seconds(output, images))

    def _seconds(self, output: str, images: Any = None) -> float:
        import torch

        images = self.images if images is None else images
        with torch.inference_mode():
            start = time.perf_counter()
            self.runner.run(images, output)
            return time.perf_counter() - start

    def _draw_images(self, shape: tuple[int, ...] | None = None) -> Any:
        from pictures import draw_pictures

        return draw_pictures(self.picture, shape or self.shape)


class TrainingWorker:
    """Training steps of one network.

    Args:
        assignment: Whose and what.
    """

    def __init__(self, assignment: Assignment) -> None:
        import torch
        from training_steps import build_step

        torch.set_num_threads(assignment.threads)
        self.assignment = assignment
        self.batch: Any = None
        self.step = build_step(assignment.network, assignment.backend, assignment.classes)
        self.description = {"versions": versions(), "forms": {}}

    def run(self, output: str) -> dict[str, float]:
        """Time one step on a batch that is there already."""
        assert output == "step"
        self.batch = self._draw_batch() if self.batch is None else self.batch
        start = time.perf_counter()
        loss = self.step(*self.batch)
        return {"seconds": time.perf_counter() - start, "loss": loss}

    def measure_memory(self, output: str) -> dict[str, float]:
        """Measure the peak of the first and of the second step beyond the idle process.

        Idle is after imports and after the network and its optimizer were built; the optimizer's
        averages come with the first step and count.
        """
        assert output == "step"
        return measure_memory(self._draw_batch, lambda batch: self.step(*batch))

    def _draw_batch(self) -> Any:
        from pictures import draw_masks, draw_pictures

        whole = self.assignment
        images = draw_pictures(whole.picture, (whole.batch, 3, whole.height, whole.width))
        return images, draw_masks((whole.batch, whole.height, whole.width), whole.classes)


def versions() -> dict[str, str]:
    """Return the versions of what this environment has of the packages that matter."""
    found = {"python": sys.version.split()[0]}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    main()
