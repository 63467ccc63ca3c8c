"""A model on a labelled split, picture by picture: mask, probabilities and time."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from segnext.classes import Mask
from segnext.data import FolderDataset
from segnext.data.images import Image
from segnext.data.reading import read_ahead
from segnext.data.stitching import StitchedPictures
from segnext.inference import (
    Runner,
    compute_confidence,
    compute_mask,
    compute_picture_logits,
)
from segnext.inference.labels_only import compute_labels
from segnext.inference.masks import Confidence
from segnext.protocol import Protocol
from segnext.spec import ModelSpec
from segnext.weights import spec_of

Images = FolderDataset | StitchedPictures


@dataclass(frozen=True)
class Subject:
    """A model as it is judged.

    Attributes:
        name: What it was opened from.
        networks: Ready to run; several are an ensemble.
        spec: Theirs, with the protocol that is used.
    """

    name: str
    networks: Sequence[Runner]
    spec: ModelSpec

    @classmethod
    def of(cls, name: str, networks: Sequence[Runner], protocol: Protocol | None) -> "Subject":
        """Take networks as they are, with another protocol if one is given."""
        spec = spec_of(networks[0])
        return cls(name, networks, replace(spec, protocol=protocol or spec.protocol))


@dataclass(frozen=True)
class Seen:
    """What a model says about a picture.

    Attributes:
        mask: Train ids (H, W), those that `segnext evaluate` scores.
        confidence: Probability of each pixel's label (H, W); `None` where an exported file gives
            labels alone.
        seconds: From the picture in memory to the mask, without the probabilities.
    """

    mask: Mask
    confidence: Confidence | None
    seconds: float


@dataclass(frozen=True)
class Observation:
    """A picture, its truth, and what each model says.

    Attributes:
        picture: Its number in the split.
        image: (H, W, C).
        truth: Train ids (H, W).
        seen: By model, in the order given.
    """

    picture: int
    image: Image
    truth: Mask
    seen: tuple[Seen, ...]


def observe(
    subjects: Sequence[Subject],
    images: Images,
    on_image: Callable[[int, int], None] = lambda _done, _total: None,
    *,
    confidence: bool = True,
) -> Iterator[Observation]:
    """Let models look at every picture of a split, each of which is read once.

    Args:
        subjects: The models.
        images: The split; masks hold train ids of the models' classes.
        on_image: Called with pictures done and in all.
        confidence: Also compute probabilities.
    """
    for picture, reading in read_ahead(images.__getitem__, range(len(images))):
        item = reading.result()
        seen = tuple(_look(subject, item["image"], confidence) for subject in subjects)
        yield Observation(picture, item["image"], item["mask"], seen)
        on_image(picture + 1, len(images))


def names_and_groups(images: Images) -> tuple[list[str], list[str]]:
    """Return the name of each picture, and what it belongs to, which is its name without a rule."""
    if isinstance(images, StitchedPictures):
        names = [picture.name for picture in images.pictures]
        return names, names
    return [item.name for item in images.items], [item.group for item in images.items]


@torch.inference_mode()
def _look(subject: Subject, image: Image, confidence: bool) -> Seen:
    networks, spec = subject.networks, subject.spec
    start = time.perf_counter()
    if any(network.output == "labels" for network in networks):
        mask = compute_labels(networks, image, spec.normalization, spec.protocol)
        return Seen(mask, None, time.perf_counter() - start)
    logits = compute_picture_logits(networks, image, spec.normalization, spec.protocol)
    mask = compute_mask(logits)
    seconds = time.perf_counter() - start
    return Seen(mask, compute_confidence(logits) if confidence else None, seconds)
