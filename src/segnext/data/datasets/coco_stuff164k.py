"""COCO-Stuff 164k: 171 things and materials in all pictures of COCO 2017.

    images                      or train2017 and val2017 alone, or train2017.zip and val2017.zip
        train2017|val2017/000000000139.jpg
    annotations                 or stuffthingmaps, or stuffthingmaps_trainval2017.zip
        train2017|val2017/000000000139.png                  grey: 0 person to 181 wood,
                                                            255 unlabeled (ignored)
        train2017|val2017/000000000139_labelTrainIds.png    as MMSegmentation makes it: 0 to 170

118,287 pictures to train, 5,000 to validate. Of the 182 ids, 11 occur in no picture (street sign,
hat, shoe and so on) and are no classes. Masks of train ids are read only where no others are. The
test server is closed; submission ids are the raw ids. Colours are MMSegmentation's, some of them
given twice.

Masks: CC BY 4.0; pictures: terms of Flickr. Get the pictures from https://cocodataset.org and
stuffthingmaps_trainval2017.zip from https://github.com/nightrome/cocostuff.
"""

from pathlib import Path

from segnext.data.datasets.known_dataset import KnownDataset
from segnext.data.datasets.label_maps import read_label_map, stored_as_train_ids
from segnext.data.datasets.listed_pictures import find_first, list_items, wrong_root
from segnext.data.datasets.named_files import has_name
from segnext.data.layout import Layout
from segnext.data.masks import FileMasks
from segnext.data.pairing import keep_labelled, scan_pictures
from segnext.data.taxonomy import Taxonomy

CLASSES = read_label_map("coco_stuff164k")

_FOLDERS = {"train": "train2017", "val": "val2017"}
_MASKS = ("annotations", "stuffthingmaps", "stuffthingmaps_trainval2017.zip")
_TRAIN_IDS = "_labelTrainIds"


def detect(root: Path) -> bool:
    """Tell whether a folder holds pictures of COCO 2017 and masks of their names."""
    return any(
        has_name(masks, rf"\d{{12}}({_TRAIN_IDS})?\.png") and has_name(photos, r"\d{12}\.jpg")
        for folder in _FOLDERS.values()
        if (masks := _find_masks(root, folder)) and (photos := _find_photos(root, folder))
    )


def read(root: Path) -> Layout:
    """Find pictures and masks.

    Args:
        root: Folder or archive.

    Raises:
        DataError: Folders are missing or empty, or nothing pairs.
    """
    photos: dict[str, dict[str, Path]] = {}
    masks: dict[str, dict[str, Path]] = {}
    for split, folder in _FOLDERS.items():
        pictures, labels = _find_photos(root, folder), _find_masks(root, folder)
        if pictures and labels:
            photos[split], masks[split] = scan_pictures(pictures), scan_pictures(labels)
    chosen = {split: _of_kind(found, train_ids=False) for split, found in masks.items()}
    train_ids = not any(chosen.values())
    if train_ids:
        chosen = {split: _of_kind(found, train_ids=True) for split, found in masks.items()}
    if not any(set(photos[split]) & set(chosen[split]) for split in photos):
        wanted = "images/train2017 with masks of their names in annotations/train2017"
        raise wrong_root(root, wanted, COCO_STUFF_164K.obtain)
    layout = Layout("images/train2017 + annotations/train2017, and so on")
    for split, found in photos.items():
        items = list_items(found, found, [chosen[split]], split, layout.notes)
        layout.splits[split] = keep_labelled(items, split, layout.notes)
    if train_ids:
        layout.notes.append("masks: labelTrainIds, since there are no others")
    classes = stored_as_train_ids(CLASSES) if train_ids else CLASSES
    layout.masks = FileMasks("ids", Taxonomy(classes, has_colors=True))
    return layout


def _find_photos(root: Path, folder: str) -> Path | None:
    archive = f"{folder}.zip"
    places = (root / "images", root, root / "images" / archive, root / archive)
    return find_first(place / folder for place in places)


def _find_masks(root: Path, folder: str) -> Path | None:
    return find_first(root / place / folder for place in _MASKS)


def _of_kind(masks: dict[str, Path], *, train_ids: bool) -> dict[str, Path]:
    """Return the masks of train ids, or those of raw ids, by the name of their picture."""
    return {
        name.removesuffix(_TRAIN_IDS): path
        for name, path in masks.items()
        if name.endswith(_TRAIN_IDS) == train_ids
    }


COCO_STUFF_164K = KnownDataset(
    name="coco_stuff164k",
    title="COCO-Stuff 164k",
    classes=CLASSES,
    counts={"train": 118_287, "val": 5_000},
    license="masks CC BY 4.0, pictures by the terms of Flickr",
    obtain=(
        "train2017.zip and val2017.zip from https://cocodataset.org and "
        "stuffthingmaps_trainval2017.zip from https://github.com/nightrome/cocostuff"
    ),
    detect=detect,
    read=read,
)
