"""A prediction as what a client asked for: a picture, outlines, or everything at once."""

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from segnext.classes import Classes, Mask
from segnext.drawing import displayable, encode_mask_png, encode_png
from segnext.errors import UsageError
from segnext.predict import Prediction
from segnext.predict.writers.coco import describe_image, list_annotations, list_categories
from segnext.predict.writers.labelled import Labelled

Output = Literal["mask", "overlay", "polygons", "geojson", "confidence", "report"]
OUTPUTS: tuple[Output, ...] = get_args(Output)

_PNG, _JSON, _GEOJSON = "image/png", "application/json", "application/geo+json"


@dataclass(frozen=True)
class Wish:
    """What is to be drawn of a mask.

    Attributes:
        output: `mask`: PNG of train ids. `overlay`: PNG of the picture in class colours.
            `polygons`: COCO JSON. `geojson`: the same with holes, in pixels. `confidence`: grey
            PNG. `report`: JSON with all of it.
        alpha: Weight of the colours in an overlay, 0-1.
        picture: A report holds the picture, too, as PNG.
    """

    output: Output = "mask"
    alpha: float = 0.5
    picture: bool = False


@dataclass(frozen=True)
class Answer:
    """An answer's body.

    Attributes:
        body: As it is sent.
        media_type: Of the body.
        seconds: What took how long: `queue`, `decode`, `network`, `draw`.
    """

    body: bytes
    media_type: str
    seconds: Mapping[str, float]

    def server_timing(self) -> str:
        """Return the value of a Server-Timing header, in milliseconds."""
        return ", ".join(f"{name};dur={1000 * took:.1f}" for name, took in self.seconds.items())


def draw_answer(prediction: Prediction, wish: Wish, seconds: Mapping[str, float]) -> Answer:
    """Draw what was asked for.

    Args:
        prediction: Of one picture.
        wish: What to draw.
        seconds: What took how long before.

    Raises:
        UsageError: Confidence is asked of a network that gives labels only.
    """
    begin = time.perf_counter()
    if wish.output == "report":
        report = write_report(prediction, picture=wish.picture)
        drawn = {**seconds, "draw": time.perf_counter() - begin}
        report["milliseconds"] = {name: round(1000 * took, 2) for name, took in drawn.items()}
        return Answer(_encode(report), _JSON, drawn)
    if wish.output == "polygons":
        body, media_type = _encode(write_coco(prediction.mask, prediction.classes)), _JSON
    elif wish.output == "geojson":
        body, media_type = _encode(write_geojson(prediction.mask, prediction.classes)), _GEOJSON
    elif wish.output == "overlay":
        body, media_type = encode_png(prediction.overlay(alpha=wish.alpha)), _PNG
    elif wish.output == "confidence":
        body, media_type = encode_png(_grey(prediction.confidence)), _PNG
    else:
        body, media_type = encode_mask_png(prediction.mask, prediction.classes), _PNG
    return Answer(body, media_type, {**seconds, "draw": time.perf_counter() - begin})


def write_coco(mask: Mask, classes: Classes) -> dict[str, Any]:
    """Return a mask (H, W) as a COCO annotation file of one picture."""
    picture = Labelled("picture", Path("picture"), mask, classes)
    return {
        "images": [describe_image(picture, 1)],
        "categories": list_categories(classes),
        "annotations": [*list_annotations(picture, 1, 1)],
    }


def write_geojson(mask: Mask, classes: Classes) -> dict[str, Any]:
    """Return a mask (H, W) as GeoJSON, a feature for each connected region.

    A photo has no place on the earth: coordinates are x and y in pixels from its upper left
    corner, y pointing down, as programs for pictures read them.
    """
    picture = Labelled("picture", Path("picture"), mask, classes)
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": region.rings()},
            "properties": {
                "class": classes.label_names[region.label],
                "class_id": region.label,
                "pixels": region.area,
            },
        }
        for region in picture.regions()
    ]
    return {"type": "FeatureCollection", "features": features}


def write_report(prediction: Prediction, *, picture: bool = False) -> dict[str, Any]:
    """Return everything about a prediction, as the page shows it.

    The mask comes as runs along its rows: label, count, label, count, ... Unlike a PNG that a
    browser draws, they cannot be changed on the way by its colours or its privacy settings.
    """
    height, width = prediction.mask.shape
    report: dict[str, Any] = {
        "width": width,
        "height": height,
        "classes": [
            {"id": label, "name": name, "color": list(color), "pixels": area.pixels}
            for label, ((name, area), color) in enumerate(
                zip(prediction.areas.items(), prediction.classes.label_colors, strict=True)
            )
        ],
        "runs": _runs(prediction.mask),
    }
    try:
        report["confidence"] = _data(encode_png(_grey(prediction.confidence)))
    except UsageError:
        report["confidence"] = None
    if picture:
        report["picture"] = _data(encode_png(displayable(prediction.image)))
    return report


def _grey(confidence: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    return np.rint(confidence * 255).astype(np.uint8)


def _runs(mask: Mask) -> list[int]:
    flat = mask.reshape(-1)
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    counts = np.diff(np.append(starts, flat.size))
    runs: list[int] = np.stack([flat[starts].astype(np.int64), counts], axis=1).reshape(-1).tolist()
    return runs


def _data(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _encode(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()
