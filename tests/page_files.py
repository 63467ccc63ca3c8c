"""The files that the pages' code finds: what they call photos, weights, data sets and runs."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from class_photos import SMALLEST, write_classifier, write_color_photos
from known_layouts import write_ade20k, write_cityscapes, write_pascal_voc
from segnext.classification.config import ClassifyConfig
from segnext.data.synthetic import write_scenes
from segnext.training.config import TrainConfig

# Over the options of every training.
SMALL_RUN = {
    "max_steps": 1,
    "budget": None,
    "crop_size": (64, 64),
    "batch_size": 2,
    "num_workers": 0,
    "validate_every": 1,
    "device": "cpu",
}
SMALL_CLASSIFIER = {
    "max_steps": 1,
    "epochs": None,
    "budget": None,
    "crop_size": 32,
    "batch_size": 4,
    "model_options": SMALLEST,
    "repeats": 1,
    "num_workers": 0,
    "validate_every": 1,
    "device": "cpu",
}


def make_files(folder: Path, weights: Path) -> Path:
    """Write everything that a reader is supposed to have."""
    write_scenes(folder / "roads", train=6, val=2, test=2, width=96, height=64)
    for copy in ("camvid", "ade"):
        shutil.copytree(folder / "roads", folder / copy)
    for split, photos in (("test", "photos"), ("val", "frames")):
        shutil.copytree(folder / "roads" / split / "images", folder / photos)
    with Image.open(folder / "photos" / "scene_00000.png") as picture:
        picture.save(folder / "photo.jpg", quality=95)
        picture.resize((256, 192)).save(folder / "MAP.png")
    for name in ("best", "w", "old", "new", "runs/roads/best"):
        path = folder / f"{name}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(weights, path)
    np.zeros((2048, 1024, 3), np.uint8).tofile(folder / "map.raw")
    film = cv2.VideoWriter(str(folder / "drive.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 10, (96, 64))
    for picture in sorted((folder / "frames").iterdir()):
        film.write(cv2.imread(str(picture)))
    film.release()
    write_color_photos(folder / "imagenet", train=4, val=2)
    write_classifier(folder / "classifier.safetensors")
    return folder


def make_known(folder: Path) -> Path:
    """Write known data sets of a few pictures, as published."""
    write_ade20k(folder)
    name = "ADEChallengeData2016"
    shutil.make_archive(str(folder / name), "zip", root_dir=folder, base_dir=name)
    write_cityscapes(folder / "cityscapes")
    write_pascal_voc(folder)
    test = folder / "cityscapes/leftImg8bit/test/bonn/bonn_000000_000019_leftImg8bit.png"
    test.parent.mkdir(parents=True)
    Image.fromarray(np.zeros((1024, 2048, 3), np.uint8)).save(test)
    return folder


def shorten_training(patch: pytest.MonkeyPatch) -> None:
    """Let every training here end after a step of a small network on small crops."""
    from segnext.classification import run as classification
    from segnext.training import run as segmentation

    start, classify = segmentation._start, classification._start

    def start_small(config: TrainConfig, *args: object, **options: object) -> object:
        network = {"model_options": SMALLEST} if config.model.startswith("segnext_") else {}
        return start(config.model_copy(update=SMALL_RUN | network), *args, **options)

    def classify_small(config: ClassifyConfig, *args: object, **options: object) -> object:
        return classify(config.model_copy(update=SMALL_CLASSIFIER), *args, **options)

    patch.setattr(segmentation, "_start", start_small)
    patch.setattr(classification, "_start", classify_small)
