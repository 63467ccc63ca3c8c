"""The files that the pages' code finds: what they call photos, weights, data sets and runs."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

import segnext
from class_photos import SMALLEST, write_classifier, write_color_photos
from known_layouts import (
    write_ade20k_archive,
    write_cityscapes,
    write_isaid_pictures,
    write_pascal_voc,
    write_potsdam,
    write_sbd,
)
from raster_files import noise, write_raster, write_squares
from segnext.benchmark.cases import Case
from segnext.classification.config import ClassifyConfig
from segnext.compare import measuring
from segnext.data.datasets.known_dataset import KnownDataset
from segnext.data.datasets.registry import DATASETS
from segnext.data.synthetic import write_scenes
from segnext.inference.backends import AUTO
from segnext.models import create_model
from segnext.training.config import TrainConfig
from segnext.weights import describe_model, save_model

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
    for name in ("best", "w", "old", "new"):
        shutil.copy(weights, folder / f"{name}.safetensors")
    np.zeros((2048, 1024, 3), np.uint8).tofile(folder / "map.raw")
    film = cv2.VideoWriter(str(folder / "drive.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 10, (96, 64))
    for picture in sorted((folder / "frames").iterdir()):
        film.write(cv2.imread(str(picture)))
    film.release()
    shutil.copy(folder / "drive.mp4", folder / "stream.mp4")
    _write_drives(folder / "drives", sorted((folder / "roads" / "train").glob("images/*")))
    photos = sorted((folder / "photos").iterdir())
    (folder / "list.txt").write_text("".join(f"{photo}\n" for photo in photos))
    for name in ("ortho", "scenes/north", "scenes/south"):
        write_raster(folder / f"{name}.tif", noise(304, 424, 4), nodata=0)
    write_squares(folder / "fields.gpkg", 304, 424)
    write_color_photos(folder / "imagenet", train=4, val=2)
    write_classifier(folder / "classifier.safetensors")
    (folder / "shared").mkdir()
    shutil.copy(weights, folder / "shared" / "best.safetensors")
    shutil.copytree(folder / "photos", folder / "shared" / "photos")
    return folder


def _write_drives(folder: Path, pictures: Sequence[Path]) -> None:
    """Write sequences of a picture each, in one folder."""
    for number, picture in enumerate(2 * pictures):
        mask = picture.parents[1] / "masks" / picture.name
        for kind, path in (("images", picture), ("masks", mask)):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder / kind / f"seq{number}_000.png")
    shutil.copy(picture.parents[2] / "classes.txt", folder)


def make_run(folder: Path) -> None:
    """Train to runs/roads, for as long as `shorten` lets it."""
    segnext.train(folder / "roads", out=folder / "runs" / "roads", init="none", report=False)


def make_known(folder: Path) -> Path:
    """Write known data sets of a few pictures, as published."""
    write_ade20k_archive(folder)
    write_cityscapes(folder / "cityscapes")
    write_sbd(write_pascal_voc(folder).parent / "benchmark_RELEASE" / "dataset")
    write_isaid_pictures(folder / "iSAID")
    write_potsdam(folder / "Potsdam", "2_10", "2_13")
    test = folder / "cityscapes/leftImg8bit/test/bonn/bonn_000000_000019_leftImg8bit.png"
    test.parent.mkdir(parents=True)
    Image.fromarray(np.zeros((1024, 2048, 3), np.uint8)).save(test)
    for name in ("cityscapes", "isaid"):
        classes = DATASETS[name].classes
        model = create_model("segnext_tiny", num_classes=classes.num_classes, **SMALLEST)
        save_model(model, folder / f"{name}.safetensors", describe_model(model, classes))
    model = create_model("segnext_tiny", num_classes=150)
    name = "segnext_mscan-t_1x16_512x512_adamw_160k_ade20k.pth"
    torch.save({"state_dict": model.state_dict()}, folder / name)
    shutil.copy(folder / name, folder / "segnext_tiny_ade20k.pth")
    return folder


def shorten(patch: pytest.MonkeyPatch) -> None:
    """Let what takes long be short in this process.

    A training ends after a step of a small network on small crops, a comparison times small
    pictures once and converts only its first network, and data sets may be incomplete.
    """
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
    measure = measuring.run_benchmark

    def cheap(case: Case, first: Case) -> str:
        return "folded" if case.backend == AUTO and case.subject != first.subject else case.backend

    def measure_once(cases: Sequence[Case], **options: Any) -> object:
        small = [replace(case, size=(64, 64), backend=cheap(case, cases[0])) for case in cases]
        return measure(small, **options | {"rounds": 1, "memory": False})

    patch.setattr(measuring, "run_benchmark", measure_once)
    patch.setattr(KnownDataset, "allowed_counts", lambda _self, _split: ())
