"""Time the ADE20K training pipeline against MMSegmentation's, from JPEG to normalised crop.

Both sides read the same files, 683x512 as in ADE20K, one after the other in one process on one
thread. MMSegmentation is no dependency of ours; in an environment of its own:

    pip install "setuptools<70" wheel torch==2.13.0 scipy ftfy regex
    pip install --no-build-isolation mmcv-lite==2.1.0 mmengine
    pip install --no-deps mmsegmentation==1.2.2 && pip install prettytable -e .
    python benchmarks/training_pipeline.py PHOTOS --rounds 9

PHOTOS is any folder of photos; they are cut to 683x512 and saved as JPEG, and their masks are
made from their colours, so that there are regions of all sizes and edges where pictures have them.
"""

import argparse
import importlib.machinery
import platform
import statistics
import sys
import tempfile
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from segnext.classes import Classes
from segnext.data.images import read_image
from segnext.data.masks import FileMasks
from segnext.data.pairing import Item
from segnext.data.taxonomy import Taxonomy
from segnext.data.transforms import Augmentation, TrainTransform
from segnext.spec import IMAGENET_NORMALIZATION

CLASSES = 150
CROP = 512


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--count", type=int, default=48, help="pictures in a round")
    parser.add_argument("--quality", type=int, default=75, help="of the JPEGs")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--ours", action="store_true", help="leave MMSegmentation out")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    with tempfile.TemporaryDirectory() as folder:
        pairs = write_pictures(options.photos, Path(folder), options.count, options.quality)
        sides = {"decode only": decode_only(pairs), "segnext": build_ours(pairs)}
        if not options.ours:
            sides["mmsegmentation"] = build_theirs(pairs)
        times: dict[str, list[float]] = {name: [] for name in sides}
        for turn in range(options.rounds + 1):
            for name, side in sides.items():
                start = time.process_time()
                for index in range(len(pairs)):
                    side(turn * len(pairs) + index)
                if turn:  # the first one warms up
                    times[name].append((time.process_time() - start) / len(pairs))
    report(times, options.rounds, options.count)


def report(times: dict[str, list[float]], rounds: int, count: int) -> None:
    medians = {name: statistics.median(values) for name, values in times.items()}
    print(
        f"{count} pictures x {rounds} rounds, one thread, process time; python "
        f"{platform.python_version()}, opencv {cv2.__version__}, torch {torch.__version__}"
    )
    for name, median in medians.items():
        print(f"{name:>15}: {1000 * median:6.2f} ms a picture, {1 / median:6.1f} pictures/s")
    if "mmsegmentation" in times:
        both = zip(times["mmsegmentation"], times["segnext"], strict=True)
        ratios = sorted(theirs / ours for theirs, ours in both)
        print(
            f"ratio: {statistics.median(ratios):.2f} (rounds {ratios[0]:.2f} to {ratios[-1]:.2f})"
        )


def write_pictures(photos: Path, out: Path, count: int, quality: int) -> list[tuple[Path, Path]]:
    """Write 683x512 JPEGs and masks of raw ids 0..150, 0 void, as ADE20K has them."""
    sources = [path for path in sorted(photos.iterdir()) if path.suffix.lower() == ".jpg"]
    rng = np.random.default_rng(0)
    pairs = []
    for index in range(count):
        photo = cv2.imread(str(sources[index % len(sources)]))
        height, width = photo.shape[:2]
        scale = max(512 / height, 683 / width) * rng.uniform(1, 1.3)
        photo = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        top, left = rng.integers(photo.shape[0] - 511), rng.integers(photo.shape[1] - 682)
        photo = np.ascontiguousarray(photo[top : top + 512, left : left + 683])
        smooth = cv2.pyrMeanShiftFiltering(photo, 12, 40)
        levels = smooth.astype(np.int64) // 64
        ids = levels @ np.array([1, 4, 16]) * 7 % (CLASSES + 1)
        mask = cv2.medianBlur(ids.astype(np.uint8), 7)
        image_path, mask_path = out / f"{index}.jpg", out / f"{index}.png"
        cv2.imwrite(str(image_path), photo, [cv2.IMWRITE_JPEG_QUALITY, quality])
        cv2.imwrite(str(mask_path), mask)
        pairs.append((image_path, mask_path))
    sizes = [
        statistics.mean(path.stat().st_size for path in part) for part in zip(*pairs, strict=True)
    ]
    print(f"mean size: picture {sizes[0] / 1e3:.0f} kB, mask {sizes[1] / 1e3:.1f} kB")
    return pairs


def decode_only(pairs: list[tuple[Path, Path]]) -> Callable[[int], Any]:
    def read(number: int) -> Any:
        image_path, mask_path = pairs[number % len(pairs)]
        return cv2.imread(str(image_path)), cv2.imread(str(mask_path), cv2.IMREAD_UNCHANGED)

    return read


def build_ours(pairs: list[tuple[Path, Path]]) -> Callable[[int], Any]:
    names = tuple(f"class_{index}" for index in range(CLASSES))
    raw = ((0, None), *((index + 1, index) for index in range(CLASSES)))
    reader = FileMasks("ids", Taxonomy(Classes(names, raw_to_train=raw)))
    transform = TrainTransform(
        Augmentation((CROP, CROP), base_size=(2048, 512)), IMAGENET_NORMALIZATION
    )

    def sample(number: int) -> Any:
        image_path, mask_path = pairs[number % len(pairs)]
        item = Item(image_path.stem, image_path, mask_path, image_path.stem)
        rng = np.random.default_rng((0, number))
        image, mask = transform(read_image(image_path, 3), reader.read(item), rng)
        return torch.from_numpy(image), torch.from_numpy(mask)

    return sample


def build_theirs(pairs: list[tuple[Path, Path]]) -> Callable[[int], Any]:
    """Build the training pipeline of MMSegmentation's ADE20K configuration."""

    class Missing(types.ModuleType):
        """Stands in for the compiled operators, which no transform needs."""

        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            return lambda *_args, **_options: None

    stub = Missing("mmcv._ext")
    stub.__spec__ = importlib.machinery.ModuleSpec("mmcv._ext", None)
    sys.modules["mmcv._ext"] = stub
    import mmseg.utils
    from mmcv.transforms import Compose
    from mmseg.registry import MODELS

    mmseg.utils.register_all_modules()
    steps = Compose(
        [
            {"type": "LoadImageFromFile"},
            {"type": "LoadAnnotations", "reduce_zero_label": True},
            {
                "type": "RandomResize",
                "scale": (2048, 512),
                "ratio_range": (0.5, 2.0),
                "keep_ratio": True,
            },
            {"type": "RandomCrop", "crop_size": (CROP, CROP), "cat_max_ratio": 0.75},
            {"type": "RandomFlip", "prob": 0.5},
            {"type": "PhotoMetricDistortion"},
            {"type": "PackSegInputs"},
        ]
    )
    normalize = MODELS.build(
        {
            "type": "SegDataPreProcessor",
            "mean": [123.675, 116.28, 103.53],
            "std": [58.395, 57.12, 57.375],
            "bgr_to_rgb": True,
            "pad_val": 0,
            "seg_pad_val": 255,
            "size": (CROP, CROP),
        }
    )

    def sample(number: int) -> Any:
        if number % len(pairs) == 0:
            np.random.seed(number)
        image_path, mask_path = pairs[number % len(pairs)]
        packed = steps(
            {
                "img_path": str(image_path),
                "seg_map_path": str(mask_path),
                "label_map": None,
                "reduce_zero_label": True,
                "seg_fields": [],
            }
        )
        batch = {"inputs": [packed["inputs"]], "data_samples": [packed["data_samples"]]}
        return normalize(batch, training=True)

    return sample


if __name__ == "__main__":
    main()
