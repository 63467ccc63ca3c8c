"""Pascal VOC 2012, with the further masks of SBD: photos of 20 kinds of things and background.

    VOC2012                                 or the VOCdevkit that holds it
        JPEGImages/2007_000032.jpg
        SegmentationClass/2007_000032.png   palette: 0 background, 1 aeroplane to 20 tvmonitor,
                                            255 border of things (ignored)
        SegmentationClassAug/2008_000002.png    SBD's, as MMSegmentation and others convert them
        ImageSets/Segmentation/train.txt, val.txt, trainval.txt, test.txt
        ImageSets/Segmentation/trainaug.txt or aug.txt
    benchmark_RELEASE/dataset               SBD as published, beside VOC2012, or where `sbd` says
        cls/2008_000002.mat                 GTcls.Segmentation
        train.txt, val.txt

Splits: train (1,464 pictures), val (1,449), trainval (2,913), trainaug (10,582) and, where its
pictures are, test (1,456). trainaug is what most papers train on: train and val of SBD and train of
VOC, less val of VOC. The pictures of VOC's train keep VOC's finer masks. Choose it with
`--set train_split=trainaug`; trainval is for results on the test server.

SBD's .mat files are read as they are, but slowly: `segnext data prepare pascal_voc` writes them as
PNG to SegmentationClassAug, with the list trainaug.txt. The test server wants palette PNGs of the
same ids.

Terms: pictures by those of Flickr. Get VOCtrainval_11-May-2012.tar from
http://host.robots.ox.ac.uk/pascal/VOC/voc2012/ and benchmark.tgz from
http://home.bharathh.info/pubs/codes/SBD/download.html.
"""

from pathlib import Path

from segnext.data.containers.paths import is_file, is_folder
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
    note_slow_masks,
    plan_conversion,
    scan_mats,
)
from segnext.data.layout import Layout
from segnext.data.masks import FileMasks
from segnext.data.pairing import Item, keep_labelled, scan_pictures
from segnext.data.preparation import Task
from segnext.data.taxonomy import Taxonomy
from segnext.errors import DataError

CLASSES = read_label_map("pascal_voc")

_FIELDS = ("GTcls", "Segmentation")
_LISTS = Path("ImageSets/Segmentation")
_AUG = "SegmentationClassAug"
_SBD_PLACES = ("benchmark_RELEASE/dataset", "VOCaug/dataset", "SBD/dataset", "SBD")


def detect(root: Path) -> bool:
    """Tell whether a folder holds VOC 2012: pictures of 2011 are in no edition before."""
    base = _base(root)
    path = base / _LISTS / "train.txt"
    if not is_folder(base / "SegmentationClass") or not is_file(path):
        return False
    try:
        return any(name.startswith("2011_") for name in read_ids(path))
    except DataError:
        return False


def read(root: Path, *, sbd: str | None = None, prepared: str | None = None) -> Layout:
    """Find pictures and masks of every split.

    Args:
        root: Folder or archive, which is VOC2012 or holds it.
        sbd: SBD's folder `dataset`, or the one that holds it, if not beside VOC2012.
        prepared: Folder that `segnext data prepare` wrote masks to, if not the root.

    Raises:
        DataError: Folders or lists are missing or empty, or nothing pairs.
    """
    base = _base(root)
    if not all(is_folder(base / name) for name in ("JPEGImages", "SegmentationClass", _LISTS)):
        wanted = "JPEGImages with SegmentationClass and ImageSets/Segmentation, alone or in VOC2012"
        raise wrong_root(root, wanted, PASCAL_VOC.obtain)
    # What was prepared holds all that SBD has.
    found = None if prepared else find_sbd(root, sbd)
    photos, fine = scan_pictures(base / "JPEGImages"), scan_pictures(base / "SegmentationClass")
    masks = [fine, *_further_masks(base, prepared, found)]
    layout = Layout("JPEGImages + SegmentationClass with ImageSets/Segmentation")
    for split, names in _read_lists(base, prepared, found).items():
        if split == "test":
            # Its pictures are another download, which most do not have.
            names = tuple(name for name in names if name in photos)
        items = list_items(names, photos, masks, split, layout.notes)
        if items:
            layout.splits[split] = keep_labelled(items, split, layout.notes)
    if not any(item.mask_path for part in layout.splits.values() for item in part):
        wanted = "picture of ImageSets/Segmentation in JPEGImages with a mask in SegmentationClass"
        raise wrong_root(base, wanted, PASCAL_VOC.obtain)
    note_slow_masks(layout, PASCAL_VOC.name)
    layout.unions = tuple(name for name in ("trainval", "trainaug") if name in layout.splits)
    files = FileMasks("ids", Taxonomy(CLASSES, has_colors=True))
    layout.masks = MatMasks(files, _FIELDS)
    return layout


def plan(root: Path, *, sbd: str | None = None) -> list[Task]:
    """Plan the conversion of SBD's masks to PNG, and the list trainaug.txt.

    Raises:
        DataError: As for `read`.
    """
    layout = read(root, sbd=sbd)
    items: tuple[Item, ...] = layout.splits.get("trainaug", ())
    tasks = plan_conversion(items, _AUG, _FIELDS)
    if not tasks:
        return []
    names = tuple(item.name for item in items)
    return [*tasks, Task((_LISTS / "trainaug.txt").as_posix(), write_ids, names)]


def find_sbd(root: Path, told: str | None) -> Path | None:
    """Find SBD's folder `dataset`.

    Raises:
        DataError: It is not where it was said to be.
    """
    base = _base(root)
    if told is None:
        places = [place / name for place in (base, root) for name in _SBD_PLACES]
    else:
        places = [Path(told), Path(told) / "dataset", Path(told) / "benchmark_RELEASE" / "dataset"]
    place = find_first(place for place in places if is_folder(place / "cls"))
    if told is not None and place is None:
        raise wrong_root(Path(told), "folder cls of SBD", PASCAL_VOC.obtain)
    return place


def _base(root: Path) -> Path:
    return find_first((root / "VOC2012", root / "VOCdevkit/VOC2012")) or root


def _further_masks(base: Path, prepared: str | None, sbd: Path | None) -> list[dict[str, Path]]:
    places = [Path(prepared) / _AUG] if prepared else []
    pictures = [scan_pictures(place) for place in (*places, base / _AUG) if is_folder(place)]
    return [*pictures, scan_mats(sbd / "cls")] if sbd else pictures


def _read_lists(base: Path, prepared: str | None, sbd: Path | None) -> dict[str, tuple[str, ...]]:
    """Read the names of each split; trainaug is put together where no list of it is there."""
    lists = {
        split: read_ids(base / _LISTS / f"{split}.txt")
        for split in ("train", "val", "trainval", "trainaug", "aug", "test")
        if is_file(base / _LISTS / f"{split}.txt")
    }
    made = Path(prepared or base) / _LISTS / "trainaug.txt"
    if is_file(made):
        lists["trainaug"] = read_ids(made)
    aug = lists.pop("aug", ())
    if "trainaug" not in lists and (aug or sbd) and {"train", "val"} <= set(lists):
        of_sbd = [read_ids(sbd / f"{name}.txt") for name in ("train", "val")] if sbd else []
        names = {*aug, *(name for part in of_sbd for name in part), *lists["train"]}
        lists["trainaug"] = tuple(sorted(names - set(lists["val"])))
    return lists


PASCAL_VOC = KnownDataset(
    name="pascal_voc",
    title="Pascal VOC 2012",
    classes=CLASSES,
    counts={"train": 1_464, "val": 1_449, "trainval": 2_913, "trainaug": 10_582, "test": 1_456},
    license="pictures by the terms of Flickr",
    obtain=(
        "VOCtrainval_11-May-2012.tar from http://host.robots.ox.ac.uk/pascal/VOC/voc2012/, and for "
        "trainaug benchmark.tgz from http://home.bharathh.info/pubs/codes/SBD/download.html"
    ),
    detect=detect,
    read=read,
    make_tasks=plan,
    zero="background",
)
