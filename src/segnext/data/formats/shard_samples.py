"""Which members of a tar shard are one sample, and which of them are its picture and its mask."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from segnext.data.containers.archives import member_name
from segnext.data.containers.tar_index import Member
from segnext.errors import DataError, UsageError

# Ahead stands what is taken where a sample has several; photos are rarely PNG, masks mostly.
_PICTURES = ("jpg", "jpeg", "webp", "bmp", "tif", "tiff", "png")
_MASK_WORDS = ("mask", "seg", "label", "labels", "annotation", "segmentation", "gt", "cls")
_IMAGE_WORDS = ("image", "img", "photo", "rgb", "input")


@dataclass(frozen=True)
class Extensions:
    """What follows the key in the names of pictures and masks, in small letters.

    Attributes:
        image: Of pictures, the first one that a sample has; empty for the usual ones.
        mask: Of masks, likewise.
    """

    image: tuple[str, ...] = ()
    mask: tuple[str, ...] = ()

    @classmethod
    def parse(cls, image: Any, mask: Any) -> "Extensions":
        """Understand the options `image` and `mask`.

        Raises:
            UsageError: One is no extension and no list of them, or both name one extension.
        """
        parsed = cls(_parse(image, "image"), _parse(mask, "mask"))
        both = sorted(set(parsed.image) & set(parsed.mask))
        if both:
            msg = f"the extension {both[0]} cannot be of pictures and of masks"
            raise UsageError(msg)
        return parsed

    def describe(self) -> str:
        """Say what is looked for."""
        images = self.image or _PICTURES
        return (
            f"looked for the extensions {', '.join(images)}; name others with options: {{image: "
            f"EXTENSION, mask: EXTENSION}}"
        )


@dataclass(frozen=True)
class Sample:
    """Members of one key.

    Attributes:
        key: Their common name, with `/`.
        image: Name of the picture in the shard; `None` where there is none.
        mask: Name of the mask in the shard; `None` where there is none.
        choice: What was chosen among several masks, for people; empty if nothing.
    """

    key: str
    image: str | None
    mask: str | None
    choice: str = ""


def find_samples(members: Iterable[Member], extensions: Extensions, where: str) -> list[Sample]:
    """Group the members of a shard by their keys, hidden ones apart.

    Args:
        members: Of the shard.
        extensions: Of pictures and masks.
        where: The shard, for messages.

    Raises:
        DataError: Two members have one name.
    """
    parts: dict[str, dict[str, str]] = {}
    for written, _, _ in members:
        name = member_name(written)
        folder, _, base = name.rpartition("/")
        stem, _, extension = base.partition(".")
        if not stem or any(part.startswith(".") for part in folder.split("/")):
            continue
        key = f"{folder}/{stem}" if folder else stem
        known = parts.setdefault(key, {})
        if extension.lower() in known:
            msg = f"{where}: has two members {name}; write the shard again with distinct keys"
            raise DataError(msg)
        known[extension.lower()] = name
    return [_choose(key, known, extensions) for key, known in parts.items()]


def holds_samples(members: Sequence[Member]) -> bool:
    """Tell whether a tar file looks like a shard: a picture and its mask have one key."""
    try:
        samples = find_samples(members, Extensions(), "")
    except DataError:
        return False
    return any(sample.image and sample.mask for sample in samples)


def _choose(key: str, known: dict[str, str], extensions: Extensions) -> Sample:
    worded = {"image": _worded(known, _IMAGE_WORDS), "mask": _worded(known, _MASK_WORDS)}
    bare = [suffix for suffix in _PICTURES if suffix in known]
    masks = [name for name in extensions.mask or worded["mask"] if name in known]
    images = [
        name
        for name in extensions.image or (*worded["image"], *bare)
        if name in known and name not in masks
    ]
    # A bare PNG is the mask of a picture of another extension.
    if not (masks or extensions.mask) and "png" in bare and images != ["png"]:
        masks, images = ["png"], [name for name in images if name != "png"]
    choice = ""
    if len(masks) > 1 and not extensions.mask:
        choice = (
            f"shards: samples have masks {' and '.join(masks)}; {masks[0]} is taken, "
            f"options: {{mask: {masks[1]}}} takes the other"
        )
    return Sample(
        key,
        known[images[0]] if images else None,
        known[masks[0]] if masks and images else None,
        choice,
    )


def _worded(known: Iterable[str], words: Sequence[str]) -> list[str]:
    """Return the extensions of pictures with one of some words before them, in their order."""
    found = []
    for extension in known:
        before, _, suffix = extension.rpartition(".")
        if suffix not in _PICTURES or not before:
            continue
        ranks = [words.index(word) for word in re.split(r"[._-]", before) if word in words]
        if ranks:
            found.append((min(ranks), extension))
    return [extension for _, extension in sorted(found)]


def _parse(value: Any, name: str) -> tuple[str, ...]:
    if value is None:
        return ()
    texts = value if isinstance(value, list | tuple) else [value]
    if not texts or not all(isinstance(text, str) and text.strip(". ") for text in texts):
        msg = f"{name}: must be an extension such as png or seg.png, or a list of them"
        raise UsageError(msg)
    return tuple(text.strip().removeprefix(".").lower() for text in texts)
