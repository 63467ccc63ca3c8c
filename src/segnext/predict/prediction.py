"""The mask of one picture, and what can be drawn and written of it."""

import functools
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import PIL.Image

from segnext.classes import Classes, Mask
from segnext.data.images import Image
from segnext.drawing import Picture, overlay, overlay_with_legend, write_mask_png, write_png
from segnext.errors import UsageError, describe_unknown
from segnext.inference.masks import Confidence

PICTURES: Mapping[str, str] = {
    "labels": "masks",
    "overlay": "overlays",
    "contours": "contours",
    "confidence": "confidence",
}
"""What a prediction is drawn as, and the folder of such pictures."""


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

    def contours(self, *, legend: bool = False) -> Picture:
        """Draw only the boundaries of the classes over the picture; see `overlay`."""
        return self.overlay(alpha=0, legend=legend)

    def save(
        self,
        out: str | Path,
        name: str = "prediction",
        *,
        outputs: Sequence[str] = ("labels", "overlay"),
        confidence: bool = False,
    ) -> None:
        """Write pictures of it, each complete or not at all.

        Args:
            out: Folder, made if missing.
            name: Without suffix; may hold `/`.
            outputs: `labels` writes `out/masks/NAME.png`, 16-bit for more than 255 labels,
                `overlay` `out/overlays/NAME.png`, `contours` `out/contours/NAME.png`, and
                `confidence` `out/confidence/NAME.png`, grey, 255 for probability 1.
            confidence: Also write `confidence`.

        Raises:
            UsageError: There is no such output, or no confidence; nothing was written.
        """
        wanted = {*outputs, *(["confidence"] if confidence else [])}
        for unknown in sorted(wanted - set(PICTURES)):
            raise UsageError(describe_unknown("output", unknown, PICTURES))
        places = {kind: Path(out) / folder / f"{name}.png" for kind, folder in PICTURES.items()}
        # First, because it may be refused.
        if "confidence" in wanted:
            grey = np.rint(self.confidence * 255).astype(np.uint8)
            write_png(places["confidence"], grey)
        if "overlay" in wanted:
            write_png(places["overlay"], self.overlay(legend=True))
        if "contours" in wanted:
            write_png(places["contours"], self.contours(legend=True))
        # Last, because a mask is what tells that a picture is done.
        if "labels" in wanted:
            write_mask_png(places["labels"], self.mask, self.classes)

    def _repr_png_(self) -> bytes:
        """Show the overlay with its legend in a notebook."""
        drawn = io.BytesIO()
        PIL.Image.fromarray(self.overlay(legend=True)).save(drawn, format="PNG")
        return drawn.getvalue()
