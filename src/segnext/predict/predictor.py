"""A picture in, a mask out."""

import functools
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import PIL.Image
import PIL.ImageOps
import torch
from torch import Tensor

from segnext.classes import Classes, Mask
from segnext.data import read_image
from segnext.data.images import Image
from segnext.drawing import Picture, overlay, overlay_with_legend, write_mask_png, write_png
from segnext.errors import UsageError
from segnext.inference import (
    Source,
    compute_confidence,
    compute_mask,
    compute_picture_logits,
    open_networks,
    stream_mask,
)
from segnext.inference.labels_only import compute_labels
from segnext.inference.masks import Confidence, MaskBand, join_bands
from segnext.inference.stacking import Stacker
from segnext.inference.views import RowSource
from segnext.spec import ModelSpec, Protocol
from segnext.weights import spec_of

# Of windows: beyond it they are streamed, and confidence is computed by another run.
KEPT_LOGITS = 25_000_000

Photo = str | Path | PIL.Image.Image | npt.NDArray[Any] | Tensor


@dataclass(frozen=True)
class Area:
    """How much of a picture a class covers."""

    pixels: int
    share: float


@dataclass(frozen=True, eq=False, repr=False)
class Prediction:
    """The mask of one picture and what can be drawn from it.

    Attributes:
        image: The picture as the network saw it, (H, W, C) uint8 or uint16.
        mask: Train ids, (H, W).
        classes: What the ids mean.
    """

    image: Image
    mask: Mask
    classes: Classes
    _compute_confidence: Callable[[], Confidence]

    @functools.cached_property
    def confidence(self) -> npt.NDArray[np.float32]:
        """Probability of each pixel's label, (H, W) in 0-1; computed when first asked for.

        Of a large picture in windows, whose logits are not kept, that runs the network again.

        Raises:
            UsageError: The network is an exported file that gives labels only.
        """
        return self._compute_confidence()

    @functools.cached_property
    def areas(self) -> Mapping[str, Area]:
        """Pixels and share of the picture for every class."""
        counts = np.bincount(self.mask.reshape(-1), minlength=self.classes.num_labels)
        return {
            name: Area(int(count), float(count / self.mask.size))
            for name, count in zip(self.classes.label_names, counts, strict=True)
        }

    def __repr__(self) -> str:
        height, width = self.mask.shape
        largest = sorted(self.areas.items(), key=lambda entry: -entry[1].pixels)[:3]
        shares = ", ".join(f"{name} {area.share:.0%}" for name, area in largest if area.pixels)
        return f"Prediction({width}x{height}: {shares})"

    def overlay(self, *, alpha: float = 0.5, legend: bool = False) -> Picture:
        """Draw the mask over the picture, (H, W, 3) uint8; `legend` adds a column of names."""
        if legend:
            return overlay_with_legend(self.image, self.mask, self.classes, alpha=alpha)
        return overlay(self.image, self.mask, self.classes, alpha=alpha)

    def save(self, out: str | Path, name: str = "prediction", *, confidence: bool = False) -> None:
        """Write `out/masks/NAME.png` and `out/overlays/NAME.png`, each complete or not at all.

        Args:
            out: Folder, made if missing.
            name: Without suffix; may hold `/`.
            confidence: Also write `out/confidence/NAME.png`, grey, 255 for probability 1.
        """
        out = Path(out)
        write_png(out / "overlays" / f"{name}.png", self.overlay(legend=True))
        if confidence:
            grey = np.rint(self.confidence * 255).astype(np.uint8)
            write_png(out / "confidence" / f"{name}.png", grey)
        # Last, because a mask is what tells that a picture is done.
        write_mask_png(out / "masks" / f"{name}.png", self.mask, self.classes)

    def _repr_png_(self) -> bytes:
        """Show the overlay with its legend in a notebook."""
        drawn = io.BytesIO()
        PIL.Image.fromarray(self.overlay(legend=True)).save(drawn, format="PNG")
        return drawn.getvalue()


class Predictor:
    """Predict masks with a model or an ensemble, on one device, by one protocol.

    Args:
        model: A model with a spec, a weights file, name or URL, a cross-validation's folder, a file
            that `segnext export` wrote, or a list of these, whose probabilities are averaged.
        backend: What runs the network (`segnext.inference.BACKENDS`); `auto` takes the fastest
            that is installed and fits.
        device: `cpu`, `cuda` or `mps`; the fastest there is if not given.
        threads: To compute with; the backend's own choice if not given.
        precision: `float32`, `bfloat16` or `float16`.
        protocol: Sizes, windows, scales and mirror; the weights' own if not given.

    Attributes:
        spec: What the first model says about itself.
        backend: Name of what runs the network, as `auto` chose it.
        protocol: By which pictures become masks.

    Raises:
        UsageError: A model has no spec, several do not fit together, or the backend cannot be had.
        WeightsError: The weights cannot be loaded.
    """

    def __init__(
        self,
        model: Source | Sequence[Source],
        *,
        backend: str = "auto",
        device: str | None = None,
        threads: int | None = None,
        precision: str = "float32",
        protocol: Protocol | None = None,
    ) -> None:
        self._networks = open_networks(
            model, backend=backend, device=device, threads=threads, precision=precision
        )
        self.spec: ModelSpec = spec_of(self._networks[0])
        self.protocol = protocol or self.spec.protocol
        self.backend = self._networks[0].name

    def __repr__(self) -> str:
        classes = self.spec.classes.num_classes
        return f"Predictor({self.spec.model}, {classes} classes, {self.backend})"

    @overload
    def __call__(self, photos: Photo) -> Prediction: ...
    @overload
    def __call__(self, photos: list[Any] | tuple[Any, ...]) -> list[Prediction]: ...

    def __call__(
        self, photos: Photo | list[Any] | tuple[Any, ...]
    ) -> Prediction | list[Prediction]:
        """Predict one picture, or a list of them.

        Args:
            photos: Path, PIL image, array (H, W, C) or (H, W) uint8 or uint16 in RGB order, or
                tensor (C, H, W) with values 0-1; or a list of any of these.

        Raises:
            DataError: A file cannot be read.
            UsageError: An array or tensor has another shape, type or channel count.
        """
        if isinstance(photos, list | tuple):
            return [self.predict(self.read(photo)) for photo in photos]
        return self.predict(self.read(photos))

    def read(self, photo: Photo) -> Image:
        """Turn any accepted form of a picture into (H, W, C) uint8 or uint16 for this model."""
        channels = self.spec.normalization.channels
        if isinstance(photo, str | Path):
            return read_image(Path(photo), channels)
        if isinstance(photo, PIL.Image.Image):
            return _fit_channels(_from_pil(photo, channels), channels)
        if isinstance(photo, Tensor):
            return _fit_channels(_from_tensor(photo), channels)
        if isinstance(photo, np.ndarray):
            return _fit_channels(photo, channels)
        msg = f"a picture is a path, a PIL image, an array or a tensor, not {type(photo).__name__}"
        raise UsageError(msg)

    def predict(self, image: Image) -> Prediction:
        """Predict a picture (H, W, C) that `read` returned."""
        spec, networks, protocol = self.spec, self._networks, self.protocol
        if any(network.output == "labels" for network in networks):
            mask = compute_labels(networks, image, spec.normalization, protocol)
            return Prediction(image, mask, spec.classes, _refuse_confidence)
        if self._keeps_logits(image):
            logits = compute_picture_logits(networks, image, spec.normalization, protocol)
            confidence = functools.partial(compute_confidence, logits)
            return Prediction(image, compute_mask(logits), spec.classes, confidence)
        bands = stream_mask(networks, image, spec.normalization, protocol)
        mask, _ = join_bands(bands, image.shape[0], image.shape[1])
        again = functools.partial(self._stream_confidence, image)
        return Prediction(image, mask, spec.classes, again)

    def stream(self, rows: RowSource, *, confidence: bool = False) -> Iterator[MaskBand]:
        """Predict a picture of any height from top to bottom; see `inference.stream_mask`.

        Args:
            rows: (H, W, C): an array, or anything that gives arrays for slices of its rows, with
                as many channels as the model takes.
            confidence: Also compute probabilities.

        Yields:
            Bands of rows that join to the whole mask.

        Raises:
            UsageError: The network is an exported file that gives labels only.
        """
        if any(network.output == "labels" for network in self._networks):
            raise _labels_only()
        yield from stream_mask(
            self._networks, rows, self.spec.normalization, self.protocol, confidence=confidence
        )

    def predict_batch(self, images: Sequence[Image]) -> list[Prediction]:
        """Predict pictures (H, W, C) that `read` returned, together where that changes nothing.

        Pictures of one size may run through the network as one batch, if their logits were found
        to be the same to the bit as of each alone, and sooner there (`inference.stacking`). All
        others are predicted one by one.
        """
        first = images[0].shape if images else ()
        alone = (
            len(images) < 2
            or any(image.shape != first for image in images)
            or any(network.output == "labels" for network in self._networks)
            or not self._keeps_logits(images[0])
        )
        if alone:
            return [self.predict(image) for image in images]
        return [
            Prediction(
                image,
                compute_mask(logits),
                self.spec.classes,
                functools.partial(compute_confidence, logits),
            )
            for image, logits in zip(images, self._stacker.compute(images), strict=True)
        ]

    @functools.cached_property
    def _stacker(self) -> Stacker:
        return Stacker(self._networks, self.spec.normalization, self.protocol)

    def _keeps_logits(self, image: Image) -> bool:
        """Tell whether a picture's logits are few enough to be kept until somebody asks."""
        if self.protocol.window is None:
            return True
        views = len(self.protocol.scales) * (2 if self.protocol.flip else 1) * len(self._networks)
        pixels: int = image.shape[0] * image.shape[1]
        return self.spec.classes.num_classes * pixels / 64 * views <= KEPT_LOGITS

    def _stream_confidence(self, image: Image) -> Confidence:
        bands = stream_mask(
            self._networks, image, self.spec.normalization, self.protocol, confidence=True
        )
        _, confidence = join_bands(bands, image.shape[0], image.shape[1])
        assert confidence is not None
        return confidence


def _refuse_confidence() -> Confidence:
    raise _labels_only()


def _labels_only() -> UsageError:
    return UsageError("this file gives labels without probabilities; export with --output logits")


def _from_pil(photo: PIL.Image.Image, channels: int) -> npt.NDArray[Any]:
    upright = PIL.ImageOps.exif_transpose(photo)
    if upright.mode.startswith("I;16"):
        return np.asarray(upright, dtype=np.uint16)
    return np.asarray(upright.convert("L" if channels == 1 else "RGB"))


def _from_tensor(photo: Tensor) -> npt.NDArray[Any]:
    if photo.ndim != 3 or not photo.is_floating_point():
        msg = f"a tensor must be (C, H, W) floats in 0-1, got {tuple(photo.shape)} {photo.dtype}"
        raise UsageError(msg)
    low, high = float(photo.min()), float(photo.max())
    if not (low >= 0 and high <= 1):
        msg = f"a tensor must hold values in 0-1, not normalised; got {low:.3g} to {high:.3g}"
        raise UsageError(msg)
    # 16 bits keep what a float picture holds beyond 8.
    scaled = (photo.detach().cpu().double() * 65535).round().permute(1, 2, 0)
    return scaled.to(torch.int32).numpy().astype(np.uint16)


def _fit_channels(image: npt.NDArray[Any], channels: int) -> Image:
    if image.dtype not in (np.uint8, np.uint16) or image.ndim not in (2, 3):
        msg = f"an array must be (H, W, C), uint8 or uint16, got {image.shape} {image.dtype}"
        raise UsageError(msg)
    fitted: Image = image[:, :, None] if image.ndim == 2 else image
    if fitted.shape[2] == 1 and channels == 3:
        fitted = np.concatenate([fitted, fitted, fitted], axis=2)
    if fitted.shape[2] != channels:
        msg = f"the picture has {fitted.shape[2]} channels, the model was trained on {channels}"
        raise UsageError(msg)
    return fitted
