"""A map of any size to a map of classes, in bounded memory, and on after a kill."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from segnext.classes import Classes, Mask
from segnext.data.grid import Patch
from segnext.data.images import Image
from segnext.data.rasters import Raster, ValueRange, open_raster
from segnext.errors import UsageError, describe_unknown
from segnext.inference.masks import MaskBand
from segnext.maps.areas import MapAreas, count_areas, write_areas
from segnext.maps.geotiff import read_made, write_confidence, write_labels
from segnext.maps.polygons import SUFFIXES, write_polygons
from segnext.maps.progress import UNKNOWN_PERCENT, Block, Progress
from segnext.maps.strips import STRIP_WIDTH, part_below, plan_strips
from segnext.predict import Predictor
from segnext.protocol import Protocol
from segnext.spec import Normalization

WINDOW = 1024


@dataclass(frozen=True)
class MapOptions:
    """What is made of a map, and how its file is read.

    Attributes:
        bands: As in `open_raster`.
        value_range: As in `open_raster`.
        confidence: Also write a raster of the labels' probabilities.
        polygons: Also write outlines: `gpkg`, `geojson`, or `None` for none.
    """

    bands: tuple[int, ...] | None = None
    value_range: ValueRange | None = None
    confidence: bool = False
    polygons: str | None = None

    def __post_init__(self) -> None:
        if self.polygons is not None and self.polygons not in SUFFIXES:
            raise UsageError(describe_unknown("kind of polygons", self.polygons, SUFFIXES))


@dataclass(frozen=True)
class PredictedMap:
    """What was made of a map.

    Attributes:
        labels: Cloud-optimised GeoTIFF of train ids.
        areas: Of every class.
        skipped: All of it was there already, made of the same.
    """

    labels: Path
    areas: MapAreas
    skipped: bool = False


def map_protocol(protocol: Protocol) -> tuple[Protocol, list[str]]:
    """Return the protocol by which maps are predicted: windows, at the map's own size, one view.

    Args:
        protocol: Of the weights, or as asked for. Windows blend if it has none.

    Returns:
        The protocol, and what of the given one is left out.
    """
    plain = Protocol(window=WINDOW, overlap="blend")
    if protocol.window is not None:
        plain = Protocol(window=protocol.window, stride=protocol.stride, overlap=protocol.overlap)
    left_out = {
        "resizing": protocol.short_side is not None or protocol.box is not None,
        "scales": protocol.scales != (1.0,),
        "flip": protocol.flip,
    }
    return plain, [name for name, given in left_out.items() if given]


def predict_map(
    predictor: Predictor,
    path: Path,
    out: Path,
    name: str,
    options: MapOptions | None = None,
    *,
    made_by: str = "",
    strip_width: int = STRIP_WIDTH,
    on_block: Callable[[int, int], None] = lambda _done, _total: None,
) -> PredictedMap:
    """Predict a raster of any size, window by window.

    The labels are those that the predictor gives for the whole picture in memory. What is done is
    kept in `out/maps/.NAME.progress` until all is, so that the same call goes on after a kill.

    Args:
        predictor: By a protocol from `map_protocol`.
        path: The raster.
        out: Folder; gets `maps/NAME.tif`, `areas/NAME.csv` and on request `confidence/NAME.tif`
            and `polygons/NAME.gpkg` or `.geojson`.
        name: Without suffix; may hold `/`.
        options: Bands, values, and what else is written.
        made_by: Fingerprint of the weights.
        strip_width: Of parts of a wide map that are predicted one after the other, in pixels.
        on_block: Called with blocks done and in all, at the start and after each.

    Raises:
        UsageError: The protocol is not one for maps, or an option does not fit the file.
        DataError: The file cannot be read.
        SegnextError: The result cannot be written.
    """
    options = options or MapOptions()
    if map_protocol(predictor.protocol)[0] != predictor.protocol:
        msg = (
            f"maps are predicted in windows at their own size and in one view, not by "
            f"{predictor.protocol.describe()}; take the protocol from map_protocol"
        )
        raise UsageError(msg)
    spec = predictor.spec
    raster = open_raster(
        path,
        channels=spec.normalization.channels,
        bands=options.bands,
        value_range=options.value_range,
    )
    made = _describe(raster, predictor, made_by)
    files = _Files.of(out, name, options)
    if files.are_made_of(made):
        areas = count_areas(files.labels, spec.classes)
        files.write_missing(areas, spec.classes)
        return PredictedMap(files.labels, areas, skipped=True)
    strips = plan_strips(raster.width, predictor.protocol, strip_width)
    folder = files.labels.with_name(f".{files.labels.stem}.progress")
    wanted = {**made, "confidence": options.confidence}
    progress = Progress(folder, wanted, raster.height, strips)
    _predict_blocks(predictor, raster, progress, options, on_block)
    files.remove_stale()
    if files.confidence is not None:
        write_confidence(files.confidence, raster, progress, made)
    # Before the rest, which is made of it: what is missing of that is made by the next call.
    write_labels(files.labels, raster, progress, spec.classes, made)
    areas = count_areas(files.labels, spec.classes)
    files.write_missing(areas, spec.classes)
    progress.remove()
    return PredictedMap(files.labels, areas)


@dataclass(frozen=True)
class _Files:
    """Where the results of a map lie; those that were not asked for are `None`."""

    labels: Path
    areas: Path
    confidence: Path | None
    polygons: Path | None
    companions: tuple[Path, ...]

    @classmethod
    def of(cls, out: Path, name: str, options: MapOptions) -> "_Files":
        areas, confidence = out / "areas" / f"{name}.csv", out / "confidence" / f"{name}.tif"
        polygons = {kind: out / "polygons" / f"{name}.{kind}" for kind in SUFFIXES}
        return cls(
            out / "maps" / f"{name}.tif",
            areas,
            confidence if options.confidence else None,
            polygons[options.polygons] if options.polygons else None,
            (areas, confidence, *polygons.values()),
        )

    def are_made_of(self, made: dict[str, Any]) -> bool:
        """Tell whether the rasters are there, made of the same."""
        rasters = (self.labels,) if self.confidence is None else (self.labels, self.confidence)
        return all(read_made(path) == made for path in rasters)

    def remove_stale(self) -> None:
        """Remove what another prediction of the map has left beside its labels."""
        for path in (self.labels, *self.companions):
            path.unlink(missing_ok=True)

    def write_missing(self, areas: MapAreas, classes: Classes) -> None:
        """Write what follows from the labels, if it is not there."""
        if not self.areas.is_file():
            write_areas(self.areas, areas)
        if self.polygons is not None and not self.polygons.is_file():
            write_polygons(self.polygons, self.labels, classes)


def _describe(raster: Raster, predictor: Predictor, made_by: str) -> dict[str, Any]:
    """Say what a result depends on, as JSON has it."""
    found = raster.path.stat()
    classes = json.dumps(predictor.spec.classes.to_dict())
    return {
        "source": raster.path.name,
        "size": [raster.height, raster.width],
        "bytes": found.st_size,
        "changed": found.st_mtime_ns,
        "bands": list(raster.bands),
        "value_range": None if raster.value_range is None else list(raster.value_range),
        "weights": made_by,
        "classes": hashlib.sha256(classes.encode()).hexdigest(),
        "protocol": predictor.protocol.describe(),
        "backend": predictor.backend,
    }


def _predict_blocks(
    predictor: Predictor,
    raster: Raster,
    progress: Progress,
    options: MapOptions,
    on_block: Callable[[int, int], None],
) -> None:
    done, total = progress.count_done(), len(progress.tops) * len(progress.strips)
    on_block(done, total)
    for number, strip in enumerate(progress.strips):
        top = progress.next_top(number)
        if top is None:
            continue
        part = part_below(top, strip, raster.height, predictor.protocol)
        rows = _MapRows(raster, part, predictor.spec.normalization)
        bands = predictor.predict_bands(rows, confidence=options.confidence)
        kept = slice(strip.first - strip.left, strip.last - strip.left)
        for rows_done, band in _regroup(_cut(bands, part.top, kept), progress, top):
            window = Patch(rows_done.start, strip.first, rows_done.stop, strip.last)
            observed = raster.observed(window)
            labels, confidence = band.labels, None
            labels[~observed] = predictor.spec.classes.ignore_index
            if band.confidence is not None:
                confidence = np.rint(band.confidence * 100).astype(np.uint8)
                confidence[~observed] = UNKNOWN_PERCENT
            progress.save(number, rows_done.start, Block(labels, confidence))
            done += 1
            on_block(done, total)


def _cut(bands: Iterator[MaskBand], offset: int, columns: slice) -> Iterator[MaskBand]:
    """Place the bands of a part in its map, with the columns that are kept of them."""
    for band in bands:
        rows = slice(band.rows.start + offset, band.rows.stop + offset)
        confidence = None if band.confidence is None else band.confidence[:, columns]
        yield MaskBand(rows, band.labels[:, columns], confidence)


def _regroup(
    bands: Iterator[MaskBand], progress: Progress, top: int
) -> Iterator[tuple[slice, MaskBand]]:
    """Join bands to the rows of blocks, from the block at row `top` on."""
    wanted, parts = progress.rows(top), list[MaskBand]()
    for band in bands:
        while band.rows.stop > wanted.start:
            first, last = max(band.rows.start, wanted.start), min(band.rows.stop, wanted.stop)
            parts.append(_slice_band(band, first, last))
            if last < wanted.stop:
                break
            yield wanted, _join(parts, wanted)
            parts = []
            if last == progress.height:
                return
            wanted = progress.rows(last)


def _slice_band(band: MaskBand, first: int, last: int) -> MaskBand:
    inside = slice(first - band.rows.start, last - band.rows.start)
    confidence = None if band.confidence is None else band.confidence[inside]
    return MaskBand(slice(first, last), band.labels[inside], confidence)


def _join(parts: Sequence[MaskBand], rows: slice) -> MaskBand:
    labels: Mask = np.concatenate([part.labels for part in parts])
    shares = [part.confidence for part in parts if part.confidence is not None]
    return MaskBand(rows, labels, np.concatenate(shares) if shares else None)


class _MapRows:
    """Rows of a part of a raster, as a network is fed them.

    Args:
        raster: The map.
        part: Of it.
        normalization: Of the model. Where nothing was observed, pixels get the value that it
            takes for missing, or else the mean.
    """

    def __init__(self, raster: Raster, part: Patch, normalization: Normalization) -> None:
        self.raster = raster
        self.part = part
        self.normalization = normalization
        self.shape = (part.height, part.width, len(raster.bands))

    def __getitem__(self, rows: slice) -> Image:
        """Read rows (n, W, C)."""
        first, last, _ = rows.indices(self.part.height)
        window = replace(self.part, top=self.part.top + first, bottom=self.part.top + last)
        image, observed = self.raster.read(window)
        if not observed.all():
            image[~observed] = self._fill(image)
        return image

    def _fill(self, image: Image) -> Image:
        scale = int(np.iinfo(image.dtype).max)
        nodata = self.normalization.nodata
        if nodata is not None and 0 <= nodata <= scale and nodata == int(nodata):
            return np.full(self.shape[2], int(nodata), image.dtype)
        mean = np.array(self.normalization.mean) * scale
        fill: Image = np.rint(mean).clip(0, scale).astype(image.dtype)
        return fill
