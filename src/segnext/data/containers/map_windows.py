"""Windows of large rasters, each as if it were a picture of its own.

`maps.windows/ortho_0_512_0_512.tif` is a path like any other (see `segnext.data.containers.paths`):
its bytes are those of a TIFF, made from the raster when they are asked for. The file itself is an
index in JSON of which windows there are, of what, in which split; `segnext data maps` writes it.
Paths in it are relative to its folder.
"""

import functools
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import tifffile

from segnext.data.grid import Patch
from segnext.data.rasters import Raster, ValueRange, open_raster
from segnext.errors import DataError
from segnext.storage import write_atomically

SUFFIX = ".windows"
_VERSION = 1
_NODATA_TAG, _ASCII = 42113, 2


@dataclass(frozen=True)
class MapSource:
    """A raster and the labels of what it shows.

    Attributes:
        raster: Path, relative to the index or absolute.
        labels: GeoPackage, GeoJSON or another vector file, or a raster of class ids; likewise.
        bands: As in `open_raster`.
        value_range: As in `open_raster`.
    """

    raster: str
    labels: str
    bands: tuple[int, ...]
    value_range: ValueRange | None = None


@dataclass(frozen=True)
class MapWindow:
    """A part of a raster that is a picture for training.

    Attributes:
        name: Of the picture.
        split: It belongs to.
        block: Part of the map that is in one split as a whole.
        source: Position of the raster among the sources.
        place: In the raster, in pixels.
    """

    name: str
    split: str
    block: str
    source: int
    place: Patch


@dataclass(frozen=True)
class WindowsIndex:
    """Which windows of which rasters there are.

    Attributes:
        sources: Rasters with their labels.
        windows: Of them.
        names: Class by raw id.
        layer: Of vector labels; `None` for the only one.
        field: Of vector labels that holds the class; `None` where all polygons are of one class.
        unlabelled: What pixels are that no polygon covers: `background` or `ignore`.
    """

    sources: tuple[MapSource, ...]
    windows: tuple[MapWindow, ...]
    names: Mapping[int, str]
    layer: str | None = None
    field: str | None = None
    unlabelled: str = "background"


def write_index(path: Path, index: WindowsIndex) -> None:
    """Write an index; it appears whole or not at all."""
    write_atomically(path, json.dumps({"version": _VERSION, **asdict(index)}, indent=1).encode())


def read_index(path: Path) -> WindowsIndex:
    """Read an index.

    Raises:
        DataError: It is damaged, or of another version of this package.
        OSError: It cannot be read.
    """
    try:
        content = json.loads(path.read_bytes())
        if content.pop("version") != _VERSION:
            raise ValueError
        windows = tuple(
            MapWindow(**{**window, "place": Patch(**window["place"])})
            for window in content["windows"]
        )
        sources = tuple(_read_source(source) for source in content["sources"])
        if not all(_is_sound(window, len(sources)) for window in windows):
            raise ValueError
        names = {int(raw): str(name) for raw, name in content["names"].items()}
        return WindowsIndex(**{**content, "sources": sources, "windows": windows, "names": names})
    except (ValueError, KeyError, TypeError, AttributeError):
        msg = "is no index of windows, or damaged; write it again with segnext data maps"
        raise DataError(msg) from None


def _is_sound(window: MapWindow, sources: int) -> bool:
    place = window.place
    sides = (place.top, place.left, place.bottom, place.right)
    whole = all(isinstance(value, int) for value in (*sides, window.source))
    return (
        whole
        and all(isinstance(text, str) for text in (window.name, window.split, window.block))
        and 0 <= window.source < sources
        and 0 <= place.top < place.bottom
        and 0 <= place.left < place.right
    )


def _read_source(source: Mapping[str, Any]) -> MapSource:
    value_range = source["value_range"]
    return MapSource(
        str(source["raster"]),
        str(source["labels"]),
        tuple(int(band) for band in source["bands"]),
        None if value_range is None else (float(value_range[0]), float(value_range[1])),
    )


class MapWindows:
    """Windows of rasters as TIFF pictures.

    Args:
        path: Of the index.

    Raises:
        DataError: The index is damaged.
        OSError: It cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._folder = path.parent
        self._index = read_index(path)
        self._windows = {f"{window.name}.tif": window for window in self._index.windows}

    def names(self) -> tuple[str, ...]:
        """Return every member, sorted; see `Container`."""
        return tuple(sorted(self._windows))

    def size(self, name: str) -> int:
        """Return the bytes of a member's pixels, which are nearly all it has."""
        place, raster = self._windows[name].place, self._raster(self._windows[name].source)
        return place.height * place.width * len(raster.bands) * raster.bytes_per_value

    def read(self, name: str) -> bytes:
        """Return a window as an uncompressed TIFF; see `Container`.

        Raises:
            DataError: The raster is missing, damaged or smaller than when it was indexed.
        """
        window = self._windows[name]
        raster = self._raster(window.source)
        place = window.place
        if place.bottom > raster.height or place.right > raster.width:
            msg = (
                f"{raster.path}: has {raster.width} x {raster.height} pixels, fewer than when its "
                f"windows were listed; write it again with segnext data maps"
            )
            raise DataError(msg)
        pixels, _ = raster.read(place)
        nodata = raster.nodata
        tags = [] if nodata is None else [(_NODATA_TAG, _ASCII, 0, f"{nodata:g}", True)]
        content = io.BytesIO()
        tifffile.imwrite(
            content,
            pixels[..., 0] if pixels.shape[2] == 1 else pixels,
            photometric="rgb" if pixels.shape[2] == 3 else "minisblack",
            planarconfig=None if pixels.shape[2] == 1 else "contig",
            extratags=tags,
            metadata=None,
        )
        return content.getvalue()

    def prefetch(self) -> None:
        """Do nothing: rasters are on disk."""

    def _raster(self, source: int) -> Raster:
        return open_source(self._index.sources[source], self._folder)


@functools.lru_cache(maxsize=256)
def open_source(source: MapSource, folder: Path) -> Raster:
    """Look at the raster of a source whose index lies in a folder, once.

    Raises:
        DataError: The raster is missing or damaged.
        UsageError: Its bands are others than when it was indexed, or rasterio is not installed.
    """
    return open_raster(folder / source.raster, bands=source.bands, value_range=source.value_range)
