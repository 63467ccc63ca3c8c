"""A model on a labelled split: every picture's mask against the truth, in one confusion matrix."""

from collections.abc import Callable

from segnext.data.loader import LabelledImages, read_ahead
from segnext.inference.logits import compute_logits, prepare_image
from segnext.inference.masks import compute_mask
from segnext.metrics import ConfusionMatrix
from segnext.models import SegNeXt
from segnext.spec import ModelSpec


def score_images(
    model: SegNeXt,
    spec: ModelSpec,
    images: LabelledImages,
    *,
    on_image: Callable[[int], None] = lambda _: None,
) -> ConfusionMatrix:
    """Predict every picture at its own size by the spec's protocol and count the pixels.

    Args:
        model: In evaluation mode, on the device to use.
        spec: Classes, normalisation and protocol.
        images: The split; masks hold train ids of `spec.classes`.
        on_image: Called with the number of pictures done after each.
    """
    device = next(model.parameters()).device
    matrix = ConfusionMatrix(spec.classes.num_labels, ignore_index=spec.classes.ignore_index)
    for index, reading in read_ahead(images.__getitem__, range(len(images))):
        item = reading.result()
        inputs = prepare_image(item["image"], spec.normalization, device)
        matrix.update(item["mask"], compute_mask(compute_logits(model, inputs, spec.protocol)))
        on_image(index + 1)
    return matrix
