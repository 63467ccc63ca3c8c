"""CVAT for images 1.1: one XML file, with a mask for each connected area.

Masks, since CVAT's brush and eraser change them pixel by pixel. `labels.json` is what the
constructor of a task or project takes as raw labels.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

from segnext.classes import Classes, Color
from segnext.data.shapes import Runs
from segnext.errors import DataError
from segnext.predict.writers.data_yaml import write_data_yaml
from segnext.predict.writers.labelled import Labelled
from segnext.predict.writers.writer import Writer
from segnext.storage import replace_atomically, write_atomically

_FILE = "annotations.xml"
# Control characters, and what Python makes of file names that are no UTF-8.
_NOT_IN_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _write(folder: Path, pictures: Iterable[Labelled], classes: Classes) -> None:
    with (
        replace_atomically(folder / _FILE) as temporary,
        temporary.open("w", encoding="utf-8") as file,
    ):
        file.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n')
        file.write("<version>1.1</version>\n")
        file.write(_as_text(_describe_labels(classes)))
        for number, picture in enumerate(pictures):
            file.write(_as_text(_describe_image(picture, number)))
        file.write("</annotations>\n")
    labels = [
        {"name": name, "color": _hex(color), "type": "any", "attributes": []}
        for name, color in zip(classes.label_names, classes.label_colors, strict=True)
    ]
    write_atomically(folder / "labels.json", json.dumps(labels, indent=1).encode())
    write_data_yaml(folder, classes, {"format": "cvat"})


def _describe_labels(classes: Classes) -> Element:
    meta = Element("meta")
    labels = SubElement(SubElement(meta, "task"), "labels")
    for name, color in zip(classes.label_names, classes.label_colors, strict=True):
        label = SubElement(labels, "label")
        SubElement(label, "name").text = name
        SubElement(label, "color").text = _hex(color)
        SubElement(label, "type").text = "any"
        SubElement(label, "attributes")
    return meta


def _describe_image(picture: Labelled, number: int) -> Element:
    """Return the element of a picture."""
    height, width = picture.mask.shape
    image = Element(
        "image",
        {
            "id": str(number),
            "name": picture.file_name,
            "width": str(width),
            "height": str(height),
        },
    )
    for region in picture.regions():
        left, top, across, down = region.box
        counts = Runs.from_bitmap(region.inside).counts.tolist()
        SubElement(
            image,
            "mask",
            {
                "label": picture.classes.label_names[region.label],
                "source": "auto",
                "occluded": "0",
                "rle": ", ".join(map(str, counts if counts[-1] else counts[:-1])),
                "left": str(left),
                "top": str(top),
                "width": str(across),
                "height": str(down),
                "z_order": "0",
            },
        )
    return image


def _as_text(element: Element) -> str:
    text = tostring(element, encoding="unicode") + "\n"
    if found := _NOT_IN_XML.search(text):
        name = element.get("name") or "a class name"
        msg = f"{name!r} holds the character {found[0]!r}, which XML cannot hold; rename it"
        raise DataError(msg)
    return text


def _hex(color: Color) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)


CVAT = Writer("cvat", write_folder=_write)
