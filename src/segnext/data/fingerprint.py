"""What a data set is like, measured: the facts on which every choice of a training run rests."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from segnext.data.components import Components, measure_components
from segnext.data.duplicates import NearDuplicates, compare_splits
from segnext.data.folder import Folder, FolderDataset
from segnext.data.headers import ImageHeader, image_header
from segnext.data.statistics import (
    Counts,
    PixelStatistics,
    compute_statistics,
    count_values,
    spread_sample,
)
from segnext.data.transforms import nodata_pixels
from segnext.errors import UsageError, list_some


@dataclass(frozen=True)
class ClassFingerprint:
    """One class in the sampled training masks; areas and widths are `None` where it is absent.

    Attributes:
        name: Of the class.
        pixels: That it covers.
        pixel_share: Of all counted pixels, 0 to 1.
        image_share: Of the pictures that hold it, 0 to 1.
        pixels_where_present: Counted pixels of the pictures that hold it.
        components: Number of connected components; neighbours touch by side or corner.
        median_area: Of a component, in pixels.
        small_area: 10 percentile of the components' areas, in pixels.
        median_width: Half of the components' area lies in parts narrower than this, in pixels.
    """

    name: str
    pixels: int
    pixel_share: float
    image_share: float
    pixels_where_present: int
    components: int
    median_area: float | None
    small_area: float | None
    median_width: float | None


@dataclass(frozen=True)
class Fingerprint:
    """What a data set is like.

    Attributes:
        splits: Number of pictures by split.
        sampled: Training pictures read with their masks; what follows about pixels is of these.
        height: Least, median and greatest, in pixels, from headers of all splits.
        width: Least, median and greatest, in pixels, from headers of all splits.
        channels: Of every picture.
        bits: 16 if any picture seen has 16 bit, else 8.
        counted_pixels: That have a class: neither ignored by the mask nor without data.
        ignored_share: Of all pixels, ignored by the mask, 0 to 1.
        nodata: Stored value of pixels that were never observed, as given or else as declared by
            most GeoTIFFs that declare one.
        nodata_share: Of all pixels, without data, 0 to 1.
        metres_per_pixel: Median over the GeoTIFFs that say it.
        values: Of the pixels with data.
        classes: One entry per train id.
        groups: Number of groups by split; empty where no rule groups the pictures.
        shared_groups: Groups that lie in several splits.
        near_duplicates: One entry per pair of splits that share any.
    """

    splits: dict[str, int]
    sampled: int
    height: tuple[int, int, int]
    width: tuple[int, int, int]
    channels: int
    bits: int
    counted_pixels: int
    ignored_share: float
    nodata: float | None
    nodata_share: float
    metres_per_pixel: float | None
    values: PixelStatistics
    classes: tuple[ClassFingerprint, ...]
    groups: dict[str, int]
    shared_groups: tuple[str, ...]
    near_duplicates: tuple[NearDuplicates, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form without NaN; `from_dict` reads it back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Fingerprint":
        """Rebuild a fingerprint from `to_dict`.

        Raises:
            KeyError, TypeError: A required entry is missing or an unknown one is present.
        """
        values = {name: tuple(entries) for name, entries in data["values"].items()}
        near = [
            NearDuplicates(
                splits=tuple(entry["splits"]),
                compared=tuple(entry["compared"]),
                pairs=entry["pairs"],
                pictures=entry["pictures"],
                examples=tuple((one, other) for one, other in entry["examples"]),
            )
            for entry in data["near_duplicates"]
        ]
        return cls(
            **{
                **data,
                "height": tuple(data["height"]),
                "width": tuple(data["width"]),
                "values": PixelStatistics(**values),
                "classes": tuple(ClassFingerprint(**entry) for entry in data["classes"]),
                "shared_groups": tuple(data["shared_groups"]),
                "near_duplicates": tuple(near),
            }
        )

    def describe(self) -> list[str]:
        """Say what matters in a few lines for the terminal."""
        counts = ", ".join(f"{count} {split}" for split, count in self.splits.items())
        kind = "RGB" if self.channels == 3 else f"{self.channels} channels"
        lines = [
            f"pictures: {_range(self.width)} x {_range(self.height)} px, {self.bits}-bit {kind}; "
            f"{counts}",
            f"masks: {self.sampled} of {self.splits['train']} read, "
            f"{_percent(self.ignored_share)} of pixels ignored",
        ]
        lines += self._describe_classes()
        if self.nodata is not None:
            share = _percent(self.nodata_share)
            lines.append(f"nodata: {share} of pixels have the value {self.nodata:g}")
        if self.metres_per_pixel is not None:
            lines.append(f"ground: {self.metres_per_pixel:g} m per pixel")
        if self.shared_groups:
            shared = list_some(self.shared_groups)
            lines.append(f"leak: {len(self.shared_groups)} groups lie in several splits: {shared}")
        for near in self.near_duplicates:
            (one, other), (first, second) = near.splits, near.examples[0]
            lines.append(
                f"near-duplicates: {near.pictures} of {near.compared[1]} {other} pictures resemble "
                f"one of {near.compared[0]} in {one}, such as {second} and {first}"
            )
        return lines

    def _describe_classes(self) -> list[str]:
        present = [entry for entry in self.classes if entry.pixels]
        absent = [entry.name for entry in self.classes if not entry.pixels]
        lines = []
        if present:
            rare = min(present, key=lambda entry: entry.pixel_share)
            thin = min(present, key=lambda entry: entry.median_width or 0.0)
            lines.append(
                f"classes: {len(self.classes)}; rarest {rare.name}, {_percent(rare.pixel_share)} "
                f"of pixels, in {_percent(rare.image_share)} of pictures; thinnest {thin.name}, "
                f"{thin.median_width:.3g} px wide"
            )
        if absent:
            lines.append(f"classes: no pixel in the masks read: {list_some(absent)}")
        return lines


def take_fingerprint(
    folder: Folder, *, limit: int = 400, nodata: float | None = None
) -> Fingerprint:
    """Measure a data set.

    Args:
        folder: With a `train` split that has masks.
        limit: Training pictures read with their masks, and headers read per split, at most; they
            are spread evenly.
        nodata: Stored value of pixels that were never observed; by default what GeoTIFFs declare.

    Raises:
        DataError: There is no training split, a file is broken, or no pixel holds data.
        UsageError: The limit is below 1.
    """
    if limit < 1:
        msg = f"a fingerprint needs at least one picture, got limit {limit}"
        raise UsageError(msg)
    train = folder.dataset("train")
    headers = [header for part in folder.splits.values() for header in _headers(part, limit)]
    if nodata is None:
        nodata = _declared_nodata(headers)
    sample = spread_sample(len(train), limit)
    tally = _Tally(len(folder.classes.label_names))
    with ThreadPoolExecutor() as threads:
        readings = threads.map(lambda index: _read(train, index, nodata), sample)
        values = compute_statistics(tally.take(readings))
    every = max(1, tally.pixels)
    scales = [header.metres_per_pixel for header in headers if header.metres_per_pixel is not None]
    groups = _groups(folder)
    return Fingerprint(
        splits={split: len(part) for split, part in folder.splits.items()},
        sampled=len(sample),
        height=_spread([header.height for header in headers]),
        width=_spread([header.width for header in headers]),
        channels=folder.channels,
        bits=folder.bits,
        counted_pixels=int(tally.class_pixels.sum()),
        ignored_share=tally.ignored / every,
        nodata=nodata,
        nodata_share=tally.missing / every,
        metres_per_pixel=statistics.median(scales) if scales else None,
        values=values,
        classes=tally.describe_classes(folder.classes.label_names, len(sample)),
        groups={split: len(names) for split, names in groups.items()},
        shared_groups=_shared(groups),
        near_duplicates=compare_splits(folder),
    )


@dataclass(frozen=True)
class _Reading:
    """What one training picture and its mask add."""

    values: Counts
    class_pixels: Counts
    pixels: int
    missing: int
    ignored: int
    components: dict[int, Components]


def _read(train: FolderDataset, index: int, nodata: float | None) -> _Reading:
    item = train[index]
    image, mask = item["image"], item["mask"]
    missing = nodata_pixels(image, nodata)
    ignored = mask == train.classes.ignore_index
    labels = len(train.classes.label_names)
    pixels = np.bincount(mask[~(missing | ignored)], minlength=labels)
    return _Reading(
        values=count_values(image, missing),
        class_pixels=pixels,
        pixels=mask.size,
        missing=int(missing.sum()),
        ignored=int(ignored.sum()),
        components={
            label: measure_components((mask == label) & ~missing)
            for label in np.flatnonzero(pixels).tolist()
        },
    )


class _Tally:
    """Sums of the readings, without the pictures themselves."""

    def __init__(self, labels: int) -> None:
        self.class_pixels = np.zeros(labels, np.int64)
        self.images_with = np.zeros(labels, np.int64)
        self.pixels_where_present = np.zeros(labels, np.int64)
        self.components: dict[int, list[Components]] = defaultdict(list)
        self.pixels = self.missing = self.ignored = 0

    def take(self, readings: Iterator[_Reading]) -> Iterator[Counts]:
        """Add each reading and pass its histogram on."""
        for reading in readings:
            present = reading.class_pixels > 0
            self.class_pixels += reading.class_pixels
            self.images_with += present
            self.pixels_where_present += present * reading.class_pixels.sum()
            self.pixels += reading.pixels
            self.missing += reading.missing
            self.ignored += reading.ignored
            for label, components in reading.components.items():
                self.components[label].append(components)
            yield reading.values

    def describe_classes(self, names: tuple[str, ...], images: int) -> tuple[ClassFingerprint, ...]:
        counted = max(1, int(self.class_pixels.sum()))
        return tuple(
            ClassFingerprint(
                name=name,
                pixels=int(self.class_pixels[label]),
                pixel_share=int(self.class_pixels[label]) / counted,
                image_share=int(self.images_with[label]) / images,
                pixels_where_present=int(self.pixels_where_present[label]),
                **self._measure_things(label),
            )
            for label, name in enumerate(names)
        )

    def _measure_things(self, label: int) -> dict[str, Any]:
        parts = self.components.get(label)
        if not parts:
            sizes = dict.fromkeys(("median_area", "small_area", "median_width"))
            return {"components": 0, **sizes}
        areas = np.concatenate([part.areas for part in parts])
        widths = np.concatenate([part.widths for part in parts])
        return {
            "components": len(areas),
            "median_area": float(np.median(areas)),
            "small_area": float(np.percentile(areas, 10)),
            "median_width": _median_by_area(widths),
        }


def _headers(part: FolderDataset, limit: int) -> list[ImageHeader]:
    paths = [part.items[index].image_path for index in spread_sample(len(part), limit)]
    with ThreadPoolExecutor() as threads:
        return list(threads.map(image_header, paths))


def _declared_nodata(headers: list[ImageHeader]) -> float | None:
    declared = Counter(header.nodata for header in headers if header.nodata is not None)
    return max(declared, key=lambda value: (declared[value], -value), default=None)


def _groups(folder: Folder) -> dict[str, set[str]]:
    # Without a rule each picture is its own group, and equal names mean nothing.
    ruled = any(item.group != item.name for part in folder.splits.values() for item in part.items)
    return {
        split: {item.group for item in part.items} for split, part in folder.splits.items() if ruled
    }


def _shared(groups: Mapping[str, set[str]]) -> tuple[str, ...]:
    shared = {name for one, other in combinations(groups.values(), 2) for name in one & other}
    return tuple(sorted(shared))


def _median_by_area(widths: npt.NDArray[np.float64]) -> float:
    """Return the median width, where each point of a middle line stands for the pixels across."""
    ascending = np.sort(widths)
    covered = ascending.cumsum()
    return float(ascending[np.searchsorted(covered, covered[-1] / 2)])


def _spread(sizes: list[int]) -> tuple[int, int, int]:
    return min(sizes), int(statistics.median(sizes)), max(sizes)


def _range(sizes: tuple[int, int, int]) -> str:
    least, median, greatest = sizes
    return f"{median}" if least == greatest else f"{median} ({least} to {greatest})"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
