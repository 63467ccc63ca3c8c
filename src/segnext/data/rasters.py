"""Large rasters, of which only a window is ever read: GeoTIFF and whatever else GDAL opens.

A window becomes a picture like any other, (H, W, C) of 8 or 16 bit, with a map of the pixels that
were observed. Nothing is kept open between windows, so a `Raster` can be used by many threads and
survives a fork.

Shapes: C channels, H and W height and width of the raster, h and w those of a window.
"""

import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from segnext.data.grid import Patch
from segnext.errors import DataError, UsageError, list_some

if TYPE_CHECKING:
    from rasterio import DatasetReader

Pixels = npt.NDArray[np.unsignedinteger[Any]]
Coordinates = npt.NDArray[np.float64]
Observed = npt.NDArray[np.bool_]
ValueRange = tuple[float, float]

# GDAL would take a twentieth of the machine's memory; a few rows of windows are enough.
CACHE_MB = 64
_FULL_SCALE = 65535
_PLAIN_TYPES = ("uint8", "uint16")
_OPENING = threading.RLock()


def import_rasterio() -> Any:
    """Import rasterio, with the parts of it that are used.

    Raises:
        UsageError: It is not installed.
    """
    try:
        import rasterio
        import rasterio.shutil
        import rasterio.warp
        import rasterio.windows
    except ImportError as error:
        msg = f'maps need pip install "segnext[geo]" ({error})'
        raise UsageError(msg) from None
    return rasterio


@dataclass(frozen=True)
class Raster:
    """A raster on disk, and how its values become pixels.

    Attributes:
        path: Of the file.
        height: Rows.
        width: Columns.
        bands: Which are the channels, counted from 1.
        value_range: Values that become 0 and 1 in the network; `None` takes 8 or 16 bit as stored.
        crs: Coordinate system as WKT; empty where the file states none.
        transform: From column and row to coordinates: x = a col + b row + c, y = d col + e row + f.
        nodata: What `read` gives in all channels of a pixel that was never observed, where that is
            known: 0 where values are scaled, else what the file declares.
        bytes_per_value: 1 or 2, of what `read` gives.
    """

    path: Path
    height: int
    width: int
    bands: tuple[int, ...]
    value_range: ValueRange | None
    crs: str
    transform: tuple[float, float, float, float, float, float]
    nodata: float | None
    bytes_per_value: int

    def read(self, window: Patch) -> tuple[Pixels, Observed]:
        """Read a window inside the raster.

        Returns:
            (h, w, C) uint8 or uint16, and (h, w), true where any band was observed. What was not
            observed keeps its stored value. Scaled values are 1 to 65535, and 0 there.

        Raises:
            DataError: The file cannot be read there.
        """
        values, observed = self._load(window, pixels=True)
        pixels = values if self.value_range is None else _scale(values, self.value_range, observed)
        image: Pixels = np.ascontiguousarray(np.moveaxis(pixels, 0, -1))
        return image, observed

    def observed(self, window: Patch) -> Observed:
        """Tell which pixels (h, w) of a window were observed, as `read` does.

        Raises:
            DataError: The file cannot be read there.
        """
        return self._load(window, pixels=False)[1]

    def _load(self, window: Patch, *, pixels: bool) -> tuple[npt.NDArray[Any], Observed]:
        """Return values (C, h, w), if they are wanted, and what was observed."""
        rasterio = import_rasterio()
        place = rasterio.windows.Window(window.left, window.top, window.width, window.height)
        bands = list(self.bands)
        with open_dataset(self.path) as dataset:
            # Nothing in the mask of a file tells that a value is no number.
            floats = any(np.dtype(kind).kind == "f" for kind in dataset.dtypes)
            try:
                wanted = pixels or floats
                values = dataset.read(bands, window=place) if wanted else np.empty(0, np.uint8)
                observed = dataset.read_masks(bands, window=place).any(axis=0)
            except rasterio.errors.RasterioIOError as error:
                msg = (
                    f"{self.path}: rows {window.top} to {window.bottom} cannot be read "
                    f"({_one_line(error)}); copy the file again"
                )
                raise DataError(msg) from None
        if values.dtype.kind == "f":
            observed &= np.isfinite(values).all(axis=0)
        return values, observed

    def to_map(self, columns: Coordinates, rows: Coordinates) -> tuple[Coordinates, Coordinates]:
        """Return x and y of places that are counted in pixels from the upper left corner."""
        a, b, c, d, e, f = self.transform
        return a * columns + b * rows + c, d * columns + e * rows + f

    def to_pixels(self, xs: Coordinates, ys: Coordinates) -> tuple[Coordinates, Coordinates]:
        """Return columns and rows of places, in pixels from the upper left corner."""
        a, b, c, d, e, f = self.transform
        determinant = a * e - b * d
        right, up = xs - c, ys - f
        return (e * right - b * up) / determinant, (a * up - d * right) / determinant


def open_raster(
    path: Path,
    *,
    channels: int | None = None,
    bands: Sequence[int] | None = None,
    value_range: ValueRange | None = None,
) -> Raster:
    """Look at a raster and decide which bands are read, and how.

    Args:
        path: GeoTIFF, VRT, JPEG 2000 or what else GDAL opens.
        channels: How many are needed; any number if not given.
        bands: Which, counted from 1; all but alpha if not given. A single one is repeated to 3
            channels.
        value_range: Values that become 0 and 1 in the network, beyond them clipped; needed where
            values are neither 8 nor 16 bit unsigned.

    Raises:
        UsageError: rasterio is not installed, or bands or range do not fit the file.
        DataError: The file is missing or no raster.
    """
    if value_range is not None and not -np.inf < value_range[0] < value_range[1] < np.inf:
        low, high = value_range
        msg = f"a value range goes from a lower to a higher number, not from {low:g} to {high:g}"
        raise UsageError(msg)
    with open_dataset(path) as dataset:
        chosen = _choose_bands(path, dataset, channels, bands)
        kinds = {dataset.dtypes[band - 1] for band in chosen}
        if value_range is None and not (len(kinds) == 1 and kinds <= {*_PLAIN_TYPES}):
            msg = (
                f"{path}: values are {' and '.join(sorted(kinds))}, neither 8 nor 16 bit unsigned; "
                f"say which become black and white, as in --value-range 0,3000"
            )
            raise UsageError(msg)
        crs, nodata = dataset.crs, dataset.nodata
        return Raster(
            path,
            dataset.height,
            dataset.width,
            chosen,
            value_range,
            crs.to_wkt() if crs else "",
            tuple(dataset.transform)[:6],
            _known_nodata(nodata, value_range),
            1 if value_range is None and kinds == {"uint8"} else 2,
        )


@contextmanager
def open_dataset(path: Path) -> "Iterator[DatasetReader]":
    """Open a raster for reading, with a bounded cache.

    Raises:
        UsageError: rasterio is not installed.
        DataError: The file is missing or no raster.
    """
    rasterio = import_rasterio()
    if not path.is_file():
        msg = f"{path}: no such raster"
        raise DataError(msg)
    # GDAL's fast way to read a PNG gives zeros for what is missing of a truncated one.
    with rasterio.Env(GDAL_CACHEMAX=CACHE_MB, GDAL_PNG_WHOLE_IMAGE_OPTIM="NO"):
        with without_place_allowed():
            try:
                dataset = rasterio.open(path)
            except rasterio.errors.RasterioIOError as error:
                msg = f"{path}: is no raster that GDAL opens ({_one_line(error)})"
                raise DataError(msg) from None
        with dataset:
            yield dataset


@contextmanager
def without_place_allowed() -> Iterator[None]:
    """Keep rasterio from warning of rasters without a place on earth: they are like any other."""
    # Filters of warnings belong to the whole process.
    with _OPENING, warnings.catch_warnings():
        warnings.simplefilter("ignore", import_rasterio().errors.NotGeoreferencedWarning)
        yield


def _choose_bands(
    path: Path, dataset: Any, channels: int | None, told: Sequence[int] | None
) -> tuple[int, ...]:
    if told is not None:
        chosen = tuple(told)
        absent = [band for band in chosen if not 1 <= band <= dataset.count]
        if absent or not chosen:
            msg = (
                f"{path}: has no band {list_some(absent) or 'of an empty list'}; its bands are 1 "
                f"to {dataset.count}"
            )
            raise UsageError(msg)
    else:
        roles = dataset.colorinterp
        chosen = tuple(b for b in dataset.indexes if roles[b - 1].name != "alpha")
        if any(roles[band - 1].name == "palette" for band in chosen):
            msg = f"{path}: holds positions in a palette; first run gdal_translate -expand rgb"
            raise DataError(msg)
    if len(chosen) == 1 and channels == 3:
        return chosen * 3
    if channels is not None and len(chosen) != channels:
        msg = (
            f"{path}: {len(chosen)} bands, the model was trained on {channels}; say which, as in "
            f"--bands {','.join(str(band + 1) for band in range(channels))}"
        )
        raise UsageError(msg)
    return chosen


def _known_nodata(declared: float | None, value_range: ValueRange | None) -> float | None:
    if value_range is not None:
        return 0.0
    return float(declared) if declared is not None and np.isfinite(declared) else None


def _scale(values: npt.NDArray[Any], value_range: ValueRange, observed: Observed) -> Pixels:
    low, high = value_range
    shares = (np.where(observed, values, low).astype(np.float64) - low) / (high - low)
    scaled: Pixels = np.rint(shares.clip(0, 1) * _FULL_SCALE).clip(1).astype(np.uint16)
    scaled[:, ~observed] = 0
    return scaled


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
