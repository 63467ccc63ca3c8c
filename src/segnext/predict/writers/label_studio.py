"""Label Studio: tasks with brush strokes as predictions, which annotators correct and submit.

One region for each class, since every region is a canvas of the picture's size in the browser.
`label_config.xml` is the project's labelling interface. Tasks name pictures as local files: the
server's LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT must be the folder that all have in common.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import numpy as np

from segnext.classes import Classes
from segnext.data.formats.brush_rle import encode_brush
from segnext.predict.writers.data_yaml import write_data_yaml
from segnext.predict.writers.labelled import Labelled, drawn_labels
from segnext.predict.writers.writer import Writer
from segnext.storage import replace_atomically, write_atomically

# Names of the tags in label_config.xml, and of the picture in a task's data.
_BRUSH, _IMAGE = "label", "image"


def _describe_task(picture: Labelled) -> dict[str, Any]:
    """Return the task of a picture."""
    # Names that are no UTF-8 keep their bytes.
    address = quote(picture.file_name, errors="surrogateescape")
    return {
        "data": {_IMAGE: f"/data/local-files/?d={address}"},
        "predictions": [{"model_version": "segnext", "result": _list_regions(picture)}],
    }


def _list_regions(picture: Labelled) -> list[dict[str, Any]]:
    height, width = picture.mask.shape
    present = set(np.unique(picture.mask).tolist())
    return [
        {
            "id": f"class-{label}",
            "from_name": _BRUSH,
            "to_name": _IMAGE,
            "type": "brushlabels",
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "value": {
                "format": "rle",
                "rle": list(encode_brush(picture.mask == label)),
                "brushlabels": [picture.classes.label_names[label]],
            },
        }
        for label in drawn_labels(picture.classes)
        if label in present
    ]


def _write(folder: Path, pictures: Iterable[Labelled], classes: Classes) -> None:
    with (
        replace_atomically(folder / "tasks.json") as temporary,
        temporary.open("w", encoding="utf-8") as file,
    ):
        file.write("[")
        for number, picture in enumerate(pictures):
            file.write(",\n" if number else "\n")
            json.dump(_describe_task(picture), file, separators=(",", ":"))
        file.write("]\n")
    write_atomically(folder / "label_config.xml", _describe_interface(classes))
    names = [classes.label_names[label] for label in drawn_labels(classes)]
    write_data_yaml(folder, classes, {"format": "label_studio", "options": {"classes": names}})


def _describe_interface(classes: Classes) -> bytes:
    view = Element("View")
    SubElement(view, "Image", {"name": _IMAGE, "value": f"${_IMAGE}", "zoom": "true"})
    brush = SubElement(view, "BrushLabels", {"name": _BRUSH, "toName": _IMAGE})
    for label in drawn_labels(classes):
        color = "#{:02x}{:02x}{:02x}".format(*classes.label_colors[label])
        SubElement(brush, "Label", {"value": classes.label_names[label], "background": color})
    indent(view)
    content: bytes = tostring(view, encoding="utf-8")
    return content + b"\n"


LABEL_STUDIO = Writer("label-studio", write_folder=_write)
