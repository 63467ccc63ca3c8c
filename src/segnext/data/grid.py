"""Where patches of a large picture lie: square windows every so many pixels."""

from dataclasses import dataclass
from typing import Literal

from segnext.errors import UsageError

Order = Literal["sides", "corners"]
"""How a name tells the place: `sides` is top_bottom_left_right, `corners` left_top_right_bottom."""


@dataclass(frozen=True)
class Patch:
    """Where a patch lies in its picture, in pixels; bottom and right are not part of it."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        """Rows."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Columns."""
        return self.right - self.left

    def describe(self, order: Order) -> str:
        """Return the place as patches' names end with it."""
        if order == "sides":
            return f"{self.top}_{self.bottom}_{self.left}_{self.right}"
        return f"{self.left}_{self.top}_{self.right}_{self.bottom}"


@dataclass(frozen=True)
class Grid:
    """Square patches in rows and columns.

    Attributes:
        size: Side of a patch, in pixels.
        stride: Pixels from one patch to the next.
    """

    size: int
    stride: int

    def __post_init__(self) -> None:
        if not 1 <= self.stride <= self.size <= 65535:
            msg = (
                f"patches of {self.size} px every {self.stride} px: the side should be 1 to 65535 "
                f"px, and the step 1 px to the side, or pixels between patches are lost"
            )
            raise UsageError(msg)

    @classmethod
    def overlapping(cls, size: int, overlap: int) -> "Grid":
        """Return the grid whose neighbours share `overlap` pixels.

        Raises:
            UsageError: The overlap is not smaller than the patch.
        """
        if not 0 <= overlap < size:
            msg = f"patches of {size} px cannot overlap by {overlap} px; say 0 to {size - 1}"
            raise UsageError(msg)
        return cls(size, size - overlap)

    def plan(self, height: int, width: int) -> list[Patch]:
        """Return the patches of a picture, row by row; the first is at its upper left corner.

        Args:
            height: Of the picture, in pixels. Patches of smaller pictures reach beyond them.
            width: Of the picture, in pixels.
        """
        return [
            Patch(top, left, top + self.size, left + self.size)
            for top in self._starts(height)
            for left in self._starts(width)
        ]

    def _starts(self, length: int) -> list[int]:
        last = max(0, length - self.size)
        return [*range(0, last, self.stride), last]
