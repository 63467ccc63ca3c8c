"""A picture in, a mask out."""

import contextlib
import functools
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

from torch import Tensor

from segnext.data.images import Image
from segnext.data.reading import read_ahead
from segnext.errors import SegnextError, UsageError
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
from segnext.predict.ahead import run_ahead
from segnext.predict.footage import Footage, Frame, open_footage
from segnext.predict.photos import Photo, read_photo, split_batch
from segnext.predict.prediction import Prediction
from segnext.predict.smoothing import Smoother
from segnext.predict.tensors import TensorPrediction
from segnext.spec import ModelSpec, Protocol
from segnext.weights import spec_of

# Of windows: beyond it they are streamed, and confidence is computed by another run.
KEPT_LOGITS = 25_000_000


@dataclass(frozen=True, eq=False)
class FramePrediction:
    """What was predicted of one frame of a video.

    Attributes:
        frame: The frame: its index, time, name and picture.
        prediction: Its mask and the rest.
        inference_ms: Milliseconds from the decoded frame to its mask.
    """

    frame: Frame
    prediction: Prediction
    inference_ms: float


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
            photos: A picture as `read` takes it; or several, as a list, a tuple or a tensor
                (N, C, H, W). `predict_stream` takes more than fit in memory.

        Raises:
            DataError: A file cannot be read.
            UsageError: An array or tensor has another shape, type or channel count.
        """
        if isinstance(photos, Tensor) and photos.ndim == 4:
            photos = list(photos)
        if isinstance(photos, list | tuple):
            return [self.predict(self.read(photo)) for photo in photos]
        return self.predict(self.read(photos))

    def read(self, photo: Photo) -> Image:
        """Turn any accepted form of a picture into (H, W, C) uint8 or uint16 for this model.

        An array of the model's channels is not copied: what comes back shares its memory, and so
        does `image` of its prediction. The same holds for a uint8 tensor in the CPU's memory.
        Predicting never writes to it; masks have their own memory.

        Args:
            photo: Path; PIL image; array (H, W, C) or (H, W), uint8 or uint16, in RGB order; or
                tensor (C, H, W) on any device, uint8, or floating with values 0-1 (kept to 16
                bits), in RGB order. A tensor on another device is copied to the CPU's memory
                once, where pictures are drawn; `predict_tensors` leaves it where it is.

        Raises:
            DataError: A file cannot be read.
            UsageError: An array or tensor has another shape, type, range or channel count.
        """
        return read_photo(photo, self.spec.normalization.channels)

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

    def predict_bands(self, rows: RowSource, *, confidence: bool = False) -> Iterator[MaskBand]:
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

    def predict_tensors(self, images: Tensor) -> TensorPrediction:
        """Predict a batch that lies on the model's device, and leave the answer there.

        Nothing but sizes and single numbers goes through the CPU's memory with PyTorch's backends
        and CUDA graphs. Labels are those of `predict`, but where the protocol resizes stored
        pixels: OpenCV does that elsewhere, and may round to the next value.

        Args:
            images: (B, C, H, W), uint8, or floating with values 0-1, in RGB order. They are not
                written to.

        Raises:
            UsageError: The batch has another shape, type, range, channel count or device; the
                network is an exported file that gives labels only.
        """
        if any(network.output == "labels" for network in self._networks):
            raise _labels_only()
        pictures = split_batch(images, self.spec.normalization.channels, self._networks[0].device)
        return TensorPrediction(self._stacker.compute(pictures))

    def predict_video(
        self, source: str | Path | Footage, *, smoothing: float = 0, fps: float | None = None
    ) -> Generator[FramePrediction]:
        """Predict the frames of a video, folder, camera or stream, one after the other.

        Frames are decoded in a thread, two ahead at most, from when the first is asked for; those
        of cameras and live streams that come too soon are let pass. Closing the generator, or
        leaving it, lets go of the source.

        Args:
            source: As in `segnext.predict.open_footage`, or what it returned.
            smoothing: Share of the past in an average of class probabilities over frames, below 1;
                0 predicts every frame as the picture that it is.
            fps: As in `segnext.predict.open_footage`.

        Raises:
            DataError: There is no such source; while going on, a frame cannot be read.
            UsageError: A value is out of range, or does not suit the model.
        """
        smoother = Smoother(smoothing) if smoothing else None
        if smoother and any(network.output == "labels" for network in self._networks):
            msg = (
                "smoothing averages probabilities, and this file gives labels; export with "
                "--output logits"
            )
            raise UsageError(msg)
        if not isinstance(source, Footage):
            source = open_footage(source, self.spec.normalization.channels, fps=fps)
        return self._predict_frames(source, smoother)

    def _predict_frames(
        self, footage: Footage, smoother: Smoother | None
    ) -> Generator[FramePrediction]:
        with contextlib.closing(run_ahead(footage.frames(), lossy=footage.live)) as frames:
            for frame in frames:
                begin = time.perf_counter()
                if smoother is None:
                    prediction = self.predict(frame.image)
                else:
                    prediction = self._predict_smoothed(frame.image, smoother)
                inference_ms = 1000 * (time.perf_counter() - begin)
                yield FramePrediction(frame, prediction, inference_ms)

    def _predict_smoothed(self, image: Image, smoother: Smoother) -> Prediction:
        logits = compute_picture_logits(
            self._networks, image, self.spec.normalization, self.protocol
        )
        smooth = smoother.smooth(image, logits)
        confidence = functools.partial(compute_confidence, smooth)
        return Prediction(image, compute_mask(smooth), self.spec.classes, confidence)

    def predict_stream(
        self, photos: Iterable[Photo], *, batch_size: int = 1
    ) -> Iterator[Prediction]:
        """Predict pictures as they come, in their order, reading the next ones meanwhile.

        Args:
            photos: Pictures as `read` takes them, from a generator or any iterable, even an
                endless one. At most `batch_size` + 1 of them are taken ahead of what was yielded.
            batch_size: Pictures to hand to `predict_batch` at a time.

        Raises:
            DataError: A file cannot be read: when its turn comes, and the stream ends with it.
            UsageError: A picture has another form, or `batch_size` is less than 1.
        """
        if batch_size < 1:
            msg = f"batch_size must be at least 1, got {batch_size}"
            raise UsageError(msg)
        return self._stream(photos, batch_size)

    def _stream(self, photos: Iterable[Photo], batch_size: int) -> Iterator[Prediction]:
        batch: list[Image] = []
        for _, reading in read_ahead(self.read, photos, depth=2):
            try:
                batch.append(reading.result())
            except SegnextError:
                # What came before it is done first.
                yield from self.predict_batch(batch)
                raise
            if len(batch) == batch_size:
                yield from self.predict_batch(batch)
                batch = []
        yield from self.predict_batch(batch)

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
