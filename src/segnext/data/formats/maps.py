"""Windows of large rasters with polygons or rasters of labels, as `segnext data maps` lists them.

    fields/
      data.yaml        format: maps
      maps.windows     which windows of which rasters, in which split

Pixels are read from the rasters, and labels painted, when a window is asked for: nothing is cut to
tiles on disk.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from segnext.classes import Classes, Mask
from segnext.data.containers.map_windows import (
    MapWindow,
    WindowsIndex,
    open_source,
    read_index,
)
from segnext.data.formats.format import Format
from segnext.data.formats.shape_classes import declare_shape_classes
from segnext.data.layout import Layout
from segnext.data.map_labels import open_labels
from segnext.data.pairing import Item
from segnext.errors import DataError, UsageError

INDEX = "maps.windows"


@dataclass(frozen=True)
class MapMasks:
    """Reads the masks of windows.

    Attributes:
        classes: What the train ids mean; its raw ids are those of the index.
        folder: Of the index.
        index: Windows and their sources.
        background: Raw id of pixels that no polygon covers.
        windows: By name.
    """

    classes: Classes
    folder: Path
    index: WindowsIndex
    background: int
    windows: Mapping[str, MapWindow]

    def with_classes(self, classes: Classes) -> "MapMasks":
        """Return the same reader by another label map; see `MaskReader`."""
        return replace(self, classes=classes)

    def read(self, item: Item) -> Mask:
        """Make the mask (H, W) of a window, as train ids; what has no data is ignored.

        Raises:
            DataError: Raster or labels cannot be read, or hold a label nobody declared.
        """
        window = self.windows[item.name]
        source = self.index.sources[window.source]
        raster = open_source(source, self.folder)
        ids = {name: raw for raw, name in self.index.names.items()}
        labels = open_labels(
            self.folder / source.labels, self.index.layer, self.index.field, ids, self.background
        )
        raw = labels.read(raster, window.place)
        mask: Mask = self.classes.encode(raw, f"{self.folder / source.labels}, {item.name}").copy()
        mask[~raster.observed(window.place)] = self.classes.ignore_index
        return mask


def detect(root: Path) -> bool:
    """Tell whether a folder holds an index of windows."""
    return (root / INDEX).is_file()


def read(root: Path) -> Layout:
    """Read an index of windows.

    Raises:
        DataError: It is missing or damaged.
    """
    path = root / INDEX
    try:
        index = read_index(path)
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror or error}); write it by segnext data maps"
        raise DataError(msg) from None
    except DataError as error:
        msg = f"{path}: {error}"
        raise DataError(msg) from None
    try:
        declared = declare_shape_classes(index.names, str(path), unlabelled=index.unlabelled)
    except UsageError as error:
        msg = f"{path}: {error}"
        raise DataError(msg) from None
    rasters = len(index.sources)
    layout = Layout(f"{len(index.windows)} windows of {rasters} maps")
    windows = {window.name: window for window in index.windows}
    layout.masks = MapMasks(declared.classes, root, index, declared.background, windows)
    splits: dict[str, list[Item]] = {}
    for window in index.windows:
        item = Item(
            window.name,
            path / f"{window.name}.tif",
            root / index.sources[window.source].labels,
            window.block,
        )
        splits.setdefault(window.split, []).append(item)
    layout.splits = {split: tuple(items) for split, items in splits.items()}
    return layout


FORMAT = Format("maps", "windows of maps", detect, read)
