"""Models on a labelled split: every picture's mask against the truth, in one confusion matrix."""

from collections.abc import Callable, Sequence

from segnext.data.loader import LabelledImages, read_ahead
from segnext.inference.logits import compute_logits, prepare_image
from segnext.inference.masks import compute_mask
from segnext.metrics import ConfusionMatrix
from segnext.models import SegNeXt
from segnext.spec import ModelSpec


def score_images(
    models: SegNeXt | Sequence[SegNeXt],
    spec: ModelSpec,
    images: LabelledImages,
    *,
    indices: Sequence[int] | None = None,
    on_image: Callable[[int], None] = lambda _: None,
) -> ConfusionMatrix:
    """Predict pictures at their own size by the spec's protocol and count the pixels.

    Args:
        models: In evaluation mode, on the device to use; several are an ensemble.
        spec: Classes, normalisation and protocol.
        images: The split; masks hold train ids of `spec.classes`.
        indices: Which pictures; every one if not given.
        on_image: Called with the number of pictures done after each.
    """
    first = models if isinstance(models, SegNeXt) else models[0]
    device = next(first.parameters()).device
    matrix = ConfusionMatrix(spec.classes.num_labels, ignore_index=spec.classes.ignore_index)
    chosen = range(len(images)) if indices is None else indices
    for done, (_, reading) in enumerate(read_ahead(images.__getitem__, chosen), start=1):
        item = reading.result()
        inputs = prepare_image(item["image"], spec.normalization, device)
        matrix.update(item["mask"], compute_mask(compute_logits(models, inputs, spec.protocol)))
        on_image(done)
    return matrix
