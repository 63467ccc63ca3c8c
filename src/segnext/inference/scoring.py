"""Models on a labelled split: every picture's mask against the truth, in one confusion matrix."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from segnext.classes import Mask
from segnext.data.images import Image
from segnext.data.reading import LabelledImages, read_ahead, wait_for
from segnext.inference.labels_only import compute_labels
from segnext.inference.logits import Network, PictureLogits, as_runners, compute_picture_logits
from segnext.inference.masks import compute_mask
from segnext.metrics import ConfusionMatrix
from segnext.protocol import Protocol
from segnext.spec import ModelSpec, Normalization


def score_images(
    models: Network | Sequence[Network],
    spec: ModelSpec,
    images: LabelledImages,
    *,
    indices: Sequence[int] | None = None,
    on_image: Callable[[int], None] = lambda _: None,
    slow: float = math.inf,
    on_slow: Callable[[int, float], None] = lambda _index, _seconds: None,
) -> ConfusionMatrix:
    """Predict pictures at their own size by the spec's protocol and count the pixels.

    Args:
        models: Models in evaluation mode on the device to use, or runners; several are an ensemble.
        spec: Classes, normalisation and protocol.
        images: The split; masks hold train ids of `spec.classes`.
        indices: Which pictures; every one if not given.
        on_image: Called with the number of pictures done after each.
        slow: Seconds after which a picture takes long to read.
        on_slow: Called with its index and the seconds it has been waited for, then and again after
            twice that, four times...
    """
    return score_protocols(
        models,
        spec,
        images,
        [spec.protocol],
        indices=indices,
        on_image=on_image,
        slow=slow,
        on_slow=on_slow,
    )[spec.protocol]


def score_protocols(
    models: Network | Sequence[Network],
    spec: ModelSpec,
    images: LabelledImages,
    protocols: Sequence[Protocol],
    *,
    indices: Sequence[int] | None = None,
    on_image: Callable[[int], None] = lambda _: None,
    slow: float = math.inf,
    on_slow: Callable[[int, float], None] = lambda _index, _seconds: None,
) -> dict[Protocol, ConfusionMatrix]:
    """Predict pictures by several protocols in one pass: each picture is read once.

    Args:
        models: Models in evaluation mode on the device to use, or runners; several are an ensemble.
        spec: Classes and normalisation.
        images: The split; masks hold train ids of `spec.classes`.
        protocols: Which; one that is given twice is run once.
        indices: Which pictures; every one if not given.
        on_image: Called with the number of pictures done after each.
        slow: As in `score_images`.
        on_slow: As there.

    Returns:
        The confusion matrix of each protocol.
    """
    labels, ignored = spec.classes.num_labels, spec.classes.ignore_index
    matrices = {protocol: ConfusionMatrix(labels, ignore_index=ignored) for protocol in protocols}
    chosen = range(len(images)) if indices is None else indices
    for done, (index, reading) in enumerate(read_ahead(images.__getitem__, chosen), start=1):
        item = wait_for(reading, slow=slow, on_slow=partial(on_slow, index))
        masks = _predict(models, item["image"], spec.normalization, list(matrices))
        for protocol, mask in masks.items():
            matrices[protocol].update(item["mask"], mask)
        on_image(done)
    return matrices


def _predict(
    models: Network | Sequence[Network],
    image: Image,
    normalization: Normalization,
    protocols: Sequence[Protocol],
) -> dict[Protocol, Mask]:
    runners = as_runners(models)
    if any(runner.output == "labels" for runner in runners):
        return {
            protocol: compute_labels(runners, image, normalization, protocol)
            for protocol in protocols
        }
    seen: dict[Protocol, PictureLogits] = {}
    masks = {}
    for protocol in protocols:
        # What becomes of the logits afterwards costs no other run of the network.
        feeding = replace(protocol, overlap="logits", steps=1)
        if feeding not in seen:
            seen[feeding] = compute_picture_logits(models, image, normalization, feeding)
        logits = replace(seen[feeding], overlap=protocol.overlap, steps=protocol.steps)
        masks[protocol] = compute_mask(logits)
    return masks
