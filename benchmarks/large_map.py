"""Time and peak memory of a GeoTIFF of any size: does memory depend on the map?

python benchmarks/large_map.py [--size 20000x20000] [--model segnext_tiny] [--classes 6]
    [--backend auto] [--window 1024] [--kill-after 0] [--folder FOLDER]

Makes a map of random fields and noise, in rows, and predicts it in a process of its own, whose
memory is that of the work alone. With --kill-after SECONDS that process is killed (SIGKILL) once,
and a second one goes on; times of both are told. The files stay in FOLDER if it is given.
"""

import argparse
import multiprocessing
import os
import platform
import signal
import tempfile
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import rasterio
import torch

from segnext import Predictor, __version__, create_model
from segnext.inference import open_runner
from segnext.maps import MapOptions, map_protocol, predict_map
from segnext.protocol import Protocol
from segnext.weights import describe_model

SEED = 0
ROWS = 512
# Of a field, in pixels.
FIELD = 128


def write_map(path: Path, height: int, width: int) -> None:
    """Write an 8-bit RGB map of fields, with a border of nodata on the left."""
    profile = {
        "driver": "GTiff",
        "height": height,
        "width": width,
        "count": 3,
        "dtype": "uint8",
        "nodata": 0,
        "crs": "EPSG:32633",
        "transform": rasterio.Affine(0.2, 0, 500_000, 0, -0.2, 5_000_000),
        "tiled": True,
        "compress": "DEFLATE",
        "BIGTIFF": "IF_SAFER",
    }
    with rasterio.open(path, "w", **profile) as target:
        for top in range(0, height, ROWS):
            random = np.random.default_rng([SEED, top])
            size = ROWS // FIELD, -(-width // FIELD)
            fields = random.integers(30, 226, (*size, 3), dtype=np.uint8)
            block = cv2.resize(fields, (size[1] * FIELD, ROWS), interpolation=cv2.INTER_NEAREST)[
                : min(ROWS, height - top), :width
            ]
            grain = random.integers(0, 30, (*block.shape[:2], 1), dtype=np.uint8)
            block = block + grain
            block[:, : width // 50] = 0
            rows = rasterio.windows.Window(0, top, width, block.shape[0])
            target.write(np.moveaxis(block, -1, 0), window=rows)


def predict(options: argparse.Namespace, source: Path, out: Path, results: object) -> None:
    """Predict the map, and send seconds, peak and idle memory in bytes, and blocks there before."""
    torch.manual_seed(SEED)
    model = create_model(options.model, num_classes=options.classes).eval()
    torch.nn.init.normal_(model.decoder.classifier.weight, std=0.1)
    model.spec = describe_model(model)
    runner = open_runner(model, backend=options.backend, threads=options.threads)
    runner.run(torch.zeros(1, 3, 64, 64))
    protocol, _ = map_protocol(Protocol(window=options.window, overlap="blend"))
    predictor = Predictor(runner, protocol=protocol)
    before: list[int] = []
    memory = _Memory()
    start = time.perf_counter()
    with memory:
        result = predict_map(
            predictor,
            source,
            out,
            "map",
            MapOptions(confidence=options.confidence),
            on_block=lambda done, _total: before.append(done),
        )
    seconds = time.perf_counter() - start
    assert result.labels.is_file()
    results.put((seconds, memory.peak, memory.idle, before[0]))


class _Memory(threading.Thread):
    """Watches the resident memory of this process."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.idle = self.peak = _resident()
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.05):
            self.peak = max(self.peak, _resident())

    def __enter__(self) -> "_Memory":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()


def _resident() -> int:
    import psutil

    return psutil.Process().memory_info().rss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="20000x20000", help="HEIGHTxWIDTH [px]")
    parser.add_argument("--model", default="segnext_tiny")
    parser.add_argument("--classes", type=int, default=6)
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--window", type=int, default=1024, help="[px]")
    parser.add_argument("--confidence", action="store_true")
    parser.add_argument("--kill-after", type=float, default=0, help="[s]")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    height, width = map(int, options.size.split("x"))
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        source, out = folder / "map.tif", folder / "predicted"
        folder.mkdir(parents=True, exist_ok=True)
        write_map(source, height, width)
        print(
            f"segnext {__version__}, torch {torch.__version__}, {platform.machine()}; "
            f"{options.model}, {options.classes} classes, {options.backend}, {options.threads} "
            f"threads, windows of {options.window} px; map of {height} x {width} px, "
            f"{source.stat().st_size / 1e6:.0f} MB"
        )
        context = multiprocessing.get_context("spawn")
        results = context.Queue()
        worker = context.Process(target=predict, args=(options, source, out, results))
        worker.start()
        if options.kill_after:
            worker.join(options.kill_after)
            if worker.is_alive():
                os.kill(worker.pid, signal.SIGKILL)
                worker.join()
                print(f"killed after {options.kill_after:g} s")
                worker = context.Process(target=predict, args=(options, source, out, results))
                worker.start()
        worker.join()
        assert worker.exitcode == 0
        seconds, peak, idle, before = results.get()
        print(
            f"{seconds:.1f} s, {height * width / seconds / 1e6:.2f} megapixels a second; "
            f"{before} blocks were there; peak {peak / 1e6:.0f} MB in all, "
            f"{(peak - idle) / 1e6:.0f} MB above the loaded model"
        )


if __name__ == "__main__":
    main()
