"""What every encoder is: images to feature maps, fine to coarse.

Shapes: B batch, C channels, H and W height and width of the image.
"""

import importlib
import importlib.util
from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from segnext.errors import UsageError

MIN_SIZE = 32
EXTRA = "baselines"
# The first release whose modules, hence the tensors in our files, have the names of today.
LEAST_TRANSFORMERS = (5, 9)


class Encoder(nn.Module):
    """Images to four feature maps; `MSCAN` has the same interface.

    A subclass sets the three attributes with `describe`, and begins `forward` with `check_images`.

    Attributes:
        in_channels: Channels of the image.
        out_channels: C of each returned map.
        strides: Of each returned map against the image.
        checkpoint_prefix: What the names of a `transformers` checkpoint with a head begin with.
        checkpoint_names: Patterns and replacements, in this order, that turn the names of a
            `transformers` checkpoint into ours.
        not_loaded: Patterns of names in a checkpoint that the encoder has no use for.
    """

    checkpoint_prefix: ClassVar[str]
    checkpoint_names: ClassVar[tuple[tuple[str, str], ...]]
    not_loaded: ClassVar[tuple[str, ...]] = ()

    in_channels: int
    out_channels: tuple[int, ...]
    strides: tuple[int, ...]

    def describe(
        self, in_channels: int, out_channels: Sequence[int], strides: Sequence[int]
    ) -> None:
        """Set what decoders need to know."""
        self.in_channels = in_channels
        self.out_channels = tuple(out_channels)
        self.strides = tuple(strides)

    def check_images(self, images: Tensor) -> None:
        """Refuse images (B, C, H, W) that the encoder was not built for.

        Raises:
            ValueError: The channel count differs, the image is smaller than 32 pixels, or a
                training batch leaves batch statistics a single value.
        """
        batch, channels, height, width = images.shape
        if channels != self.in_channels:
            msg = f"images have {channels} channels, the model was built for {self.in_channels}"
            raise ValueError(msg)
        if height < MIN_SIZE or width < MIN_SIZE:
            msg = f"images of {height}x{width} px are too small: at least {MIN_SIZE}x{MIN_SIZE}"
            raise ValueError(msg)
        if self.training and batch == 1 and height <= self.strides[-1] >= width:
            msg = (
                f"a training batch of one {height}x{width} image leaves stage 4 a single "
                f"position, and batch statistics need two: use a larger crop or batch"
            )
            raise ValueError(msg)


def import_transformers() -> Any:
    """Import the package that the encoders are built from; nothing is downloaded.

    Raises:
        UsageError: It is not installed, or too old; says how to install it.
    """
    remedy = f'pip install "segnext[{EXTRA}]"'
    if importlib.util.find_spec("transformers") is None:
        msg = f"this model needs transformers: {remedy}"
        raise UsageError(msg)
    transformers = importlib.import_module("transformers")
    version: str = transformers.__version__
    if tuple(map(int, version.split(".")[:2])) < LEAST_TRANSFORMERS:
        least = ".".join(map(str, LEAST_TRANSFORMERS))
        msg = f"this model needs transformers {least} or newer, found {version}: {remedy}"
        raise UsageError(msg)
    return transformers


def check_options(
    in_channels: int, *, drop_path_rate: float = 0.0, output_stride: int = 32
) -> None:
    """Refuse encoder options that cannot be built.

    Raises:
        UsageError: With the value and the range.
    """
    if in_channels < 1:
        msg = f"in_channels must be at least 1, got {in_channels}"
        raise UsageError(msg)
    if not 0.0 <= drop_path_rate < 1.0:
        msg = f"drop_path_rate must lie in [0, 1), got {drop_path_rate}"
        raise UsageError(msg)
    if output_stride not in (8, 16, 32):
        msg = f"output_stride must be 8, 16 or 32, got {output_stride}"
        raise UsageError(msg)
