"""Masks that are painted from labelled shapes when they are asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from segnext.classes import Classes, Mask
from segnext.data.pairing import Item
from segnext.data.shapes import Shape, paint
from segnext.errors import DataError


@dataclass(frozen=True)
class Annotation:
    """The labels of one picture.

    Attributes:
        shapes: In the order of painting; later ones cover earlier ones.
        height: Of the picture, after its EXIF orientation is applied, in pixels.
        width: Of the picture, after its EXIF orientation is applied, in pixels.
    """

    shapes: Sequence[Shape]
    height: int
    width: int


@dataclass(frozen=True)
class ShapeMasks:
    """Reads the masks of items whose labels are shapes.

    Attributes:
        classes: What the train ids mean; its raw ids are those of the shapes.
        annotations: Labels by item name.
        background: Raw id of pixels that no shape covers, declared by `classes`.
    """

    classes: Classes
    annotations: Mapping[str, Annotation]
    background: int = 0

    def with_classes(self, classes: Classes) -> "ShapeMasks":
        """Return the same reader by another label map; see `MaskReader`."""
        return replace(self, classes=classes)

    def read(self, item: Item) -> Mask:
        """Paint the mask (H, W) of an item, as train ids.

        Raises:
            DataError: A shape is broken, or has a label nobody declared.
        """
        found = self.annotations[item.name]
        try:
            raw = paint(found.shapes, found.height, found.width, self.background)
        except DataError as error:
            msg = f"{item.mask_path}: {error}, for the image {item.name}"
            raise DataError(msg) from None
        return self.classes.encode(raw, str(item.mask_path))
