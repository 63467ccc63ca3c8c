"""Cityscapes: streets of 50 cities from a car, 2048x1024 pixels, 19 classes.

    leftImg8bit
        train|val|test|train_extra
            aachen/aachen_000000_000019_leftImg8bit.png
    gtFine
        train|val|test
            aachen/aachen_000000_000019_gtFine_labelIds.png         grey: 0 unlabeled to 33 bicycle
            aachen/aachen_000000_000019_gtFine_labelTrainIds.png    not in the download, see below
    gtCoarse
        train|val|train_extra
            troisdorf/troisdorf_000000_000073_gtCoarse_labelIds.png

Folders of splits and cities may be missing: files alone in leftImg8bit and gtFine are one pool. The
archives leftImg8bit_trainvaltest.zip, gtFine_trainvaltest.zip and so on are read as they are, where
they lie together in one folder.

The masks hold label ids; 19 of the 34 are classes, the others count for nothing, and licence plates
(-1) are never drawn. `labelTrainIds`, which the publisher's scripts and MMSegmentation make, are
read only where no `labelIds` are. The test server wants label ids at full size.

2,975 pictures to train, 500 to validate, 1,525 to test, whose masks in the download hold nothing
but void: test has no masks here. `coarse: true`, or the name cityscapes_coarse, trains on the
coarse masks of train_extra (19,998) and train (2,975) and validates on the fine ones. The picture
troisdorf_000000_000073 of train_extra was damaged in old downloads; get its correction too.

Frames of one drive look alike: a picture's group is its city and sequence.

Terms: non-commercial, https://www.cityscapes-dataset.com/license/. Get the archives, with a login,
from https://www.cityscapes-dataset.com/downloads/.
"""

import re
from dataclasses import replace
from pathlib import Path

from segnext.data.containers.paths import is_folder, walk_files
from segnext.data.datasets.known_dataset import KnownDataset
from segnext.data.datasets.label_maps import read_label_map, stored_as_train_ids
from segnext.data.datasets.listed_pictures import wrong_root
from segnext.data.datasets.named_files import check_switch, has_name
from segnext.data.layout import Layout
from segnext.data.masks import FileMasks
from segnext.data.pairing import Item, keep_labelled
from segnext.data.taxonomy import Taxonomy
from segnext.errors import DataError, list_some

CLASSES = read_label_map("cityscapes")

_POOL = "all"
# City, sequence and frame name a picture.
_PHOTO = re.compile(r"(.+_\d+_\d+)_leftImg8bit\.(?:png|jpg)")
_MASK = re.compile(r"(.+_\d+_\d+)_(gtFine|gtCoarse)_label(Ids|TrainIds)\.png")
_ARCHIVES = {
    "leftImg8bit": ("leftImg8bit_trainvaltest.zip", "leftImg8bit_trainextra.zip"),
    "gtFine": ("gtFine_trainvaltest.zip",),
    "gtCoarse": ("gtCoarse.zip",),
}


def detect(root: Path) -> bool:
    """Tell whether a folder holds pictures of Cityscapes and fine masks."""
    return _has_photos(root) and bool(_places(root, "gtFine", ""))


def detect_coarse(root: Path) -> bool:
    """Tell whether a folder holds pictures of Cityscapes and no masks but coarse ones."""
    return _has_photos(root) and not detect(root) and bool(_places(root, "gtCoarse", ""))


def read(root: Path, *, coarse: bool = False) -> Layout:
    """Find pictures and masks, named by city, sequence and frame.

    Args:
        root: Folder that holds leftImg8bit and gtFine, or their archives.
        coarse: Train on the coarse masks, those of train_extra among them.

    Raises:
        DataError: Folders are missing or empty, or nothing pairs.
        UsageError: The option is neither true nor false.
    """
    check_switch("coarse", coarse)
    kind = "gtCoarse" if coarse else "gtFine"
    sources = _list_sources(root, kind)
    masks, train_ids = _find_masks(root, sources), False
    if not masks:
        masks, train_ids = _find_masks(root, sources, "TrainIds"), True
    photos = {
        split: [item for folder, _ in folders for item in _pair(root, folder, masks)]
        for split, folders in sources.items()
    }
    named = {item.name for part in photos.values() for item in part}
    if not named & set(masks):
        wanted = f"leftImg8bit/train with {kind}/train, of files such as *_{kind}_labelIds.png"
        raise wrong_root(root, wanted, CITYSCAPES.obtain)
    layout = Layout(f"leftImg8bit + {kind}")
    alone = sorted(set(masks) - named)
    if alone:
        layout.notes.append(f"{kind}: {len(alone)} masks without an image: {list_some(alone)}")
    for split, items in photos.items():
        if split == _POOL:
            layout.pool = keep_labelled(items, split, layout.notes)
        elif items:
            layout.splits[split] = keep_labelled(items, split, layout.notes)
    if train_ids:
        layout.notes.append("masks: labelTrainIds, since there are no labelIds")
    classes = stored_as_train_ids(CLASSES) if train_ids else CLASSES
    layout.masks = FileMasks("ids", Taxonomy(classes, has_colors=True))
    return layout


# Folder of pictures and kind of masks, of all that make a split; no masks for test.
_Sources = dict[str, list[tuple[str, str]]]


def _list_sources(root: Path, kind: str) -> _Sources:
    if not any(_places(root, "leftImg8bit", split) for split in ("train", "train_extra", "val")):
        return {_POOL: [("", kind)]}
    fine_val = bool(_places(root, "gtFine", "val"))
    train = [("train_extra", kind), ("train", kind)] if kind == "gtCoarse" else [("train", kind)]
    return {
        "train": train,
        "val": [("val", "gtFine" if fine_val else kind)],
        "test": [("test", "")],
    }


def _has_photos(root: Path) -> bool:
    name = r".+_\d{6}_\d{6}_leftImg8bit\.(png|jpg)"
    return any(has_name(place, name) for place in _places(root, "leftImg8bit", ""))


def _places(root: Path, kind: str, split: str) -> list[Path]:
    """Return the folders of one kind of files, those in archives among them."""
    parents = [root, *(root / archive for archive in _ARCHIVES[kind])]
    return [parent / kind / split for parent in parents if is_folder(parent / kind / split)]


def _find_masks(root: Path, sources: _Sources, ids: str = "Ids") -> dict[str, Path]:
    """Return the masks of label ids, or of train ids, by the name of their picture."""
    found: dict[str, Path] = {}
    for split, kind in (source for folders in sources.values() for source in folders):
        for place in _places(root, kind, split) if kind else ():
            for path in walk_files(place):
                match = _MASK.fullmatch(path.name)
                if match and match[2] == kind and match[3] == ids:
                    _put(found, match[1], path)
    return found


def _pair(root: Path, split: str, masks: dict[str, Path]) -> list[Item]:
    photos: dict[str, Path] = {}
    for path in (
        path for place in _places(root, "leftImg8bit", split) for path in walk_files(place)
    ):
        match = _PHOTO.fullmatch(path.name)
        if match:
            _put(photos, match[1], path)
    return [
        Item(name, path, masks.get(name), name.rpartition("_")[0])
        for name, path in sorted(photos.items())
    ]


def _put(found: dict[str, Path], name: str, path: Path) -> None:
    if name in found:
        msg = f"{found[name]} and {path} are both of {name}; keep one of them"
        raise DataError(msg)
    found[name] = path


def _read_coarse(root: Path, *, coarse: bool = True) -> Layout:
    return read(root, coarse=coarse)


CITYSCAPES = KnownDataset(
    name="cityscapes",
    title="Cityscapes",
    classes=CLASSES,
    counts={"train": (2_975, 22_973), "val": 500, "test": 1_525},
    license="non-commercial, https://www.cityscapes-dataset.com/license/",
    obtain=(
        "leftImg8bit_trainvaltest.zip and gtFine_trainvaltest.zip, with a login, from "
        "https://www.cityscapes-dataset.com/downloads/"
    ),
    detect=detect,
    read=read,
    zero="void",
)

CITYSCAPES_COARSE = replace(
    CITYSCAPES,
    name="cityscapes_coarse",
    title="Cityscapes with coarse masks",
    counts={"train": 22_973, "val": 500, "test": 1_525},
    obtain=(
        "leftImg8bit_trainextra.zip, leftImg8bit_trainvaltest.zip, gtCoarse.zip and "
        "gtFine_trainvaltest.zip, with a login, from https://www.cityscapes-dataset.com/downloads/"
    ),
    detect=detect_coarse,
    read=_read_coarse,
)
