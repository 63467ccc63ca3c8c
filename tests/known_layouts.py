"""Known data sets of a few pictures, in the layouts that their publishers and tools give them."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile
from scipy.io import savemat

from pictures import save_picture
from segnext.data.datasets.isprs import PALETTE
from segnext.data.datasets.registry import DATASETS
from segnext.submissions.pictures import VOC_PALETTE

HEIGHT, WIDTH = 80, 96
TRAIN = 3


def photo(seed: int) -> npt.NDArray[np.uint8]:
    """Return a picture (80, 96, 3) of noise."""
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def raw_mask(name: str, seed: int) -> npt.NDArray[np.uint8]:
    """Return a mask (80, 96) of the data set's raw ids, in blocks of 16 px, ignored ones too."""
    classes = DATASETS[name].classes
    values = [raw for raw, _ in classes.raw_to_train] or [*range(classes.num_labels)]
    blocks = np.random.default_rng(seed).choice(values, (HEIGHT // 16, WIDTH // 16))
    return blocks.repeat(16, 0).repeat(16, 1).astype(np.uint8)


def _save_pairs(root: Path, name: str, pairs: Sequence[tuple[str, str]]) -> None:
    for seed, (image, mask) in enumerate(pairs):
        save_picture(root / image, photo(seed))
        save_picture(root / mask, raw_mask(name, seed))


def _write_lists(folder: Path, lists: dict[str, Sequence[str]]) -> None:
    folder.mkdir(parents=True)
    for split, names in lists.items():
        (folder / f"{split}.txt").write_text("".join(f"{name}\n" for name in names))


def write_ade20k(root: Path) -> Path:
    """Write ADEChallengeData2016."""
    names = [f"training/ADE_train_{number:08}" for number in range(1, TRAIN + 1)]
    names.append("validation/ADE_val_00000001")
    pairs = [(f"images/{name}.jpg", f"annotations/{name}.png") for name in names]
    _save_pairs(root / "ADEChallengeData2016", "ade20k", pairs)
    return root / "ADEChallengeData2016"


def write_ade20k_archive(root: Path) -> Path:
    """Write ADEChallengeData2016, and the archive of it that is published."""
    folder = write_ade20k(root)
    return Path(shutil.make_archive(str(folder), "zip", root_dir=root, base_dir=folder.name))


def write_cityscapes(root: Path) -> Path:
    """Write leftImg8bit and gtFine."""
    names = [f"train/aachen/aachen_{number:06}_000019" for number in range(TRAIN)]
    names.append("val/lindau/lindau_000000_000019")
    ends = "_leftImg8bit.png", "_gtFine_labelIds.png"
    pairs = [(f"leftImg8bit/{name}{ends[0]}", f"gtFine/{name}{ends[1]}") for name in names]
    _save_pairs(root, "cityscapes", pairs)
    return root


def write_coco_stuff164k(root: Path) -> Path:
    """Write the pictures of COCO 2017 and stuffthingmaps."""
    names = [f"train2017/{number:012}" for number in (9, 25, 30)]
    names.append("val2017/000000000139")
    pairs = [(f"images/{name}.jpg", f"stuffthingmaps/{name}.png") for name in names]
    _save_pairs(root, "coco_stuff164k", pairs)
    return root


def write_pascal_voc(root: Path) -> Path:
    """Write VOC2012, whose trainaug has one picture more than train, with a mask of SBD."""
    base = root / "VOCdevkit" / "VOC2012"
    train, val, further = ["2007_000032", "2011_000006"], ["2007_000033"], ["2008_000002"]
    for seed, name in enumerate([*train, *val, *further]):
        save_picture(base / f"JPEGImages/{name}.jpg", photo(seed))
        mask = raw_mask("pascal_voc", seed)
        folder = "SegmentationClassAug" if name in further else "SegmentationClass"
        _save_palette_mask(base / folder / f"{name}.png", mask)
    lists = {"train": train, "val": val, "trainval": [*train, *val], "aug": further}
    _write_lists(base / "ImageSets/Segmentation", lists)
    return root / "VOCdevkit"


def _save_palette_mask(path: Path, mask: npt.NDArray[Any]) -> None:
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    page = Image.fromarray(mask)
    page.putpalette(VOC_PALETTE.tobytes())
    page.save(path)


def write_pascal_context(root: Path) -> Path:
    """Write VOC2010 with the masks that MMSegmentation's converter makes."""
    base = root / "VOC2010"
    train, val = ["2008_000002", "2008_000003", "2010_000003"], ["2008_000007"]
    pairs = [
        (f"JPEGImages/{name}.jpg", f"SegmentationClassContext/{name}.png") for name in train + val
    ]
    _save_pairs(base, "pascal_context", pairs)
    _write_lists(base / "ImageSets/SegmentationContext", {"train": train, "val": val})
    return base


def write_sbd(folder: Path) -> Path:
    """Write SBD with a picture that VOC's trainaug takes from it, and one of VOC's val."""
    for name in ("2008_000002", "2007_000033"):
        (folder / "cls").mkdir(parents=True, exist_ok=True)
        mask = raw_mask("pascal_voc", 0)
        savemat(folder / f"cls/{name}.mat", {"GTcls": {"Segmentation": mask}})
    (folder / "train.txt").write_text("2008_000002\n")
    (folder / "val.txt").write_text("2007_000033\n")
    return folder


def write_isaid_pictures(root: Path, *, nested: bool = False) -> Path:
    """Write whole pictures (20, 30) as published, P1527 among them."""
    photos = "images/images" if nested else "images"
    masks = "Semantic_masks/images" if nested else "images"
    colors = np.array(DATASETS["isaid"].classes.colors, np.uint8)
    generator = np.random.default_rng(7)
    for split, name in (("train", "P0002"), ("train", "P1527"), ("val", "P0003")):
        picture = generator.integers(0, 256, (20, 30, 3), dtype=np.uint8)
        save_picture(root / split / photos / f"{name}.png", picture)
        mask = colors[np.arange(600).reshape(20, 30) % 16]
        save_picture(root / split / masks / f"{name}_instance_color_RGB.png", mask)
        save_picture(root / split / masks / f"{name}_instance_id_RGB.png", picture)
    save_picture(root / "test" / photos / "P0006.png")
    return root


def write_potsdam(root: Path, *tiles: str, bands: str = "RGB") -> Path:
    """Write whole tiles (20, 30) of Potsdam, with both of their labels."""
    colors = np.array(PALETTE, np.uint8)
    generator = np.random.default_rng(5)
    for tile in tiles:
        labels = generator.integers(0, 7, (20, 30))
        picture = generator.integers(0, 256, (20, 30, 3), dtype=np.uint8)
        full = "5_Labels_all/top_potsdam_{}_label.tif"
        eroded = "5_Labels_all_noBoundary/top_potsdam_{}_label_noBoundary.tif"
        _save_tif(root / f"2_Ortho_{bands}/top_potsdam_{tile}_{bands}.tif", picture)
        _save_tif(root / full.format(tile), colors[np.maximum(labels, 1)])
        _save_tif(root / eroded.format(tile), colors[labels])
    return root


def _save_tif(path: Path, pixels: npt.NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, pixels, photometric="rgb")


def write_isaid(root: Path) -> Path:
    """Write patches as `segnext data prepare isaid` and MMSegmentation cut them."""
    names = [f"train/P000{number}_0_{HEIGHT}_0_{WIDTH}" for number in range(TRAIN)]
    names.append(f"val/P0003_0_{HEIGHT}_0_{WIDTH}")
    pairs = [(f"img_dir/{name}.png", f"ann_dir/{name}_instance_color_RGB.png") for name in names]
    _save_pairs(root, "isaid", pairs)
    return root


WRITERS: dict[str, Callable[[Path], Path]] = {
    "ade20k": write_ade20k,
    "cityscapes": write_cityscapes,
    "coco_stuff164k": write_coco_stuff164k,
    "pascal_voc": write_pascal_voc,
    "pascal_context": write_pascal_context,
    "isaid": write_isaid,
}
