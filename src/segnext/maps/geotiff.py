"""Maps of classes as cloud-optimised GeoTIFF: place on earth, colours and names of the classes.

Names stand in the tags of the band and, in the form that GDAL, QGIS and ArcGIS read, as category
names and as a raster attribute table in `NAME.tif.aux.xml` beside the file: TIFF has no place for
them.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from segnext.classes import Classes
from segnext.data.rasters import (
    CACHE_MB,
    Raster,
    import_rasterio,
    open_dataset,
    without_place_allowed,
)
from segnext.errors import DataError, SegnextError
from segnext.maps.progress import UNKNOWN_PERCENT, Block, Progress
from segnext.storage import replace_atomically, write_atomically

MADE_TAG = "SEGNEXT_MADE"
_TILE = 512
_PACKING = "DEFLATE"
# Types and meanings of the columns of an attribute table, as GDAL numbers them.
_INTEGER, _TEXT = 0, 2
_NAME, _VALUE, _RED, _GREEN, _BLUE = 2, 5, 6, 7, 8


def write_labels(
    path: Path, raster: Raster, progress: Progress, classes: Classes, made: Mapping[str, Any]
) -> None:
    """Write the labels of a map; the file appears whole or not at all.

    Args:
        path: Of the GeoTIFF.
        raster: The map they are of.
        progress: With all blocks.
        classes: Names and colours.
        made: What the result depends on; see `read_made`.

    Raises:
        SegnextError: The disk refuses.
    """
    kind = np.dtype(classes.mask_dtype).name
    write_atomically(path.with_name(f"{path.name}.aux.xml"), _describe_classes(classes))
    with (
        replace_atomically(path) as temporary,
        _assemble(temporary, raster, progress, kind, classes.ignore_index) as target,
    ):
        for place, block in _blocks(progress):
            target.write(block.labels, 1, window=place)
        if kind == "uint8":
            colors = dict(enumerate((*color, 255) for color in classes.label_colors))
            target.write_colormap(1, {**colors, classes.ignore_index: (0, 0, 0, 0)})
        target.set_band_description(1, "class")
        names = {f"CLASS_{index}": name for index, name in enumerate(classes.label_names)}
        target.update_tags(1, **names)
        target.update_tags(**{MADE_TAG: json.dumps(made)})


def write_confidence(
    path: Path, raster: Raster, progress: Progress, made: Mapping[str, Any]
) -> None:
    """Write the probabilities of a map's labels in percent; arguments as in `write_labels`."""
    with (
        replace_atomically(path) as temporary,
        _assemble(temporary, raster, progress, "uint8", UNKNOWN_PERCENT) as target,
    ):
        for place, block in _blocks(progress):
            assert block.confidence is not None
            target.write(block.confidence, 1, window=place)
        target.set_band_description(1, "confidence [%]")
        target.update_tags(**{MADE_TAG: json.dumps(made)})


def read_made(path: Path) -> Any:
    """Return what a map that was written here depends on; `None` of other files, or without one."""
    if not path.is_file():
        return None
    try:
        with open_dataset(path) as dataset:
            return json.loads(dataset.tags().get(MADE_TAG, "null"))
    except (DataError, ValueError):
        return None


@contextmanager
def _assemble(
    path: Path, raster: Raster, progress: Progress, kind: str, nodata: int
) -> Iterator[Any]:
    """Open a plain GeoTIFF to write to, which becomes a cloud-optimised one at `path`.

    Overviews come before the pixels in such a file, so it cannot be written from top to bottom.
    """
    rasterio = import_rasterio()
    # What a kill leaves there goes with the rest.
    plain, finished = progress.folder / "assembled.tif", progress.folder / "finished.tif"
    profile = {
        "driver": "GTiff",
        "height": raster.height,
        "width": raster.width,
        "count": 1,
        "dtype": kind,
        "nodata": nodata,
        "crs": raster.crs or None,
        "transform": rasterio.Affine(*raster.transform),
        "compress": _PACKING,
        "BIGTIFF": "IF_SAFER",
    }
    tiles = {"tiled": True, "blockxsize": _TILE, "blockysize": _TILE}
    # Averages of labels are labels of something else.
    overviews = {"blocksize": _TILE, "overview_resampling": "MODE"}
    try:
        with rasterio.Env(GDAL_CACHEMAX=CACHE_MB, GDAL_PAM_ENABLED=False), without_place_allowed():
            with rasterio.open(plain, "w", **profile, **tiles) as target:
                yield target
            rasterio.shutil.copy(
                plain, finished, driver="COG", compress=_PACKING, BIGTIFF="IF_SAFER", **overviews
            )
        finished.replace(path)
    except rasterio.errors.RasterioIOError as error:
        msg = f"{path}: cannot be written ({' '.join(str(error).split())})"
        raise SegnextError(msg) from None
    finally:
        plain.unlink(missing_ok=True)


def _blocks(progress: Progress) -> Iterator[tuple[Any, Block]]:
    """Yield the blocks of a map with their places in it."""
    window = import_rasterio().windows.Window
    for top in progress.tops:
        rows = progress.rows(top)
        for number, strip in enumerate(progress.strips):
            place = window(strip.first, top, strip.last - strip.first, rows.stop - top)
            yield place, progress.load(number, top)


def _describe_classes(classes: Classes) -> bytes:
    """Return names and colours in the form of GDAL's auxiliary files."""
    root = ElementTree.Element("PAMDataset")
    band = ElementTree.SubElement(root, "PAMRasterBand", band="1")
    categories = ElementTree.SubElement(band, "CategoryNames")
    table = ElementTree.SubElement(band, "GDALRasterAttributeTable", tableType="thematic")
    columns = (
        ("Value", _INTEGER, _VALUE),
        ("Class", _TEXT, _NAME),
        ("Red", _INTEGER, _RED),
        ("Green", _INTEGER, _GREEN),
        ("Blue", _INTEGER, _BLUE),
    )
    for index, (title, kind, usage) in enumerate(columns):
        column = ElementTree.SubElement(table, "FieldDefn", index=str(index))
        for tag, value in (("Name", title), ("Type", kind), ("Usage", usage)):
            ElementTree.SubElement(column, tag).text = str(value)
    entries = zip(classes.label_names, classes.label_colors, strict=True)
    for train_id, (name, color) in enumerate(entries):
        ElementTree.SubElement(categories, "Category").text = name
        row = ElementTree.SubElement(table, "Row", index=str(train_id))
        for value in (train_id, name, *color):
            ElementTree.SubElement(row, "F").text = str(value)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode").encode()
