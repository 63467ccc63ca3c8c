"""Compare one process, two shards and two workers of Ray on the same pictures.

    python benchmarks/bulk_predict.py [WEIGHTS] [--pictures 200] [--size 256] [--rounds 3]
        [--no-ray]

Pictures are noise, written as PNG. Ways take turns; each is timed from its start to its end, with
the start of processes, and from its first to its last mask, which is what counts in long jobs. All
compute with one thread. Ends with exit code 1 if a way's outputs differ from those of the first.
"""

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

WAYS = {
    "one process": [["--engine", "local"]],
    "two shards": [["--shard", "0/2"], ["--shard", "1/2"]],
    "ray, two workers": [["--engine", "ray", "--workers", "2"]],
}
DEFAULT = Path(__file__).parents[1] / "weights" / "segnext_tiny_camvid.safetensors"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path, nargs="?", default=DEFAULT)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-ray", action="store_true")
    options = parser.parse_args()
    ways = [way for way in WAYS if not (options.no_ray and "ray" in way)]
    times: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_pictures(folder / "photos", options.pictures, options.size)
        expected = ""
        for turn in range(options.rounds):
            for way in ways:
                out = folder / f"{way} {turn}"
                times[way].append(run(options.weights, folder / "photos", out, WAYS[way]))
                found = digest(out, options.pictures)
                expected = expected or found
                if found != expected:
                    sys.exit(f"{way}: other outputs than {ways[0]}")
            print(f"round {turn + 1} of {options.rounds}", flush=True)
    first = [statistics.median(column) for column in zip(*times[ways[0]], strict=True)]
    print(f"{options.pictures} pictures of {options.size}x{options.size}, {os.cpu_count()} cores")
    for way in ways:
        whole, steady = (statistics.median(column) for column in zip(*times[way], strict=True))
        print(
            f"{way:>16}: {whole:6.1f} s with its start ({first[0] / whole:4.2f} times as fast), "
            f"{options.pictures / steady:6.1f} pictures/s once running "
            f"({first[1] / steady:4.2f} times)"
        )


def write_pictures(folder: Path, count: int, size: int) -> None:
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(count):
        pixels = random.integers(0, 256, (size, size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:06}.png")


def run(weights: Path, photos: Path, out: Path, way: list[list[str]]) -> tuple[float, float]:
    """Return seconds from start to end, and those between the first and the last mask."""
    words = [sys.executable, "-m", "segnext", "predict", str(weights), str(photos)]
    words += ["--out", str(out), "--threads", "1", "--device", "cpu", "--backend", "eager"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    start = time.perf_counter()
    processes = [
        subprocess.Popen([*words, *more], env=environment, stdout=subprocess.DEVNULL)
        for more in way
    ]
    codes = [process.wait() for process in processes]
    whole = time.perf_counter() - start
    assert not any(codes), codes
    written = [path.stat().st_mtime for path in (out / "masks").iterdir()]
    return whole, max(written) - min(written)


def digest(out: Path, pictures: int) -> str:
    names = [
        json.loads(line)["name"]
        for file in (out / "manifest").iterdir()
        for line in file.read_text().splitlines()
        if "made" not in line
    ]
    assert len(names) == len(set(names)) == pictures
    found = hashlib.sha256()
    for name in sorted(names):
        found.update((out / "masks" / f"{name}.png").read_bytes())
    return found.hexdigest()


if __name__ == "__main__":
    main()
