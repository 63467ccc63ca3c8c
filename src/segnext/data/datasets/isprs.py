"""What the two cities of the ISPRS benchmark share: classes, colours of masks, tiles, patches.

See `segnext.data.datasets.potsdam` and `segnext.data.datasets.vaihingen` for their layouts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from segnext.classes import Classes, Mask
from segnext.data.datasets.label_maps import read_label_lines, read_label_map
from segnext.data.datasets.named_files import (
    check_choice,
    check_switch,
    find_named,
    has_name,
    has_prepared_folders,
    read_names,
    read_prepared,
)
from segnext.data.layout import Layout
from segnext.data.masks import FileMasks, read_stored
from segnext.data.pairing import Item, keep_labelled
from segnext.data.patches import Style, picture_of, plan_cutting, read_grid
from segnext.data.preparation import Task
from segnext.data.taxonomy import Taxonomy, describe_color
from segnext.errors import DataError, list_some

CLASSES = read_label_map("isprs")
PALETTE = tuple(line.color for line in read_label_lines("isprs"))
LICENSE = "research only, with the acknowledgement that ISPRS asks for"
SITE = "https://www.isprs.org/resources/datasets/benchmarks/UrbanSemLab/"

# The colours of Potsdam's lossy tile lie up to 71 from their corner of the colour cube.
_FARTHEST = 80
_NO_CLASS = 254


def _table_of_levels() -> npt.NDArray[np.uint8]:
    """Return per value of a channel: 0 for dark, 1 for bright, 2 for in between."""
    values = np.arange(256)
    levels = np.where(values <= _FARTHEST, 0, np.where(values >= 255 - _FARTHEST, 1, 2))
    return levels.astype(np.uint8)


def _table_of_corners() -> npt.NDArray[np.uint8]:
    """Return the raw id per 9 red + 3 green + blue, each a level; `_NO_CLASS` where none is."""
    table = np.full(256, _NO_CLASS, np.uint8)
    for raw, (red, green, blue) in enumerate(PALETTE):
        table[int(9 * _LEVELS[red] + 3 * _LEVELS[green] + _LEVELS[blue])] = raw
    return table


_LEVELS = _table_of_levels()
_CORNERS = _table_of_corners()


@dataclass(frozen=True)
class TileMasks:
    """Masks in the colours of the benchmark, rounded to the nearest corner of the colour cube.

    Two label tiles of Potsdam hold these colours nearly only: 4_12 went through a lossy
    compression, and most cars of 6_7 are (252, 255, 0).

    Attributes:
        classes: What the train ids mean; raw ids are those of `CLASSES`.
    """

    classes: Classes

    def with_classes(self, classes: Classes) -> "TileMasks":
        """Return the same reader by another label map; see `MaskReader`."""
        return replace(self, classes=classes)

    def read(self, item: Item) -> Mask:
        """Read the mask (H, W) of an item as train ids; see `MaskReader`.

        Raises:
            DataError: It is broken, holds no colours, or one far from those of the classes.
        """
        path = item.mask_path
        assert path is not None
        _, pixels = read_stored(path)
        if pixels.shape[2] != 3 or pixels.dtype != np.uint8:
            msg = f"{path}: holds no 8-bit colours, as the labels of ISPRS do; unpack them again"
            raise DataError(msg)
        # Tables of 8 bit: a tile has 36 million pixels.
        levels = cv2.LUT(pixels, _LEVELS)
        corners = 9 * levels[..., 0] + 3 * levels[..., 1] + levels[..., 2]
        raw: Mask = cv2.LUT(corners, _CORNERS)
        strange = raw == _NO_CLASS
        if strange.any():
            red, green, blue = (int(value) for value in pixels[strange][0])
            msg = (
                f"{path}: {int(strange.sum()):,} pixels have colours that no class has, such as "
                f"{describe_color((red, green, blue))}; unpack the labels again"
            )
            raise DataError(msg)
        return self.classes.encode(raw, str(path))


@dataclass(frozen=True)
class TileSet:
    """What tells one city from the other; patterns are those of `find_named`.

    Attributes:
        title: For people.
        photo: Pattern of photos; its groups are the tile.
        full: Pattern of masks without borders.
        eroded: Pattern of masks whose borders are black.
        patch: Regular expression of the file names of patches.
        splits: Tiles by split.
        archives: What to unpack, for messages.
    """

    title: str
    photo: str
    full: str
    eroded: str
    patch: str
    splits: Mapping[str, tuple[str, ...]]
    archives: str

    def detect(self, root: Path) -> bool:
        """Tell whether a folder holds the city's tiles, or patches with the names of its tiles."""
        if has_prepared_folders(root):
            return has_name(root / "img_dir", self.patch) and has_name(root / "ann_dir", self.patch)
        names = (pattern.rsplit("/", 1)[1] for pattern in (self.eroded, self.full))
        return any(has_name(root, name) for name in names)

    def read(self, root: Path, *, clutter: object, labels: object, skip: object) -> Layout:
        """Find whole tiles or prepared patches with their masks.

        Args:
            root: Folder or archive.
            clutter: Whether clutter is a class; else its pixels count for nothing.
            labels: Of whole tiles: `eroded`, `full`, or `auto` for eroded ones where they are.
                Patches are of the kind they were cut from.
            skip: Names of tiles to leave out.

        Raises:
            DataError: Photos or masks are missing.
            UsageError: An option is not what it may be.
        """
        check_switch("clutter", clutter)
        check_choice("labels", labels, ("auto", "eroded", "full"))
        skipped = read_names("skip", skip)
        classes = CLASSES if clutter else CLASSES.drop(["clutter"])
        if not has_prepared_folders(root):
            layout = self._read_tiles(root, str(labels))
            layout.masks = TileMasks(classes)
        else:
            layout = read_prepared(root, picture_of)
            layout.masks = FileMasks("ids", Taxonomy(classes, has_colors=True, palette=PALETTE))
        layout.splits = {
            split: tuple(item for item in part if item.group not in skipped)
            for split, part in layout.splits.items()
        }
        layout.pool = tuple(item for item in layout.pool if item.group not in skipped)
        return layout

    def plan_patches(self, layout: Layout, patch: object, overlap: object) -> list[Task]:
        """Plan the patches of whole tiles, as grey ids with 0 for what counts for nothing.

        Raises:
            UsageError: The sizes are wrong.
            DataError: These are patches already.
        """
        grid = read_grid(patch, overlap)
        if not isinstance(layout.masks, TileMasks):
            msg = f"{self.title}: these are patches already; name the folder of whole tiles"
            raise DataError(msg)
        # Clutter stays in the files whatever the options say: reading decides about it.
        reader, style = TileMasks(CLASSES), Style("corners", void=0)
        return [
            task
            for split, part in layout.splits.items()
            for task in plan_cutting(part, reader, grid, style, split)
        ]

    def _read_tiles(self, root: Path, labels: str) -> Layout:
        photos = find_named(root, self.photo)
        masks = find_named(root, self.eroded) if labels != "full" else {}
        kind = "eroded labels" if masks else "full labels"
        if not masks and labels != "eroded":
            masks = find_named(root, self.full)
        if not photos or not masks:
            missing = "photos" if not photos else "labels"
            msg = f"{root}: no {missing} of {self.title}; unpack {self.archives} there"
            raise DataError(msg)
        layout = Layout(f"whole tiles with {kind}")
        for split, tiles in self.splits.items():
            items = [
                Item(tile, photos[tile], masks.get(tile), tile) for tile in tiles if tile in photos
            ]
            if items:
                layout.splits[split] = keep_labelled(items, split, layout.notes)
            if len(items) < len(tiles):
                absent = [tile for tile in tiles if tile not in photos]
                layout.notes.append(f"{split}: {len(absent)} tiles missing: {list_some(absent)}")
        if not any(item.mask_path for part in layout.splits.values() for item in part):
            msg = f"{root}: no photo of {self.title} has a mask; unpack {self.archives} there"
            raise DataError(msg)
        return layout
