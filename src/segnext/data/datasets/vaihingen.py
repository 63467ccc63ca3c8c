"""ISPRS Vaihingen: a German town from the air, 9 cm a pixel, 33 areas, 6 classes.

As published, wherever the archives were unpacked to below one folder:

    top/top_mosaic_09cm_area1.tif                       infrared, red, green
    gts_for_participants/top_mosaic_09cm_area1.tif      colours of the classes
    eroded/top_mosaic_09cm_area1_noBoundary.tif         of the archive ..._eroded_COMPLETE.zip

In the noBoundary (eroded) labels pixels near borders are black and count for nothing. Scores are
usually given on these, so they are taken where both kinds are there.

As `segnext data prepare` and MMSegmentation write it, in patches named by left, top, right and
bottom, with grey ids 0 (border, ignored), 1 impervious_surface to 6 clutter:

    img_dir/train|val/area1_0_0_512_512.png
    ann_dir/train|val/area1_0_0_512_512.png

16 areas to train and 17 to validate make 344 and 398 patches of 512 px side by side, the last of a
row shifted inwards; see `segnext.data.datasets.potsdam` about the stride of 256 px often quoted.

Licence: for research, with the acknowledgement that ISPRS and DGPF ask for. Get the archives from
https://www.isprs.org/resources/datasets/benchmarks/UrbanSemLab/.
"""

from pathlib import Path

from segnext.data.datasets.isprs import CLASSES, LICENSE, SITE, TileSet
from segnext.data.datasets.known_dataset import KnownDataset
from segnext.data.layout import Layout
from segnext.data.preparation import Task

_ARCHIVES = (
    "ISPRS_semantic_labeling_Vaihingen.zip and "
    "ISPRS_semantic_labeling_Vaihingen_ground_truth_eroded_COMPLETE.zip"
)

TILES = TileSet(
    title="ISPRS Vaihingen",
    # Photos and full masks have one name; photos lie in the folder top.
    photo=r"top/top_mosaic_09cm_(area\d{1,2})\.tif",
    full=r"(?!top/)[^/]*/top_mosaic_09cm_(area\d{1,2})\.tif",
    eroded=r"[^/]*/top_mosaic_09cm_(area\d{1,2})_noBoundary\.tif",
    patch=r"area\d{1,2}_\d{1,4}_\d{1,4}_\d{1,4}_\d{1,4}\.png",
    splits={
        "train": (
            *("area1", "area3", "area5", "area7", "area11", "area13", "area15", "area17"),
            *("area21", "area23", "area26", "area28", "area30", "area32", "area34", "area37"),
        ),
        "val": (
            *("area2", "area4", "area6", "area8", "area10", "area12", "area14", "area16"),
            *("area20", "area22", "area24", "area27", "area29", "area31", "area33", "area35"),
            "area38",
        ),
    },
    archives=_ARCHIVES,
)


def read(root: Path, *, clutter: bool = True, labels: str = "auto", skip: object = ()) -> Layout:
    """Find whole areas or prepared patches; see `TileSet.read`.

    Args:
        root: Folder or archive.
        clutter: Whether clutter is a class; else its pixels count for nothing.
        labels: Of whole areas: `eroded`, `full`, or `auto` for eroded ones where they are.
        skip: Names of areas to leave out, such as `area7`.
    """
    return TILES.read(root, clutter=clutter, labels=labels, skip=skip)


def plan(
    root: Path, *, patch: int = 512, overlap: int = 0, labels: str = "auto", skip: object = ()
) -> list[Task]:
    """Plan the patches of whole areas; see `read` for the other options.

    Args:
        root: Folder of whole areas.
        patch: Side of a patch, in pixels.
        overlap: Pixels that neighbours share.
        labels: As in `read`.
        skip: As in `read`.
    """
    return TILES.plan_patches(read(root, labels=labels, skip=skip), patch, overlap)


VAIHINGEN = KnownDataset(
    name="vaihingen",
    title=TILES.title,
    classes=CLASSES,
    counts={"train": 16, "val": 17},
    license=LICENSE,
    obtain=f"{_ARCHIVES} from {SITE}, unpacked into one folder",
    detect=TILES.detect,
    read=read,
    make_tasks=plan,
    zero="void",
)
