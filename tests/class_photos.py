"""Photos with one label each, in folders by class, for tests of classification."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pictures import save_picture
from segnext.classification import ClassifierSpec, ClassifyRun, save_classifier, train
from segnext.classification.augmentation import EvaluationView
from segnext.models import Classifier, ClassifierConfig

COLORS = {"blue": (40, 60, 200), "green": (40, 180, 60), "red": (200, 50, 40)}

FOLDERS = ("n01443537", "n02123045", "n02410509")

# A classifier of the real shape, small enough for steps of milliseconds.
SMALLEST: dict[str, Any] = {
    "embed_dims": (8, 16, 16, 32),
    "depths": (1, 1, 1, 1),
    "mlp_ratios": (2, 2, 2, 2),
}
TINY: dict[str, Any] = {
    "model_options": SMALLEST,
    "stem_stride": 2,
    "crop_size": 32,
    "batch_size": 8,
    "learning_rate": 2e-3,
    "num_workers": 0,
    "device": "cpu",
    "log_every": 1,
}


def write_classifier(path: Path, **options: object) -> Path:
    torch.manual_seed(0)
    model = Classifier(ClassifierConfig(num_classes=3, **{**SMALLEST, **options}))
    spec = ClassifierSpec(
        model="mscan_tiny",
        config={},
        folders=FOLDERS,
        names=("goldfish", "tabby", "bison"),
        view=EvaluationView(48, None),
        score={"top1": 0.5},
        license="CC0-1.0",
    )
    return save_classifier(model, path, spec)


def write_color_photos(root: Path, *, train: int = 8, val: int = 4, size: int = 32) -> Path:
    """Write noisy photos of one colour each; the colour is the class."""
    rng = np.random.default_rng(0)
    for split, count in (("train", train), ("val", val)):
        for name, color in COLORS.items():
            for index in range(count):
                noise = rng.normal(0, 40, (size, size, 3)) + rng.normal(0, 15, 3)
                pixels = np.clip(np.array(color) + noise, 0, 255).astype(np.uint8)
                save_picture(root / split / name / f"{name}_{index}.png", pixels)
    return root


def train_tiny(photos: Path, out: Path, **options: Any) -> ClassifyRun:
    defaults = {**TINY, "max_steps": 6, "validate_every": 3}
    return train(photos, out=out, quiet=True, **{**defaults, **options})


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
