"""LoveDA: Chinese towns and villages from above, 0.3 m a pixel, 1024x1024 pixels, 7 classes.

As published:

    Train|Val|Test
        Urban|Rural
            images_png/0.png
            masks_png/0.png     grey: 0 no data (ignored), 1 background to 7 agricultural

As MMSegmentation prepares it, both domains in one folder:

    img_dir/train|val|test/0.png
    ann_dir/train|val/0.png

2,522 pictures to train, 1,669 to validate, 1,796 without labels, whose masks a server scores; it
wants ids 0 to 6. Licence: CC BY-NC-SA 4.0. Get `Train.zip`, `Val.zip` and `Test.zip` from
https://zenodo.org/records/5706578 and unpack them into one folder.
"""

from pathlib import Path

from segnext.data.containers.paths import is_folder
from segnext.data.datasets.known_dataset import KnownDataset
from segnext.data.datasets.label_maps import read_label_map
from segnext.data.datasets.named_files import (
    check_choice,
    has_prepared_folders,
    pair_by_name,
    read_prepared,
)
from segnext.data.layout import Layout
from segnext.data.masks import FileMasks
from segnext.data.pairing import Item, keep_labelled
from segnext.data.taxonomy import Taxonomy
from segnext.errors import DataError, UsageError

CLASSES = read_label_map("loveda")

_SPLITS = {"train": "Train", "val": "Val", "test": "Test"}
_DOMAINS = {"urban": ("Urban",), "rural": ("Rural",), "both": ("Urban", "Rural")}


def detect(root: Path) -> bool:
    """Tell whether a folder holds LoveDA as published, or as prepared under its own name."""
    published = any(
        is_folder(root / split / domain / "images_png")
        for split in _SPLITS.values()
        for domain in _DOMAINS["both"]
    )
    # Prepared files are called 0.png and so on, which says nothing.
    return published or (root.stem.lower() == "loveda" and has_prepared_folders(root))


def read(root: Path, *, domain: str = "both") -> Layout:
    """Find pictures and masks, named by their number, which is unique over both domains.

    Args:
        root: Folder or archive.
        domain: `urban`, `rural` or `both`.

    Raises:
        DataError: Folders are missing or empty, or a picture is there twice.
        UsageError: The domain is none of these, or the prepared form cannot tell it.
    """
    check_choice("domain", domain, tuple(_DOMAINS))
    masks = FileMasks("ids", Taxonomy(CLASSES, has_colors=True))
    if has_prepared_folders(root):
        if domain != "both":
            msg = (
                f"{root}: img_dir holds both domains in one folder; domain={domain} needs the "
                f"folders as published, Train/{_DOMAINS[domain][0]}/images_png and so on"
            )
            raise UsageError(msg)
        layout = read_prepared(root, str)
        layout.masks = masks
        return layout
    layout = Layout("Train/Urban/images_png + masks_png, and so on", masks=masks)
    for split, folder in _SPLITS.items():
        items: dict[str, Item] = {}
        for place in _DOMAINS[domain]:
            photos = root / folder / place / "images_png"
            if not is_folder(photos):
                continue
            labels = photos.with_name("masks_png")
            for item in pair_by_name(photos, labels, str, "", layout.notes):
                if item.name in items:
                    msg = (
                        f"{items[item.name].image_path} and {item.image_path} have one number; "
                        f"numbers are unique in LoveDA, unpack its archives again"
                    )
                    raise DataError(msg)
                items[item.name] = item
        if items:
            ordered = [items[name] for name in sorted(items)]
            layout.splits[split] = keep_labelled(ordered, split, layout.notes)
    if not layout.splits:
        places = " or ".join(_DOMAINS[domain])
        msg = f"{root}: no Train, Val or Test with {places}/images_png; unpack LoveDA's archives"
        raise DataError(msg)
    return layout


LOVEDA = KnownDataset(
    name="loveda",
    title="LoveDA",
    classes=CLASSES,
    counts={"train": 2522, "val": 1669, "test": 1796},
    license="CC BY-NC-SA 4.0",
    obtain=(
        "Train.zip, Val.zip and Test.zip from https://zenodo.org/records/5706578, unpacked into "
        "one folder"
    ),
    detect=detect,
    read=read,
    zero="void",
)
