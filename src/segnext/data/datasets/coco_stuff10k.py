"""COCO-Stuff 10k, version 1.1: 171 things and materials in 10,000 pictures of COCO 2014.

    images/COCO_train2014_000000000077.jpg
    annotations/COCO_train2014_000000000077.mat     array S: 0 unlabeled, 1 person to 182 wood
    imageLists/train.txt, test.txt

or as MMSegmentation makes it, with 0 unlabeled and 1 to 171:

    images/train2014|test2014/COCO_train2014_000000000077.jpg
    annotations/train2014|test2014/COCO_train2014_000000000077_labelTrainIds.png

9,000 pictures to train; the 1,000 of the test list, which have masks, are val here. The .mat files
are read as they are, but slowly: `segnext data prepare coco_stuff10k` writes them as PNG.

Raw ids are one more than those of the 164k edition, with the same 11 that occur in no picture.
Submission ids are the raw ids.

Masks: CC BY 4.0; pictures: terms of Flickr. Get cocostuff-10k-v1.1.zip from
https://github.com/nightrome/cocostuff10k; it is read unpacked or as it is.
"""

from pathlib import Path

from segnext.data.containers.paths import is_file, is_folder
from segnext.data.datasets.known_dataset import KnownDataset
from segnext.data.datasets.label_maps import read_label_map, stored_as_train_ids
from segnext.data.datasets.listed_pictures import list_items, read_ids, wrong_root
from segnext.data.datasets.mat_masks import (
    MatMasks,
    note_slow_masks,
    plan_conversion,
    scan_mats,
)
from segnext.data.datasets.named_files import has_name, pair_by_name
from segnext.data.layout import Layout
from segnext.data.masks import FileMasks
from segnext.data.pairing import keep_labelled, scan_pictures
from segnext.data.preparation import Task
from segnext.data.taxonomy import Taxonomy

CLASSES = read_label_map("coco_stuff10k")

_FIELDS = ("S",)
_LISTS = {"train": "train.txt", "val": "test.txt"}
_FOLDERS = {"train": "train2014", "val": "test2014"}
_TRAIN_IDS = "_labelTrainIds"
_MADE = "annotations_png"


def detect(root: Path) -> bool:
    """Tell whether a folder holds the masks of the 10k edition; their names are its own."""
    name = rf"COCO_train2014_\d{{12}}(\.mat|{_TRAIN_IDS}\.png)"
    return is_folder(root / "images") and has_name(root / "annotations", name)


def read(root: Path, *, prepared: str | None = None) -> Layout:
    """Find pictures and masks.

    Args:
        root: Folder or archive.
        prepared: Folder that `segnext data prepare` wrote masks to, if not the root.

    Raises:
        DataError: Folders or lists are missing or empty, or nothing pairs.
    """
    if is_folder(root / "annotations" / "train2014"):
        return _read_converted(root)
    lists = {split: root / "imageLists" / name for split, name in _LISTS.items()}
    if not is_folder(root / "images") or not all(is_file(path) for path in lists.values()):
        wanted = "images, annotations, imageLists/train.txt and imageLists/test.txt"
        raise wrong_root(root, wanted, COCO_STUFF_10K.obtain)
    layout = Layout("images + annotations with imageLists/train.txt and test.txt")
    made, photos = Path(prepared or root) / _MADE, scan_pictures(root / "images")
    pictures = scan_pictures(made) if is_folder(made) else {}
    masks = [pictures, scan_mats(root / "annotations") if is_folder(root / "annotations") else {}]
    for split, path in lists.items():
        items = list_items(read_ids(path), photos, masks, split, layout.notes)
        layout.splits[split] = keep_labelled(items, split, layout.notes)
    if not any(item.mask_path for part in layout.splits.values() for item in part):
        wanted = "picture of imageLists in images with its mask in annotations"
        raise wrong_root(root, wanted, COCO_STUFF_10K.obtain)
    note_slow_masks(layout, COCO_STUFF_10K.name)
    layout.masks = MatMasks(FileMasks("ids", Taxonomy(CLASSES, has_colors=True)), _FIELDS)
    return layout


def plan(root: Path) -> list[Task]:
    """Plan the conversion of masks to PNG; nothing where MMSegmentation's are there.

    Raises:
        DataError: As for `read`.
    """
    layout = read(root)
    items = [item for part in layout.splits.values() for item in part]
    return plan_conversion(items, _MADE, _FIELDS)


def _read_converted(root: Path) -> Layout:
    layout = Layout("images/train2014 + annotations/train2014, and so on")
    for split, folder in _FOLDERS.items():
        photos, masks = root / "images" / folder, root / "annotations" / folder
        if is_folder(photos):
            items = pair_by_name(photos, masks, str, _TRAIN_IDS, layout.notes)
            layout.splits[split] = keep_labelled(items, split, layout.notes)
    if not layout.splits:
        raise wrong_root(root, "images/train2014", COCO_STUFF_10K.obtain)
    classes = stored_as_train_ids(CLASSES, first=1)
    layout.masks = FileMasks("ids", Taxonomy(classes, has_colors=True))
    return layout


COCO_STUFF_10K = KnownDataset(
    name="coco_stuff10k",
    title="COCO-Stuff 10k",
    classes=CLASSES,
    counts={"train": 9_000, "val": 1_000},
    license="masks CC BY 4.0, pictures by the terms of Flickr",
    obtain="cocostuff-10k-v1.1.zip from https://github.com/nightrome/cocostuff10k",
    detect=detect,
    read=read,
    make_tasks=plan,
    zero="void",
)
