"""How a picture becomes a mask: every choice that moves a score and is often left unsaid."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from segnext.errors import UsageError

# Of the network: three halvings after the stem's two.
LEAST_SIZE = 32
# Between the coarsest features and the pixels; sides in whole multiples keep them in register.
GREATEST_STRIDE = 32
# Weights come from strangers: what their protocol pads and resizes to must stay small.
GREATEST_MULTIPLE = 1024

Rounding = Literal["nearest", "mmcv"]
Resample = Literal["inputs", "pixels"]
Overlap = Literal["logits", "probabilities", "blend"]
Steps = Literal[1, 2]


@dataclass(frozen=True)
class Protocol:
    """How a picture becomes a mask: sizes in pixels.

    Attributes:
        short_side: Resize so that the shorter side has this length (aspect kept); `None` keeps
            the picture's own size.
        window: Side of square sliding windows; `None` feeds the whole picture at once. The last
            window of a row or column is moved inwards to end at the edge.
        stride: Step between windows, at most `window`; `None` means two thirds of it.
        scales: Factors on the resized picture; probabilities are averaged over them.
        flip: Also average with the mirrored picture, at every scale.
        box: Long and short side; resize the picture so that it just fits (aspect kept). Instead
            of `short_side`. Scales are factors on the box.
        resize_to_multiple: Then stretch both sides up to multiples of this.
        pad_to_multiple: Or pad right and bottom to multiples of this, with 0 after normalisation.
        rounding: How a resized side becomes whole pixels. `nearest`: each side to the nearest,
            halves to the even one. `mmcv`: halves up, and the aspect once more fitted into the
            rounded sizes, as OpenMMLab's libraries do.
        resample: What is resized. `inputs`: the normalised picture, on the network's device,
            without rounding. `pixels`: the stored pixels, by OpenCV, rounded to their 8 or 16
            bits after every resize. Both are bilinear without smoothing.
        overlap: What happens where windows overlap: `logits` or `probabilities` of the pixels are
            averaged, or logits of the network's grid `blend`, weighing less towards the edges of
            their window, which leaves no seams and is the fastest. Then windows and strides come
            in multiples of 32.
        steps: Logits go to the picture's pixels in one interpolation, or first to the pixels of
            the network's input and from there to those of the picture.
    """

    short_side: int | None = None
    window: int | None = None
    stride: int | None = None
    scales: tuple[float, ...] = (1.0,)
    flip: bool = False
    box: tuple[int, int] | None = None
    resize_to_multiple: int | None = None
    pad_to_multiple: int | None = None
    rounding: Rounding = "nearest"
    resample: Resample = "inputs"
    overlap: Overlap = "logits"
    steps: Steps = 1

    def __post_init__(self) -> None:
        self._check_size()
        if self.window is not None and self.window < LEAST_SIZE:
            msg = f"window {self.window} px is below the network's least size, {LEAST_SIZE} px"
            raise UsageError(msg)
        if self.stride is not None and self.window is None:
            msg = f"stride {self.stride} px needs a window; give --window too"
            raise UsageError(msg)
        if self.window is not None and not 1 <= self.effective_stride <= self.window:
            msg = f"stride {self.stride} px must lie between 1 and the window, {self.window} px"
            raise UsageError(msg)
        if not self.scales or not all(0 < scale < math.inf for scale in self.scales):
            msg = f"scales must be positive numbers, got {self.scales}"
            raise UsageError(msg)
        if self.overlap == "blend" and self.window is not None and self.window % GREATEST_STRIDE:
            msg = f"windows that blend have a side in multiples of 32 px, got {self.window}"
            raise UsageError(msg)
        choices = {"rounding": Rounding, "resample": Resample, "overlap": Overlap, "steps": Steps}
        for name, kind in choices.items():
            if getattr(self, name) not in get_args(kind):
                valid = " or ".join(str(choice) for choice in get_args(kind))
                msg = f"{name} of a protocol is {valid}, got {getattr(self, name)!r}"
                raise UsageError(msg)

    def _check_size(self) -> None:
        if self.short_side is not None and self.short_side < LEAST_SIZE:
            msg = (
                f"short side {self.short_side} px is below the network's least size, "
                f"{LEAST_SIZE} px"
            )
            raise UsageError(msg)
        if self.box is not None:
            if len(self.box) != 2 or not self.box[0] >= self.box[1] >= LEAST_SIZE:
                msg = f"a box is a long and a short side of {LEAST_SIZE} px or more, got {self.box}"
                raise UsageError(msg)
            if self.short_side is not None:
                msg = f"short side {self.short_side} px and box {self.box} exclude each other"
                raise UsageError(msg)
        for name in ("resize_to_multiple", "pad_to_multiple"):
            multiple = getattr(self, name)
            if multiple is not None and not 2 <= multiple <= GREATEST_MULTIPLE:
                msg = f"{name} must lie between 2 and {GREATEST_MULTIPLE} px, got {multiple}"
                raise UsageError(msg)
        if self.resize_to_multiple is not None and self.pad_to_multiple is not None:
            msg = (
                f"sides are either resized or padded to multiples, got resize_to_multiple "
                f"{self.resize_to_multiple} and pad_to_multiple {self.pad_to_multiple}"
            )
            raise UsageError(msg)

    @property
    def effective_stride(self) -> int:
        """Step between windows in pixels, with the default filled in; 0 without windows."""
        if self.window is None:
            return 0
        stride = self.stride if self.stride is not None else max(1, self.window * 2 // 3)
        if self.overlap == "blend":
            return max(GREATEST_STRIDE, stride // GREATEST_STRIDE * GREATEST_STRIDE)
        return stride

    def describe(self) -> str:
        """Name every choice in one line, for reports: scores compare only under one protocol.

        A choice that is ours is not mentioned unless it is about size, view or scale.
        """
        parts = [self._describe_size()]
        if self.resize_to_multiple is not None:
            parts.append(f"stretched to multiples of {self.resize_to_multiple}")
        if self.pad_to_multiple is not None:
            parts.append(f"padded to multiples of {self.pad_to_multiple}")
        if self.window is None:
            parts.append("whole image")
        else:
            averaged = {"logits": "", "probabilities": " averaging probabilities"}.get(
                self.overlap, " blended"
            )
            parts.append(f"window {self.window} stride {self.effective_stride}{averaged}")
        if self.scales == (1.0,):
            parts.append("single scale")
        else:
            parts.append("scales " + "/".join(f"{scale:g}" for scale in self.scales))
        optional = {
            "flip": self.flip,
            "logits in two steps": self.steps == 2,
            "pixels resized": self.resample == "pixels",
            "mmcv's rounding": self.rounding == "mmcv",
        }
        return ", ".join([*parts, *(text for text, chosen in optional.items() if chosen)])

    def _describe_size(self) -> str:
        if self.box is not None:
            return f"box {self.box[0]}x{self.box[1]}"
        return "own size" if self.short_side is None else f"short side {self.short_side}"

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Protocol":
        """Rebuild a protocol from its JSON form (`dataclasses.asdict`).

        Files of versions that knew fewer choices are read too; those choices were ours.

        Raises:
            KeyError, TypeError: An entry is unknown or of another type.
            UsageError: The values contradict each other.
        """
        box = data.get("box")
        scales = tuple(data.get("scales", (1.0,)))
        return cls(**{**data, "scales": scales, "box": None if box is None else tuple(box)})
