"""Pascal Context: the pictures of VOC 2010 with 59 things and materials, and background.

    VOC2010                                 or the VOCdevkit that holds it
        JPEGImages/2008_000002.jpg
        ImageSets/SegmentationContext/train.txt, val.txt
        SegmentationClassContext/2008_000002.png    grey: 0 background, 1 aeroplane to 59 wood

as MMSegmentation makes it; or instead of the last two, in VOC2010 or beside it, one of

    trainval/2008_000002.mat                the publisher's: array LabelMap of 459 labels
    trainval/labels.txt                     lines such as `2: aeroplane`; may lie beside trainval
    trainval_merged.json                    PASCAL in Detail's

The publisher's masks are split by ImageSets/Main/train.txt and val.txt: 4,998 pictures to train and
5,105 to validate. trainval_merged.json has 4,996 and 5,104, which are the numbers of papers. The 59
frequent labels become 1 to 59 in the order of the alphabet, all others 0. Both sources are read as
they are, but slowly: `segnext data prepare pascal_context` writes PNG.

pascal_context counts background as a class: 60. pascal_context59 ignores it: 59. Colours are
MMSegmentation's.

Terms: pictures by those of Flickr. Get VOCtrainval_03-May-2010.tar from
http://host.robots.ox.ac.uk/pascal/VOC/voc2010/ and trainval.tar.gz from
https://cs.stanford.edu/~roozbeh/pascal-context/.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from segnext.classes import Classes
from segnext.data.containers.paths import is_file, is_folder, read_text
from segnext.data.datasets.detail_json import DetailMasks, convert_picture, read_detail
from segnext.data.datasets.known_dataset import KnownDataset
from segnext.data.datasets.label_maps import read_label_map
from segnext.data.datasets.listed_pictures import (
    find_first,
    list_items,
    read_ids,
    write_ids,
    wrong_root,
)
from segnext.data.datasets.mat_masks import (
    MatMasks,
    RawIds,
    note_slow_masks,
    plan_conversion,
    scan_mats,
)
from segnext.data.layout import Layout
from segnext.data.masks import FileMasks
from segnext.data.pairing import keep_labelled, scan_pictures
from segnext.data.preparation import Task
from segnext.data.taxonomy import Taxonomy
from segnext.errors import DataError

CLASSES = read_label_map("pascal_context")
CLASSES_59 = read_label_map("pascal_context59")

# The publisher's number of each of the 59 labels, in the order of the alphabet.
_IDS = (
    *(2, 9, 18, 19, 22, 23, 25, 31, 33, 34, 44, 45, 46, 59, 65, 68, 72, 80, 85, 98, 104, 105, 113),
    *(115, 144, 158, 159, 162, 187, 189, 207, 220, 232, 258, 259, 260, 284, 295, 296, 308, 324),
    *(326, 347, 349, 354, 355, 360, 366, 368, 397, 415, 416, 420, 424, 427, 440, 445, 454, 458),
)
_MOST_ID = 65_535
_FIELDS = ("LabelMap",)
_MADE = "SegmentationClassContext"
_LISTS = Path("ImageSets/SegmentationContext")
_SPLITS = ("train", "val")


def detect(root: Path) -> bool:
    """Tell whether a folder holds VOC 2010 with masks of Pascal Context."""
    base = _base(root)
    return is_folder(base / "JPEGImages") and _find_source(root) is not None


def read(root: Path, *, prepared: str | None = None) -> Layout:
    """Find pictures and masks, with background as a class.

    Args:
        root: Folder or archive, which is VOC2010 or holds it.
        prepared: Folder that `segnext data prepare` wrote masks to, if not the root.

    Raises:
        DataError: Folders or lists are missing or empty, nothing pairs, or labels.txt lacks one of
            the 59.
    """
    return _read(root, prepared, CLASSES)


def read_59(root: Path, *, prepared: str | None = None) -> Layout:
    """Find pictures and masks, with background ignored; as `read`."""
    return _read(root, prepared, CLASSES_59)


def plan(root: Path) -> list[Task]:
    """Plan the masks as PNG, and the lists of both splits; nothing where they are there.

    Raises:
        DataError: As for `read`.
    """
    layout = read(root)
    items = [item for part in layout.splits.values() for item in part]
    masks = layout.masks
    if isinstance(masks, DetailMasks):
        pictures = read_detail(masks.path)
        arguments = ((pictures[item.name], masks.raw_ids, masks.path) for item in items)
        tasks = [Task(f"{_MADE}/{each[0].name}.png", convert_picture, each) for each in arguments]
    elif isinstance(masks, MatMasks):
        tasks = plan_conversion(items, _MADE, _FIELDS, masks.raw_ids)
    else:
        return []
    lists = [
        Task((_LISTS / f"{split}.txt").as_posix(), write_ids, tuple(item.name for item in part))
        for split, part in layout.splits.items()
    ]
    return tasks + lists


def _read(root: Path, prepared: str | None, classes: Classes) -> Layout:
    base, source = _base(root), Path(prepared) / _MADE if prepared else _find_source(root)
    if source is None or not is_folder(base / "JPEGImages"):
        wanted = f"JPEGImages with {_MADE}, trainval or trainval_merged.json, alone or in VOC2010"
        raise wrong_root(root, wanted, PASCAL_CONTEXT.obtain)
    layout = Layout(f"JPEGImages + {source.name}")
    photos = scan_pictures(base / "JPEGImages")
    labels: Mapping[str, Path]
    files = FileMasks("ids", Taxonomy(classes, has_colors=True))
    if source.name == _MADE:
        labels, layout.masks = scan_pictures(source), files
        names = _read_lists(Path(prepared or base) / _LISTS)
    elif source.suffix == ".json":
        pictures = read_detail(source)
        labels, layout.masks = dict.fromkeys(pictures, source), DetailMasks(classes, source, _RAW)
        names = {
            split: tuple(sorted(name for name, each in pictures.items() if each.phase == split))
            for split in _SPLITS
        }
    else:
        labels, layout.masks = scan_mats(source), MatMasks(files, _FIELDS, _read_ids(source))
        names = _read_lists(base / "ImageSets/Main")
    for split, part in names.items():
        items = list_items(part, photos, [labels], split, layout.notes)
        if items:
            layout.splits[split] = keep_labelled(items, split, layout.notes)
    if not any(item.mask_path for part in layout.splits.values() for item in part):
        raise wrong_root(base, f"listed picture with a mask in {source}", PASCAL_CONTEXT.obtain)
    note_slow_masks(layout, PASCAL_CONTEXT.name)
    return layout


def _base(root: Path) -> Path:
    return find_first((root / "VOC2010", root / "VOCdevkit/VOC2010")) or root


def _find_source(root: Path) -> Path | None:
    """Find the masks: what reads fastest first."""
    base = _base(root)
    if is_folder(base / _MADE):
        return base / _MADE
    for place in dict.fromkeys((base, root)):
        if is_folder(place / "trainval"):
            return place / "trainval"
        if is_file(place / "trainval_merged.json"):
            return place / "trainval_merged.json"
    return None


def _read_lists(folder: Path) -> dict[str, tuple[str, ...]]:
    return {split: read_ids(folder / f"{split}.txt") for split in _SPLITS}


def _read_ids(source: Path) -> RawIds:
    """Return the publisher's number of each raw id, by its name where labels.txt is there."""
    place = next((p for p in (source, source.parent) if is_file(p / "labels.txt")), None)
    if place is None:
        return _RAW
    path = place / "labels.txt"
    lines = (line.partition(":") for line in read_text(path).splitlines())
    by_name = {
        name.strip(): int(number)
        for number, _, name in lines
        if number.strip().isdecimal() and int(number) <= _MOST_ID
    }
    for name in CLASSES_59.names:
        if name not in by_name:
            msg = f"{path}: names no label {name}; it should have lines such as `2: aeroplane`"
            raise DataError(msg)
    return tuple((by_name[name], raw) for raw, name in enumerate(CLASSES_59.names, 1))


_RAW: RawIds = tuple((number, raw) for raw, number in enumerate(_IDS, 1))

PASCAL_CONTEXT = KnownDataset(
    name="pascal_context",
    title="Pascal Context with background",
    classes=CLASSES,
    counts={"train": (4_996, 4_998), "val": (5_104, 5_105)},
    license="pictures by the terms of Flickr",
    obtain=(
        "VOCtrainval_03-May-2010.tar from http://host.robots.ox.ac.uk/pascal/VOC/voc2010/ and "
        "trainval.tar.gz from https://cs.stanford.edu/~roozbeh/pascal-context/"
    ),
    detect=detect,
    read=read,
    make_tasks=plan,
    zero="background",
)

PASCAL_CONTEXT_59 = replace(
    PASCAL_CONTEXT,
    name="pascal_context59",
    title="Pascal Context",
    classes=CLASSES_59,
    # The same files as pascal_context, which is what they are taken for.
    detect=lambda _root: False,
    read=read_59,
    zero="void",
)
