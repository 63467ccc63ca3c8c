"""CVAT's "CVAT for images 1.1": one XML file of polygons, boxes, ellipses and masks.

    export.zip, or its folder
        annotations.xml
        images/a.jpg            or images/Train/a.jpg, or anywhere else below

Shapes are painted by their `z_order`, then in the order of the file. The attribute `subset` of a
picture is its split. Boxes and ellipses turn clockwise about their centre by `rotation`. Polylines,
points, tags, cuboids and skeletons cover no area and are skipped. Labels come from the head of the
file with their colours, those that can cover an area; without a head, those found count, in
alphabetical order.
"""

import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from segnext.classes import Color
from segnext.data.containers.paths import is_file, read_bytes
from segnext.data.formats.cvat_shapes import WITH_AREA, read_area
from segnext.data.formats.format import Format
from segnext.data.formats.json_files import read_head
from segnext.data.formats.picture_index import PictureIndex
from segnext.data.formats.shape_classes import declare_shape_classes, number_labels
from segnext.data.formats.shape_layout import (
    UNNAMED_SPLIT,
    LabelledPicture,
    build_shape_layout,
    describe_skipped,
    read_numbers,
    read_size,
)
from segnext.data.layout import Layout
from segnext.data.shapes import Area, Shape
from segnext.errors import DataError, UsageError, list_some

_FILE = "annotations.xml"
# Types of labels that cover no area.
_THIN_TYPES = frozenset({"cuboid", "points", "polyline", "skeleton", "tag"})
_HEX = re.compile(r"#[0-9a-fA-F]{6}")


def detect(root: Path) -> bool:
    """Tell whether a folder or archive holds CVAT's annotations.xml."""
    try:
        return is_file(root / _FILE) and "<annotations" in read_head(root / _FILE, 2048)
    except (OSError, DataError):
        return False


def read(root: Path, *, unlabelled: str = "background", images: str | None = None) -> Layout:
    """Read an export; see this module.

    Args:
        root: Folder or archive.
        unlabelled: What pixels are that no shape covers: `background` or `ignore`.
        images: Folder of the pictures below `root`; the whole of it if not given.

    Raises:
        DataError: The file is missing, malformed, or one of CVAT for video, a label is unknown,
            or a picture is not there.
        UsageError: An option is out of range, or defusedxml is not installed.
    """
    path = root / _FILE
    index = PictureIndex(root, images)
    found = _Found(path)
    for element in _iterate(path):
        found.add(element, index)
    names = found.labels or dict.fromkeys(sorted(found.seen))
    if not names:
        msg = f"{path}: holds no label; label some pictures and export again"
        raise DataError(msg)
    notes = describe_skipped(found.skipped)
    if not found.labels:
        notes.append(f"classes: the file lists none, so these were found: {list_some(names, 10)}")
    colors = {name: color for name, color in names.items() if color}
    declared = declare_shape_classes(
        number_labels(names), str(path), unlabelled=unlabelled, colors=colors
    )
    pictures = [
        LabelledPicture(
            entry.path,
            path,
            tuple(Shape(declared.raw_id(label, where), area) for label, area, where in entry.areas),
            entry.size,
            entry.split,
        )
        for entry in found.pictures
    ]
    return build_shape_layout("CVAT for images", pictures, index, declared, notes)


@dataclass(frozen=True)
class _Picture:
    path: Path
    areas: list[tuple[str, Area, str]]
    size: tuple[int, int]
    split: str


@dataclass
class _Found:
    """What was read so far.

    Attributes:
        path: The file.
        labels: Colour by label, as the head lists them.
        seen: Labels of shapes.
        skipped: Shapes without area, by their kind.
        pictures: In the order of the file.
    """

    path: Path
    labels: dict[str, Color | None] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    skipped: Counter[str] = field(default_factory=Counter)
    pictures: list[_Picture] = field(default_factory=list)

    def add(self, element: Element, index: PictureIndex) -> None:
        if element.tag == "meta":
            self._add_labels(element)
        elif element.tag == "image":
            self._add_picture(element, index)
        elif element.tag == "track":
            msg = f"{self.path}: holds tracks of a video; export as CVAT for images 1.1"
            raise DataError(msg)

    def _add_labels(self, meta: Element) -> None:
        for label in meta.iterfind("*/labels/label"):
            name = (label.findtext("name") or "").strip()
            thin = (label.findtext("type") or "").strip() in _THIN_TYPES
            if name and not thin and not label.findtext("parent"):
                self.labels[name] = _read_color((label.findtext("color") or "").strip())

    def _add_picture(self, image: Element, index: PictureIndex) -> None:
        name, split = image.get("name", ""), image.get("subset", "")
        where = f"{self.path}: image {name!r}"
        size = read_size(image.get("height"), image.get("width"), where)
        layers: list[tuple[float, tuple[str, Area, str]]] = []
        for number, shape in enumerate(image, 1):
            kind = str(shape.tag)
            if kind not in WITH_AREA:
                self.skipped[kind] += 1
                continue
            label, place = shape.get("label", ""), f"{where}, shape {number} ({kind})"
            self.seen.add(label)
            (z_order,) = read_numbers({"z_order": 0} | shape.attrib, ["z_order"], place)
            layers.append((z_order, (label, read_area(kind, shape.attrib, place), place)))
        # Sorting is stable: the order of the file decides what z_order leaves open.
        layers.sort(key=lambda layer: layer[0])
        path = index.find(f"{split}/{name}" if split else name, where)
        areas = [area for _, area in layers]
        self.pictures.append(_Picture(path, areas, size, split or UNNAMED_SPLIT))


def _read_color(text: str) -> Color | None:
    if not _HEX.fullmatch(text):
        return None
    red, green, blue = bytes.fromhex(text[1:])
    return red, green, blue


def _iterate(path: Path) -> Iterator[Element]:
    """Yield the parts of the file one by one, so that a large one never stands in memory whole."""
    try:
        from defusedxml import DefusedXmlException
        from defusedxml.ElementTree import iterparse
    except ImportError:
        msg = f'{path}: XML needs another package: pip install "segnext[annotations]"'
        raise UsageError(msg) from None
    try:
        data = io.BytesIO(read_bytes(path))
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror or error}); export as CVAT for images 1.1"
        raise DataError(msg) from None
    parts: list[Any] = []
    try:
        for event, element in iterparse(data, ("start", "end"), forbid_dtd=True):
            if event == "start":
                if not parts and element.tag != "annotations":
                    msg = f"{path}: is no file of CVAT, which starts with <annotations>"
                    raise DataError(msg)
                parts.append(element)
                continue
            parts.pop()
            if len(parts) == 1:
                yield element
                parts[0].clear()
    except DataError:
        raise
    except DefusedXmlException:
        msg = f"{path}: declares entities or a document type, which CVAT does not; export it again"
        raise DataError(msg) from None
    except (ParseError, LookupError, ValueError) as error:  # the latter two about its encoding
        msg = f"{path}: is no valid XML ({error}); export it again"
        raise DataError(msg) from None


FORMAT = Format("cvat", "annotations of CVAT for images", detect, read)
