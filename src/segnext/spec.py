"""What a weights file says about itself, and how images must be fed to it.

Pure data with a JSON form, so that weights, training, evaluation and prediction agree on one
description without knowing each other.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from segnext.classes import Classes
from segnext.errors import UsageError
from segnext.protocol import Protocol

__all__ = ["IMAGENET_NORMALIZATION", "ModelSpec", "Normalization", "Protocol"]


@dataclass(frozen=True)
class Normalization:
    """Per-channel statistics of pixel values scaled to 0-1.

    A model sees `(pixel / full_scale - mean) / std`, where full_scale is 255 for 8-bit and 65535
    for 16-bit images, so both depths of one picture give the same input. With `low` and `high`
    the scaled value is first clipped to them, so that a few glaring pixels cannot drown the rest.

    Attributes:
        mean: One value per channel, in 0-1 units.
        std: One positive value per channel, in 0-1 units.
        low: Least value per channel, in 0-1 units; `None` clips nothing.
        high: Greatest value per channel, in 0-1 units; there where `low` is.
        nodata: Pixel value as stored in the file. A pixel that has it in every channel was never
            observed and becomes 0, which is the mean; `None` where every pixel was.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    low: tuple[float, ...] | None = None
    high: tuple[float, ...] | None = None
    nodata: float | None = None

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.std) or not self.mean:
            msg = f"normalisation needs as many means as stds, got {self.mean} and {self.std}"
            raise UsageError(msg)
        if not all(0 < std < math.inf for std in self.std):
            msg = f"normalisation stds must be positive, got {self.std}"
            raise UsageError(msg)
        if not all(abs(mean) < math.inf for mean in self.mean):
            msg = f"normalisation means must be numbers, got {self.mean}"
            raise UsageError(msg)
        self._check_clipping()
        if self.nodata is not None and not abs(self.nodata) < math.inf:
            msg = f"nodata must be a number that a pixel can have, got {self.nodata}"
            raise UsageError(msg)

    def _check_clipping(self) -> None:
        if self.low is None and self.high is None:
            return
        if self.low is None or self.high is None:
            msg = f"clipping needs both low and high, got {self.low} and {self.high}"
            raise UsageError(msg)
        if not len(self.low) == len(self.high) == self.channels:
            msg = (
                f"clipping needs one low and one high for each of {self.channels} channels, got "
                f"{self.low} and {self.high}"
            )
            raise UsageError(msg)
        if not all(low < high for low, high in zip(self.low, self.high, strict=True)):
            msg = f"clipping needs every low below its high, got {self.low} and {self.high}"
            raise UsageError(msg)

    @property
    def channels(self) -> int:
        """Number of image channels."""
        return len(self.mean)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Normalization":
        """Rebuild a normalisation from its JSON form (`dataclasses.asdict`).

        Files of versions that knew only mean and std are read too.

        Raises:
            KeyError, TypeError: An entry is missing or of another type.
            UsageError: The values contradict each other.
        """
        low, high = data.get("low"), data.get("high")
        return cls(
            mean=tuple(data["mean"]),
            std=tuple(data["std"]),
            low=None if low is None else tuple(low),
            high=None if high is None else tuple(high),
            nodata=data.get("nodata"),
        )


IMAGENET_NORMALIZATION = Normalization((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True)
class ModelSpec:
    """Everything `load_model` needs besides the tensors, kept in the file's metadata.

    Attributes:
        model: Name in the model registry, such as `segnext_tiny`.
        config: Arguments of the model, as `SegNeXtConfig` writes them.
        classes: What the logits mean.
        normalization: How pixels are scaled.
        protocol: How pictures are fed by default.
        score: Measured results, such as `{"miou": 0.41, "split": "val"}`; empty when unmeasured.
        license: Terms of the weights, which are not those of the package.
        version: Version of the package that wrote the file.
        notes: One line per fact a user must know, such as parts that start untrained.
        encoder_only: The file holds an encoder to start a training from, not a whole model.
    """

    model: str
    config: dict[str, Any]
    classes: Classes
    normalization: Normalization = IMAGENET_NORMALIZATION
    protocol: Protocol = field(default_factory=Protocol)
    score: dict[str, Any] = field(default_factory=dict)
    license: str = "unstated"
    version: str = ""
    notes: tuple[str, ...] = ()
    encoder_only: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description; `from_dict` reads it back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "ModelSpec":
        """Rebuild a spec from `to_dict`.

        Raises:
            KeyError, TypeError: A required entry is missing or an unknown one is present.
        """
        return cls(
            **{
                **data,
                "classes": Classes.from_dict(data["classes"]),
                "normalization": Normalization.from_dict(data["normalization"]),
                "protocol": Protocol.from_dict(data["protocol"]),
                "notes": tuple(data.get("notes", ())),
            }
        )
