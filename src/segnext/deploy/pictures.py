"""Pictures to calibrate and to verify with, and what a network is fed of them.

Shapes: B batch, C channels, H and W height and width of an input.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from segnext.data import IMAGE_SUFFIXES, Folder, open_folder, read_image
from segnext.data.images import Image
from segnext.data.statistics import spread_sample
from segnext.data.synthetic import draw_scene
from segnext.errors import DataError, UsageError
from segnext.inference import Runner, compute_picture_logits
from segnext.inference.description import GraphDescription, Output
from segnext.spec import ModelSpec

SCENE_HEIGHT, SCENE_WIDTH = 256, 320


def read_pictures(
    source: Path | Folder, channels: int, count: int, ignore_index: Sequence[int] = ()
) -> list[Image]:
    """Read pictures that are spread over a folder, always the same ones.

    Args:
        source: A folder of pictures, or a data set, of which the train split is taken.
        channels: C.
        count: How many at most.
        ignore_index: Of the data set.

    Raises:
        DataError: There is no picture, or one cannot be read.
    """
    paths = _list_pictures(source, ignore_index)
    if not paths:
        msg = f"{source}: holds no picture ({', '.join(sorted(IMAGE_SUFFIXES))}) to calibrate with"
        raise DataError(msg)
    return [read_image(paths[index], channels) for index in spread_sample(len(paths), count)]


def _list_pictures(source: Path | Folder, ignore_index: Sequence[int]) -> list[Path]:
    if isinstance(source, Path):
        # Pictures that lie in the folder itself have no masks among them.
        if source.is_dir():
            plain = sorted(
                path for path in source.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES
            )
            if plain:
                return plain
        source = open_folder(source, ignore_index=ignore_index)
    train = source.dataset("train")
    return [train.path(index) for index in range(len(train))]


def draw_pictures(channels: int, count: int = 2) -> list[Image]:
    """Draw synthetic scenes for who has no pictures at hand; other channels repeat red to blue.

    Args:
        channels: C.
        count: How many.
    """
    scenes = [
        draw_scene(0, index, width=SCENE_WIDTH, height=SCENE_HEIGHT)[0] for index in range(count)
    ]
    return [np.ascontiguousarray(scene[..., np.arange(channels) % 3]) for scene in scenes]


def record_inputs(
    pictures: Sequence[Image], spec: ModelSpec, description: GraphDescription
) -> list[Tensor]:
    """Return what a network is fed of pictures by the protocol of its weights: one input of each.

    Where a picture has several windows or scales, the n-th picture gives the n-th of them.

    Args:
        pictures: (H, W, C) each.
        spec: Normalisation and protocol.
        description: Of the graph: its sizes, and whether it takes pixels.

    Returns:
        (1, C, H, W) each, normalised float32, or stored uint8 pixels.

    Raises:
        UsageError: The graph takes pixels of 8 bit, and a picture has 16.
    """
    inputs = []
    for index, picture in enumerate(pictures):
        if description.pixels and picture.dtype != np.uint8:
            msg = "a graph takes pixels of 8 bit, and these pictures have 16; leave --pixels out"
            raise UsageError(msg)
        recorder = _Recorder(description)
        compute_picture_logits([recorder], picture, spec.normalization, spec.protocol)
        inputs.append(recorder.seen[index % len(recorder.seen)])
    return inputs


class _Recorder(Runner):
    """Stands where a network would, and keeps what that would be fed."""

    def __init__(self, description: GraphDescription) -> None:
        channels = description.spec.normalization.channels
        super().__init__("recorder", channels, torch.device("cpu"))
        self.describe_as(replace(description, output="logits"))
        self.seen: list[Tensor] = []

    def run(self, images: Tensor, output: Output = "logits") -> Tensor:
        """Keep images; the logits are of no size that matters."""
        self._check(images, output)
        self.seen += [images[index : index + 1].contiguous() for index in range(len(images))]
        return self.compute(images)

    def compute(self, images: Tensor) -> Tensor:
        """Return empty logits."""
        return torch.zeros(len(images), 1, 1, 1)


def fill_batches(inputs: Sequence[Tensor], description: GraphDescription) -> list[npt.NDArray[Any]]:
    """Bring inputs to the form that a graph takes: its order of axes, and its number at once."""
    batches = []
    for images in inputs:
        if description.pixels:
            images = images.permute(0, 2, 3, 1)
        repeated = images.expand(description.batch or 1, *images.shape[1:])
        batches.append(repeated.contiguous().numpy())
    return batches
