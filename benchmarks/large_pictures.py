"""Time and peak memory of large pictures in windows: does memory depend on the height?

python benchmarks/large_pictures.py [--model segnext_tiny] [--classes 150] [--backend openvino]
    [--window 1024] [--sizes 2048x8192,8192x8192] [--overlaps blend,logits] [--streamed]

Every row is a process of its own. The picture is smooth noise in memory, given to `Predictor`;
with --streamed its rows are made when they are asked for and the mask's are dropped when they are
done, so that what is left is the memory of inference itself.
"""

import argparse
import functools
import platform
import time
from collections.abc import Callable

import cv2
import numpy as np
import torch

from segnext import Predictor, __version__, create_model
from segnext.benchmark.memory import measure_peak
from segnext.inference import open_runner, stream_mask
from segnext.protocol import Protocol
from segnext.weights import describe_model

SEED = 0
ROWS = 512


class Scenery:
    """A picture of any height whose rows are made when they are asked for."""

    def __init__(self, height: int, width: int) -> None:
        self.shape = (height, width, 3)

    def __getitem__(self, rows: slice) -> np.ndarray:
        first, last, _ = rows.indices(self.shape[0])
        blocks = [self._block(block) for block in range(first // ROWS, (last - 1) // ROWS + 1)]
        start = first // ROWS * ROWS
        return np.concatenate(blocks)[first - start : last - start]

    def _block(self, block: int) -> np.ndarray:
        random = np.random.default_rng([SEED, block])
        coarse = random.integers(0, 256, (ROWS // 32, self.shape[1] // 32, 3), dtype=np.uint8)
        return cv2.resize(coarse, (self.shape[1], ROWS), interpolation=cv2.INTER_CUBIC)


def prepare(options: argparse.Namespace, size: tuple[int, int], overlap: str) -> Callable[[], None]:
    """Build everything but the picture; returns what predicts one and prints the seconds."""
    torch.manual_seed(SEED)
    model = create_model(options.model, num_classes=options.classes).eval()
    torch.nn.init.normal_(model.decoder.classifier.weight, std=0.1)
    model.spec = describe_model(model)
    protocol = Protocol(window=options.window, overlap=overlap)
    runner = open_runner(model, backend=options.backend, threads=options.threads)
    runner.run(torch.zeros(1, 3, 64, 64), "labels")
    predictor = Predictor(runner, protocol=protocol)

    def predict() -> None:
        scenery = Scenery(*size)
        picture = None if options.streamed else scenery[:]
        start = time.perf_counter()
        if picture is None:
            bands = stream_mask(runner, scenery, model.spec.normalization, protocol)
            rows = sum(len(band.labels) for band in bands)
        else:
            rows = len(predictor(picture).mask)
        assert rows == size[0]
        print(f"{time.perf_counter() - start:10.1f} s", end="", flush=True)

    return predict


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="segnext_tiny")
    parser.add_argument("--classes", type=int, default=150)
    parser.add_argument("--backend", default="openvino")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--window", type=int, default=1024, help="[px]")
    parser.add_argument("--sizes", default="2048x8192,8192x8192", help="HEIGHTxWIDTH [px]")
    parser.add_argument("--overlaps", default="blend,logits")
    parser.add_argument("--streamed", action="store_true")
    options = parser.parse_args()
    print(
        f"segnext {__version__}, torch {torch.__version__}, {platform.machine()}; {options.model}, "
        f"{options.classes} classes, {options.backend}, {options.threads} threads, windows of "
        f"{options.window} px" + (", streamed" if options.streamed else "")
    )
    for overlap in options.overlaps.split(","):
        for name in options.sizes.split(","):
            height, width = map(int, name.split("x"))
            print(f"{overlap:8} {name:>12}", end="", flush=True)
            measure = functools.partial(prepare, options, (height, width), overlap)
            memory = measure_peak(measure, torch.device("cpu"))
            print(f"{memory.above_idle_mb:8.0f} MB above idle, {memory.peak_mb:.0f} MB in all")


if __name__ == "__main__":
    main()
