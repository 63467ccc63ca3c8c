"""Pictures of what a model does, drawn while it trains."""

from collections.abc import Sequence
from pathlib import Path

from segnext.data import FolderDataset
from segnext.data.statistics import spread_sample
from segnext.drawing import Picture, contact_sheet, overlay, write_png
from segnext.inference import compute_mask, compute_picture_logits
from segnext.models import SegmentationModel
from segnext.spec import ModelSpec

SAMPLES = 4
SHEET_ROWS = 6


def draw_samples(
    model: SegmentationModel,
    spec: ModelSpec,
    images: FolderDataset,
    path: Path,
    *,
    rows: int = SAMPLES,
    cell_width: int = 280,
) -> None:
    """Write photo, truth and prediction of a few evenly spread pictures as one PNG.

    Args:
        model: In evaluation mode.
        spec: Classes, normalisation and protocol.
        images: A labelled split.
        path: PNG to write.
        rows: How many pictures.
        cell_width: Width of each, in pixels.
    """
    indices = spread_sample(len(images), rows)
    sheet = contact_sheet(
        [_row(model, spec, images, index) for index in indices],
        titles=("photo", "truth", "prediction"),
        captions=[images.items[index].name for index in indices],
        classes=spec.classes,
        cell_width=cell_width,
    )
    write_png(path, sheet)


def _row(
    model: SegmentationModel, spec: ModelSpec, images: FolderDataset, index: int
) -> Sequence[Picture]:
    item = images[index]
    prediction = compute_mask(
        compute_picture_logits(model, item["image"], spec.normalization, spec.protocol)
    )
    return (
        item["image"],
        overlay(item["image"], item["mask"], spec.classes, alpha=0.75),
        overlay(item["image"], prediction, spec.classes, alpha=0.75),
    )
