"""The classes of a map as outlines with attributes: GeoPackage, or GeoJSON.

Outlines run along the edges of pixels, so they cover each pixel once. GDAL keeps the outlines of a
map in memory: it is the one thing here whose memory grows with what the map shows.
"""

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segnext.classes import Classes
from segnext.data.rasters import import_rasterio, open_dataset
from segnext.errors import SegnextError
from segnext.maps.areas import metres_per_unit
from segnext.storage import replace_atomically

SUFFIXES = ("gpkg", "geojson")
_LAYER = "classes"
_BATCH = 5000
# What GeoJSON is in, by RFC 7946.
_WGS84 = "EPSG:4326"
# Of a degree: a centimetre.
_DIGITS = 7


@dataclass(frozen=True)
class _Outline:
    """A region of one class.

    Attributes:
        geometry: As GeoJSON has it, in the map's coordinates.
        class_id: Train id.
        area: In square metres; `None` where the map is not projected.
    """

    geometry: dict[str, Any]
    class_id: int
    area: float | None


def write_polygons(path: Path, labels: Path, classes: Classes) -> None:
    """Outline the regions of a map; the file appears whole or not at all.

    Args:
        path: `.gpkg`, in the map's coordinates, or `.geojson`, in WGS 84 where the map has a
            coordinate system.
        labels: GeoTIFF of train ids.
        classes: Their names.

    Raises:
        SegnextError: The disk refuses.
    """
    with open_dataset(labels) as dataset, replace_atomically(path) as temporary:
        outlines = _trace(dataset)
        if path.suffix == ".gpkg":
            # The driver goes by the suffix, and what is under way has none.
            unfinished = temporary.with_name(f"{temporary.name}.gpkg")
            try:
                _write_geopackage(unfinished, outlines, classes, dataset.crs)
                unfinished.replace(temporary)
            finally:
                unfinished.unlink(missing_ok=True)
        else:
            _write_geojson(temporary, outlines, classes, dataset.crs)


def _trace(dataset: Any) -> Iterator[_Outline]:
    from rasterio.features import shapes
    from shapely.geometry import shape

    band = import_rasterio().band(dataset, 1)
    metres = metres_per_unit(dataset.crs)
    for geometry, value in shapes(band, mask=None, connectivity=4, transform=dataset.transform):
        if int(value) != dataset.nodata:
            area = None if metres is None else shape(geometry).area * metres**2
            yield _Outline(geometry, int(value), area)


def _write_geopackage(path: Path, outlines: Iterator[_Outline], classes: Classes, crs: Any) -> None:
    import pyogrio
    import shapely

    started = False
    while True:
        batch = list(itertools.islice(outlines, _BATCH))
        if not batch and started:
            return
        geometries = [shapely.geometry.shape(outline.geometry) for outline in batch]
        names = [classes.label_names[outline.class_id] for outline in batch]
        areas = [np.nan if outline.area is None else outline.area for outline in batch]
        try:
            pyogrio.raw.write(
                path,
                geometry=np.array(shapely.to_wkb(geometries), dtype=object),
                field_data=[
                    np.array(names, dtype=object),
                    np.array([outline.class_id for outline in batch], np.int32),
                    np.array(areas, np.float64),
                ],
                fields=["class", "class_id", "square_metres"],
                layer=_LAYER,
                driver="GPKG",
                geometry_type="Polygon",
                crs=crs.to_wkt() if crs else None,
                append=started,
            )
        except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
            msg = f"{path}: cannot be written ({' '.join(str(error).split())})"
            raise SegnextError(msg) from None
        started = True


def _write_geojson(path: Path, outlines: Iterator[_Outline], classes: Classes, crs: Any) -> None:
    warp = import_rasterio().warp
    with path.open("w", encoding="utf-8") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        for number, outline in enumerate(outlines):
            geometry = outline.geometry
            if crs:
                geometry = warp.transform_geom(crs, _WGS84, geometry, precision=_DIGITS)
            properties = {
                "class": classes.label_names[outline.class_id],
                "class_id": outline.class_id,
                "square_metres": None if outline.area is None else round(outline.area, 3),
            }
            feature = {"type": "Feature", "geometry": geometry, "properties": properties}
            file.write(("," if number else "") + "\n" + json.dumps(feature))
        file.write("\n]}\n")
