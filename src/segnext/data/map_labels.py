"""Labels of maps: polygons in vector files, and rasters of class ids, for a window at a time.

Polygons are painted by the one fill rule of `segnext.data.shapes`, in their order in the file:
later ones cover earlier ones.

Shapes: h and w height and width of a window.
"""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from segnext.data.grid import Patch
from segnext.data.rasters import Raster, import_rasterio, open_dataset
from segnext.data.shapes import Polygon, Shape, paint
from segnext.errors import DataError, UsageError, describe_unknown, list_some

RawIds = npt.NDArray[np.uint16]

RASTER_SUFFIXES = frozenset({".tif", ".tiff", ".vrt", ".img", ".jp2"})
# Of rasters of labels.
IGNORED_ID = 255
_AREAL = ("Polygon", "MultiPolygon")


class MapLabels(Protocol):
    """Labels of a map, whatever they are made from."""

    def read(self, raster: Raster, window: Patch) -> RawIds:
        """Return raw ids (h, w) of a window of a raster."""


@dataclass(frozen=True)
class VectorLabels:
    """Polygons with their class.

    Attributes:
        path: GeoPackage, GeoJSON, or what else GDAL reads.
        layer: Of the file; `None` for the only one.
        field: That holds the class; `None` where all polygons are of one class.
        ids: Raw id by class.
        background: Raw id of pixels that no polygon covers.
    """

    path: Path
    layer: str | None
    field: str | None
    ids: Mapping[str, int]
    background: int

    def read(self, raster: Raster, window: Patch) -> RawIds:
        """Paint the polygons that touch a window of a raster.

        Raises:
            DataError: The file cannot be read, or has classes or shapes that are none.
        """
        import shapely

        if not raster.crs:
            msg = f"{raster.path}: has no coordinate system, so polygons have no place in it"
            raise DataError(msg)
        stored = load_polygons(
            self.path, self.layer, self.field, raster.crs, self.path.stat().st_mtime_ns
        )
        columns = np.array([window.left, window.right, window.right, window.left])
        rows = np.array([window.top, window.top, window.bottom, window.bottom])
        xs, ys = raster.to_map(columns, rows)
        outline = shapely.box(xs.min(), ys.min(), xs.max(), ys.max())
        # By their number, which is their order in the file.
        touching = np.sort(stored.tree.query(outline))
        shapes = [
            Shape(self._id(stored.classes[number]), polygon)
            for number in touching
            for polygon in _place(stored.tree.geometries[number], raster, window)
        ]
        return paint(shapes, window.height, window.width, self.background)

    def _id(self, name: str) -> int:
        found = next(iter(self.ids.values())) if self.field is None else self.ids.get(name)
        if found is None:
            msg = f"{self.path}: {describe_unknown('class', name, self.ids)}"
            raise DataError(msg)
        return found


@dataclass(frozen=True)
class RasterLabels:
    """A raster of class ids, brought to the grid of the map by the nearest neighbour.

    Attributes:
        path: One band of whole numbers from 0 to 65535. Nodata and 255 count for nothing.
    """

    path: Path

    def read(self, raster: Raster, window: Patch) -> RawIds:
        """Read the ids of a window of a raster.

        Raises:
            DataError: The file cannot be read, or holds other values.
        """
        rasterio = import_rasterio()
        from rasterio.vrt import WarpedVRT

        place = rasterio.windows.Window(window.left, window.top, window.width, window.height)
        with open_dataset(self.path) as dataset:
            if not np.issubdtype(np.dtype(dataset.dtypes[0]), np.integer):
                msg = f"{self.path}: holds {dataset.dtypes[0]} values, not ids of classes"
                raise DataError(msg)
            size, affine = (raster.height, raster.width), rasterio.Affine(*raster.transform)
            same = dataset.shape == size and dataset.transform.almost_equals(affine)
            if same:
                return _read_ids(dataset, place, self.path)
            if not (raster.crs and dataset.crs):
                msg = (
                    f"{self.path}: {dataset.width}x{dataset.height} pixels, but {raster.path} has "
                    f"{raster.width}x{raster.height}, and no coordinates tell how they lie"
                )
                raise DataError(msg)
            with WarpedVRT(
                dataset,
                crs=raster.crs,
                transform=affine,
                width=raster.width,
                height=raster.height,
                nodata=IGNORED_ID if dataset.nodata is None else dataset.nodata,
            ) as warped:
                return _read_ids(warped, place, self.path)


def open_labels(
    path: Path, layer: str | None, field: str | None, ids: Mapping[str, int], background: int
) -> MapLabels:
    """Return labels of a map: a raster of ids by its suffix, polygons otherwise."""
    if path.suffix.lower() in RASTER_SUFFIXES:
        return RasterLabels(path)
    return VectorLabels(path, layer, field, ids, background)


def list_classes(path: Path, layer: str | None, field: str) -> list[str]:
    """Return the classes of a vector file, sorted.

    Raises:
        DataError: The file cannot be read, or a feature has no class.
        UsageError: There is no such field.
    """
    _, _, values = _read_vectors(path, layer, field)
    return sorted(set(_class_names(values, path, field)))


@dataclass(frozen=True, eq=False)
class StoredPolygons:
    """Polygons of a file, in one coordinate system.

    Attributes:
        tree: Finds those that touch a rectangle.
        classes: Of each.
    """

    tree: Any
    classes: list[str]


@functools.lru_cache(maxsize=8)
def load_polygons(
    path: Path, layer: str | None, field: str | None, crs: str, changed: int
) -> StoredPolygons:
    """Read the polygons of a file, once.

    Args:
        path: Vector file.
        layer: Of it; `None` for the only one.
        field: That holds the class; `None` for none.
        crs: That coordinates are brought to, as WKT. A file without one is taken to be in it.
        changed: When the file was, so that an edited one is read again.

    Raises:
        DataError: The file cannot be read, or holds something other than polygons.
    """
    del changed
    import shapely

    rasterio = import_rasterio()
    stated, geometries, values = _read_vectors(path, layer, field)
    shapes = shapely.force_2d(shapely.from_wkb(geometries))
    there = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    kinds = {shape.geom_type for shape in shapes[there]} - {*_AREAL}
    if kinds:
        msg = f"{path}: holds {list_some(sorted(kinds))}, but labels are polygons; buffer them"
        raise DataError(msg)
    names = _class_names(values, path, field) if field else [""] * len(shapes)
    source = rasterio.CRS.from_user_input(stated) if stated else None
    target = rasterio.CRS.from_wkt(crs)
    if source is not None and source != target:

        def reproject(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
            moved = rasterio.warp.transform(source, target, points[:, 0], points[:, 1])
            return np.stack(moved, axis=1)

        shapes = shapely.transform(shapes, reproject)
    kept = np.flatnonzero(there)
    return StoredPolygons(shapely.STRtree(shapes[kept]), [names[number] for number in kept])


def _read_vectors(path: Path, layer: str | None, field: str | None) -> tuple[Any, Any, Any]:
    """Return coordinate system, geometries as WKB, and values of a field."""
    try:
        import pyogrio
    except ImportError as error:
        msg = f'maps need pip install "segnext[geo]" ({error})'
        raise UsageError(msg) from None
    if not path.is_file():
        msg = f"{path}: no such file of labels"
        raise DataError(msg)
    try:
        layers = [str(name) for name, _ in pyogrio.list_layers(path)]
        if layer is None and len(layers) != 1:
            msg = f"{path}: has {len(layers)} layers ({list_some(layers)}); choose one by --layer"
            raise UsageError(msg)
        if layer is not None and layer not in layers:
            msg = f"{path}: {describe_unknown('layer', layer, layers)}"
            raise UsageError(msg)
        fields = [str(name) for name in pyogrio.read_info(path, layer=layer)["fields"]]
        if field is not None and field not in fields:
            msg = f"{path}: {describe_unknown('field', field, fields)}; see --field"
            raise UsageError(msg)
        meta, _, geometries, values = pyogrio.raw.read(
            path, layer=layer, columns=[field] if field else []
        )
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        msg = f"{path}: cannot be read as vectors ({' '.join(str(error).split())})"
        raise DataError(msg) from None
    return meta["crs"], geometries, values[0] if field else None


def _class_names(values: Any, path: Path, field: str) -> list[str]:
    names = [None if value is None or value != value else str(value) for value in values]
    missing = [number for number, name in enumerate(names) if not name]
    if missing:
        msg = (
            f"{path}: {len(missing)} features have no {field}, such as feature {missing[0]}; fill "
            f"it in, or remove them"
        )
        raise DataError(msg)
    return [name for name in names if name]


def _place(geometry: Any, raster: Raster, window: Patch) -> Iterator[Polygon]:
    """Yield the parts of a geometry, in pixels from the corner of a window."""
    import shapely

    for part in shapely.get_parts(geometry):
        rings = []
        for ring in shapely.get_rings(part):
            x, y = shapely.get_coordinates(ring).T
            columns, rows = raster.to_pixels(x, y)
            rings.append(np.stack([columns - window.left, rows - window.top], axis=1))
        yield Polygon(tuple(rings))


def _read_ids(dataset: Any, place: Any, path: Path) -> RawIds:
    errors = import_rasterio().errors
    try:
        values = dataset.read(1, window=place)
        observed = dataset.read_masks(1, window=place) > 0
    except errors.RasterioIOError as error:
        msg = f"{path}: cannot be read ({' '.join(str(error).split())}); copy the file again"
        raise DataError(msg) from None
    values = np.where(observed, values, IGNORED_ID)
    if values.min() < 0 or values.max() > 65535:
        msg = f"{path}: holds {values.min()} to {values.max()}; ids of classes are 0 to 65535"
        raise DataError(msg)
    return values.astype(np.uint16)
