"""ISPRS Potsdam: a German city from the air, 5 cm a pixel, 38 tiles of 6000x6000, 6 classes.

As published, wherever the archives were unpacked to below one folder:

    2_Ortho_RGB/top_potsdam_2_10_RGB.tif          3_Ortho_IRRG is read too
    5_Labels_all/top_potsdam_2_10_label.tif       colours of the classes
    5_Labels_all_noBoundary/top_potsdam_2_10_label_noBoundary.tif

In the noBoundary (eroded) labels pixels near borders are black and count for nothing. Scores are
usually given on these, so they are taken where both kinds are there.

As `segnext data prepare` and MMSegmentation write it, in patches named by left, top, right and
bottom, with grey ids 0 (border, ignored), 1 impervious_surface to 6 clutter:

    img_dir/train|val/2_10_0_0_512_512.png
    ann_dir/train|val/2_10_0_0_512_512.png

24 tiles to train and 14 to validate make 3,456 and 2,016 patches of 512 px. These published counts
are those of patches side by side, the last of a row shifted inwards, although a stride of 256 px is
often quoted for them: that would make 12,696 of the training tiles alone.

Two label tiles hold other colours than the classes'; see `TileMasks`. Readers that compare colours
exactly lose nearly all of 4_12 and most cars of 6_7, so models trained elsewhere miss these.

Licence: for research, with the acknowledgement that ISPRS asks for. Get the archives from
https://www.isprs.org/resources/datasets/benchmarks/UrbanSemLab/.
"""

from dataclasses import replace
from pathlib import Path

from segnext.data.datasets.isprs import CLASSES, LICENSE, SITE, TileSet
from segnext.data.datasets.known_dataset import KnownDataset
from segnext.data.datasets.named_files import check_choice
from segnext.data.layout import Layout
from segnext.data.preparation import Task

_ARCHIVES = "2_Ortho_RGB.zip and 5_Labels_all_noBoundary.zip"
_TILE = r"[^/]*/top_potsdam_(\d{1,2})_(\d{1,2})_"

TILES = TileSet(
    title="ISPRS Potsdam",
    photo=_TILE + r"RGB\.tif",
    full=_TILE + r"label\.tif",
    eroded=_TILE + r"label_noBoundary\.tif",
    patch=r"\d{1,2}_\d{1,2}_\d{1,4}_\d{1,4}_\d{1,4}_\d{1,4}\.png",
    splits={
        "train": (
            *("2_10", "2_11", "2_12", "3_10", "3_11", "3_12", "4_10", "4_11", "4_12"),
            *("5_10", "5_11", "5_12", "6_7", "6_8", "6_9", "6_10", "6_11", "6_12"),
            *("7_7", "7_8", "7_9", "7_10", "7_11", "7_12"),
        ),
        "val": (
            *("2_13", "2_14", "3_13", "3_14", "4_13", "4_14", "4_15"),
            *("5_13", "5_14", "5_15", "6_13", "6_14", "6_15", "7_13"),
        ),
    },
    archives=_ARCHIVES,
)


def read(
    root: Path,
    *,
    clutter: bool = True,
    labels: str = "auto",
    bands: str = "RGB",
    skip: object = (),
) -> Layout:
    """Find whole tiles or prepared patches; see `TileSet.read`.

    Args:
        root: Folder or archive.
        clutter: Whether clutter is a class; else its pixels count for nothing.
        labels: Of whole tiles: `eroded`, `full`, or `auto` for eroded ones where they are.
        bands: Of whole tiles: `RGB` or `IRRG`.
        skip: Names of tiles to leave out, such as `7_10`.
    """
    check_choice("bands", bands, ("RGB", "IRRG"))
    tiles = replace(TILES, photo=_TILE + rf"{bands}\.tif")
    return tiles.read(root, clutter=clutter, labels=labels, skip=skip)


def plan(
    root: Path,
    *,
    patch: int = 512,
    overlap: int = 0,
    labels: str = "auto",
    bands: str = "RGB",
    skip: object = (),
) -> list[Task]:
    """Plan the patches of whole tiles; see `read` for the other options.

    Args:
        root: Folder of whole tiles.
        patch: Side of a patch, in pixels.
        overlap: Pixels that neighbours share.
        labels: As in `read`.
        bands: As in `read`.
        skip: As in `read`.
    """
    layout = read(root, labels=labels, bands=bands, skip=skip)
    return TILES.plan_patches(layout, patch, overlap)


POTSDAM = KnownDataset(
    name="potsdam",
    title=TILES.title,
    classes=CLASSES,
    counts={"train": 24, "val": 14},
    license=LICENSE,
    obtain=f"{_ARCHIVES} from {SITE}, unpacked into one folder",
    detect=TILES.detect,
    read=read,
    make_tasks=plan,
    zero="void",
)
