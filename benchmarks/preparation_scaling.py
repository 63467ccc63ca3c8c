"""Time preparing and checking a data set of COCO-Stuff's form with one and with several processes.

    python benchmarks/preparation_scaling.py PHOTOS [--pictures 3000] [--rounds 7] [--workers 1 2]

Pictures are 640x480 JPEGs cut from PHOTOS, labels are .mat files as COCO-Stuff 10k has them, made
from the pictures' colours. `segnext data prepare` turns the labels into PNG, `segnext data check`
reads everything. The numbers of processes take turns; what is left is divided by the pictures, and
multiplied to the size of COCO-Stuff 164k.
"""

import argparse
import platform
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from scipy.io import savemat

from segnext.data.checkup import check_data
from segnext.data.datasets.prepare import prepare

COCO_STUFF = 118_287 + 5_000
DISTINCT = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--pictures", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = write_data(options.photos, Path(folder) / "cocostuff", options.pictures)
        times: dict[tuple[str, int], list[float]] = {}
        for turn in range(options.rounds):
            for workers in options.workers:
                out = Path(folder) / "out"
                start = time.perf_counter()
                prepare("coco_stuff10k", root, out, partial=True, workers=workers)
                prepared = time.perf_counter()
                checkup = check_data(out, workers=workers)
                checked = time.perf_counter()
                assert checkup.passed, checkup.findings[0]
                times.setdefault(("prepare", workers), []).append(prepared - start)
                times.setdefault(("check", workers), []).append(checked - prepared)
                shutil.rmtree(out)
            print(f"round {turn + 1} of {options.rounds}", flush=True)
    print(
        f"{options.pictures} pictures, python {platform.python_version()}, opencv {cv2.__version__}"
    )
    for job in ("prepare", "check"):
        base = statistics.median(times[job, options.workers[0]])
        for workers in options.workers:
            median = statistics.median(times[job, workers])
            minutes = median / options.pictures * COCO_STUFF / 60
            print(
                f"{job:>8}, {workers} processes: {median:6.2f} s, "
                f"{1000 * median / options.pictures:5.2f} ms a picture, {base / median:4.2f} times "
                f"as fast; COCO-Stuff 164k {minutes:.1f} min"
            )


def write_data(photos: Path, root: Path, count: int) -> Path:
    """Write pictures and labels, of which few are distinct, in the published layout."""
    sources = [path for path in sorted(photos.iterdir()) if path.suffix.lower() == ".jpg"]
    rng = np.random.default_rng(0)
    for folder in ("images", "annotations", "imageLists"):
        (root / folder).mkdir(parents=True)
    lists: dict[str, list[str]] = {"train": [], "test": []}
    for index in range(count):
        name = f"COCO_train2014_{index:012}"
        photo, mask = root / f"images/{name}.jpg", root / f"annotations/{name}.mat"
        if index < DISTINCT:
            pixels = cv2.resize(cv2.imread(str(sources[index % len(sources)])), (900, 700))
            top, left = rng.integers(220), rng.integers(260)
            pixels = np.ascontiguousarray(pixels[top : top + 480, left : left + 640])
            smooth = cv2.pyrMeanShiftFiltering(pixels, 12, 40).astype(np.int64) // 64
            ids = (smooth @ np.array([1, 4, 16])) % 11 + 1
            savemat(mask, {"S": ids.astype(np.uint16)}, do_compression=True)
        else:
            shutil.copyfile(root / f"annotations/COCO_train2014_{index % DISTINCT:012}.mat", mask)
            pixels = cv2.imread(str(root / f"images/COCO_train2014_{index % DISTINCT:012}.jpg"))
        # Equal files would be found out by the check: every picture gets a mark of its own.
        pixels[:16, :16] = rng.integers(0, 256, (16, 16, 3))
        cv2.imwrite(str(photo), pixels, [cv2.IMWRITE_JPEG_QUALITY, 80])
        lists["test" if index % 10 == 9 else "train"].append(name)
    for name, names in lists.items():
        (root / f"imageLists/{name}.txt").write_text("\n".join(names) + "\n")
    return root


if __name__ == "__main__":
    main()
