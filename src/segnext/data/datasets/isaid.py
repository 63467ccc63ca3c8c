"""iSAID: ships, vehicles, courts and harbours from above, pictures of 800 to 13,000 pixels.

15 classes and the background, which counts. As published, with the pictures of DOTA-v1.0 beside
the masks or in a folder of their own; only file names matter:

    train|val|test
        images/P0003.png                                    or images/images/P0003.png
        images/P0003_instance_color_RGB.png                 or Semantic_masks/images/...
        images/P0003_instance_id_RGB.png                    not used

Pictures to test have no masks. As `segnext data prepare` and MMSegmentation write it, in patches
named by top, bottom, left and right, with grey ids 0 background to 15 Harbor, 255 beyond pictures
smaller than a patch:

    img_dir/train|val/P0003_0_896_0_896.png
    ann_dir/train|val/P0003_0_896_0_896_instance_color_RGB.png
    img_dir/test/P0006.png                                  whole pictures

1,411 pictures to train, 458 to validate, 937 to test; 33,978 and 11,644 patches of 896 px that
overlap by 384 px (MMSegmentation), 28,029 and 9,512 of 800 px that overlap by 200 px (JSeg, which
skips P1527 and P1530).

Papers give mIoU over the patches of val, in which overlaps count several times. Whole pictures
are scored, each pixel once, by reading the published form with `--window 896 --stride 512`, or
from patches with `--stitch`.

Licence: for research. Get the masks from https://captain-whu.github.io/iSAID/ and the pictures from
https://captain-whu.github.io/DOTA/, and unpack both into the folders above.
"""

from pathlib import Path

from segnext.data.containers.paths import is_folder
from segnext.data.datasets.known_dataset import KnownDataset
from segnext.data.datasets.label_maps import read_label_map
from segnext.data.datasets.named_files import (
    find_named,
    has_name,
    has_prepared_folders,
    read_names,
    read_prepared,
)
from segnext.data.layout import Layout
from segnext.data.masks import FileMasks
from segnext.data.pairing import Item, keep_labelled
from segnext.data.patches import Style, picture_of, plan_cutting, read_grid
from segnext.data.preparation import Task
from segnext.data.taxonomy import Taxonomy
from segnext.errors import DataError, list_some

CLASSES = read_label_map("isaid")

_ENDING = "_instance_color_RGB"
_PATCH = rf"P\d{{4}}_\d+_\d+_\d+_\d+{_ENDING}\.png"


def detect(root: Path) -> bool:
    """Tell whether a folder holds iSAID's masks, whole or in patches; their names are its own."""
    if has_prepared_folders(root):
        return has_name(root / "ann_dir", _PATCH)
    return has_name(root, rf"P\d{{4}}{_ENDING}\.png")


def read(root: Path, *, skip: object = ()) -> Layout:
    """Find whole pictures with colour masks, or patches with grey ids.

    Args:
        root: Folder or archive.
        skip: Names of pictures to leave out with all their patches, such as `P1527,P1530`.

    Raises:
        DataError: Pictures or masks are missing.
        UsageError: The names cannot be understood.
    """
    skipped = read_names("skip", skip)
    if has_prepared_folders(root):
        layout = read_prepared(root, picture_of, _ENDING)
        layout.masks = FileMasks("ids", Taxonomy(CLASSES, has_colors=True))
    else:
        layout = _read_pictures(root)
        layout.masks = FileMasks("color", Taxonomy(CLASSES, has_colors=True))
    layout.splits = {
        split: tuple(item for item in part if item.group not in skipped)
        for split, part in layout.splits.items()
    }
    layout.pool = tuple(item for item in layout.pool if item.group not in skipped)
    return layout


def plan(root: Path, *, patch: int = 896, overlap: int = 384, skip: object = ()) -> list[Task]:
    """Plan the patches of train and val; pictures to test stay whole, where they are.

    Args:
        root: Folder of whole pictures.
        patch: Side of a patch, in pixels.
        overlap: Pixels that neighbours share.
        skip: As in `read`.

    Raises:
        UsageError: The sizes are wrong.
        DataError: There are no whole pictures.
    """
    grid = read_grid(patch, overlap)
    if has_prepared_folders(root):
        msg = f"{root}: holds patches already; name the folder of whole pictures"
        raise DataError(msg)
    layout = read(root, skip=skip)
    assert layout.masks is not None
    style = Style("sides", _ENDING)
    return [
        task
        for split, part in layout.splits.items()
        if any(item.mask_path for item in part)
        for task in plan_cutting(part, layout.masks, grid, style, split)
    ]


def _read_pictures(root: Path) -> Layout:
    layout = Layout("whole pictures with colour masks")
    for split in ("train", "val", "test"):
        if not is_folder(root / split):
            continue
        photos = find_named(root / split, r"[^/]*/(P\d{4})\.png")
        masks = find_named(root / split, rf"[^/]*/(P\d{{4}}){_ENDING}\.png")
        alone = sorted(set(masks) - set(photos))
        if alone:
            layout.notes.append(
                f"{split}: {len(alone)} masks without a picture, which comes with DOTA-v1.0: "
                f"{list_some(alone)}"
            )
        items = [Item(name, path, masks.get(name), name) for name, path in photos.items()]
        if items:
            layout.splits[split] = keep_labelled(items, split, layout.notes)
    if not any(item.mask_path for part in layout.splits.values() for item in part):
        msg = (
            f"{root}: no picture such as train/images/P0002.png has its mask "
            f"P0002{_ENDING}.png; unpack iSAID's masks and DOTA-v1.0's pictures there"
        )
        raise DataError(msg)
    return layout


ISAID = KnownDataset(
    name="isaid",
    title="iSAID",
    classes=CLASSES,
    counts={"train": 1411, "val": 458, "test": 937},
    license="research only",
    obtain=(
        "masks from https://captain-whu.github.io/iSAID/ and pictures of DOTA-v1.0 from "
        "https://captain-whu.github.io/DOTA/, unpacked into train/images, val/images, test/images"
    ),
    detect=detect,
    read=read,
    make_tasks=plan,
    zero="background",
)
