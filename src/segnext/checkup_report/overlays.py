"""Thumbnails of pictures and of their masks over them, small enough for a page."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from segnext.classes import Classes
from segnext.data.checkup import Checkup
from segnext.data.folder import FolderDataset
from segnext.data.statistics import spread_sample
from segnext.drawing import Picture, displayable, overlay
from segnext.errors import SegnextError, UsageError

MOST_OVERLAYS = 12
LONG_SIDE = 560
# Of the whole sheet; a page is to be sent by mail.
MOST_BYTES = 3_000_000
_QUALITY = 80


@dataclass(frozen=True)
class Overlay:
    """A picture beside its mask.

    Attributes:
        name: Of the picture.
        split: Where it lies.
        width: Of the thumbnails, in pixels.
        height: Of the thumbnails, in pixels.
        picture: JPEG as a data URL.
        overlaid: The same with the classes in their colours, as a data URL.
        present: Train ids in the mask, the largest first.
    """

    name: str
    split: str
    width: int
    height: int
    picture: str
    overlaid: str
    present: tuple[int, ...]


def draw_overlays(checkup: Checkup, limit: int = MOST_OVERLAYS) -> list[Overlay]:
    """Draw pictures of all splits, spread evenly, as many as fit into a page.

    Args:
        checkup: Of the data set.
        limit: How many at most.

    Raises:
        UsageError: The limit is negative.
    """
    if limit < 0:
        msg = f"a sheet cannot have {limit} pictures; give 0 or more"
        raise UsageError(msg)
    if checkup.folder is None or not limit:
        return []
    splits = checkup.folder.splits
    drawn: list[Overlay] = []
    room = MOST_BYTES
    for split, share in _share_out({name: len(part) for name, part in splits.items()}, limit):
        part = splits[split]
        for index in spread_sample(len(part), share):
            try:
                made = _draw(part, index)
            except SegnextError:
                continue  # gone or changed since it was read
            room -= len(made.picture) + len(made.overlaid)
            if room < 0:
                return drawn
            drawn.append(made)
    return drawn


def _share_out(counts: dict[str, int], limit: int) -> list[tuple[str, int]]:
    """Give each split its part of the places, at least one, and more to train."""
    shares = dict.fromkeys(counts, 0)
    order: Sequence[str] = [name for name in counts for _ in range(2 if name == "train" else 1)]
    while sum(shares.values()) < min(limit, sum(counts.values())):
        for name in order:
            if shares[name] < counts[name] and sum(shares.values()) < limit:
                shares[name] += 1
    return [(name, share) for name, share in shares.items() if share]


def _draw(part: FolderDataset, index: int) -> Overlay:
    item = part[index]
    picture, mask = displayable(item["image"]), item["mask"]
    factor = min(1.0, LONG_SIDE / max(mask.shape))
    size = max(1, round(mask.shape[1] * factor)), max(1, round(mask.shape[0] * factor))
    if factor < 1:
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        mask = cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST)
    counts = np.bincount(item["mask"].reshape(-1), minlength=part.classes.num_labels)
    counts = counts[: part.classes.num_labels]
    order = [int(label) for label in np.argsort(-counts, kind="stable") if counts[label]]
    return Overlay(
        name=str(item["name"]),
        split=part.split,
        width=size[0],
        height=size[1],
        picture=_encode(picture),
        overlaid=_encode(_overlay(picture, mask, part.classes)),
        present=tuple(order),
    )


def _overlay(picture: Picture, mask: Picture, classes: Classes) -> Picture:
    return overlay(picture, mask, classes, alpha=0.55)


def _encode(picture: Picture) -> str:
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    _, content = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(content.tobytes()).decode("ascii")
