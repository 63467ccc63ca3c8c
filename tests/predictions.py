"""Known data sets of a few pictures, and masks as `segnext predict` writes them for them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pictures import ids, save_picture
from segnext.data.datasets.registry import DATASETS
from segnext.drawing import write_mask_png

FULL_SIZE = (1024, 2048)


def write_ade20k(root: Path, count: int = 3) -> Path:
    """Write pictures to test, 30x20, beside those to train and validate that make it ADE20K."""
    for name in ("training/ADE_train_00000001", "validation/ADE_val_00000001"):
        save_picture(root / f"images/{name}.jpg")
        save_picture(root / f"annotations/{name}.png", ids(0, 1, 150))
    for number in range(1, count + 1):
        save_picture(root / f"release_test/testing/ADE_test_{number:08}.jpg")
    return root


def write_cityscapes(root: Path, *frames: str) -> Path:
    """Write pictures to test at full size, named as in `berlin_000000_000019`."""
    photo = np.zeros((*FULL_SIZE, 3), np.uint8)
    for name in ("train/aachen/aachen_000000_000019", "val/lindau/lindau_000000_000019"):
        save_picture(root / f"leftImg8bit/{name}_leftImg8bit.png")
        save_picture(root / f"gtFine/{name}_gtFine_labelIds.png", ids(0, 7, 33))
    for frame in frames:
        city = frame.split("_")[0]
        save_picture(root / f"leftImg8bit/test/{city}/{frame}_leftImg8bit.png", photo)
    return root


def write_voc(root: Path, *names: str) -> Path:
    """Write pictures to test, 30x20, in VOC2012."""
    base = root / "VOC2012"
    lists = {"train": ["2011_000001"], "val": ["2011_000002"], "test": names}
    for split, members in lists.items():
        path = base / f"ImageSets/Segmentation/{split}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(members) + "\n")
        for name in members:
            save_picture(base / f"JPEGImages/{name}.jpg")
            if split != "test":
                save_picture(base / f"SegmentationClass/{name}.png", ids(0, 15, 255))
    return root


def write_loveda(root: Path, *numbers: int) -> Path:
    """Write pictures to test, 1024x1024."""
    for number in numbers:
        photo = np.zeros((1024, 1024, 3), np.uint8)
        save_picture(root / f"Test/Urban/images_png/{number}.png", photo)
    return root


def write_potsdam(root: Path, *tiles: str) -> Path:
    """Write whole tiles, 30x20, with labels that are white throughout."""
    for tile in ("2_10", *tiles):
        save_picture(root / f"2_Ortho_RGB/top_potsdam_{tile}_RGB.tif")
        white = np.full((20, 30, 3), 255, np.uint8)
        save_picture(root / f"5_Labels_all/top_potsdam_{tile}_label.tif", white)
    return root


def write_vaihingen(root: Path, *areas: str) -> Path:
    """Write whole areas, 30x20, with labels that are white throughout."""
    for area in ("area1", *areas):
        save_picture(root / f"top/top_mosaic_09cm_{area}.tif")
        white = np.full((20, 30, 3), 255, np.uint8)
        save_picture(root / f"gts_for_participants/top_mosaic_09cm_{area}.tif", white)
    return root


def write_predictions(
    out: Path,
    dataset: str,
    stems: Sequence[str],
    mask: npt.NDArray[Any] | None = None,
    *,
    names: Sequence[str] | None = None,
) -> Path:
    """Write `masks/STEM.png` and areas.json as `segnext predict` does.

    Args:
        out: Folder.
        dataset: Whose classes the masks show.
        stems: Of the pictures, with folders where `segnext predict` would keep them.
        mask: Train ids of each; the first and the last class, 30x20, if not given.
        names: Of the model's classes, if not those of the data set.
    """
    classes = DATASETS[dataset].classes
    mask = ids(0, classes.num_labels - 1) if mask is None else mask
    for stem in stems:
        write_mask_png(out / "masks" / f"{stem}.png", mask, classes)
    labels = {name: {"pixels": 1, "share": 0.1} for name in names or classes.label_names}
    areas = {"made": {}, "images": dict.fromkeys(stems, labels)}
    (out / "areas.json").write_text(json.dumps(areas))
    return out
