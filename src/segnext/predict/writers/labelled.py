"""A picture with its labels, as annotation files name and draw them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from segnext.classes import BACKGROUND, Classes, Mask
from segnext.data.masks import read_stored
from segnext.data.outlines import Region, find_regions


@dataclass(frozen=True, eq=False)
class Labelled:
    """A picture and its mask.

    Attributes:
        name: Of its outputs, see `find_images`.
        path: The picture.
        mask: Train ids, (H, W).
        classes: What they mean.
    """

    name: str
    path: Path
    mask: Mask
    classes: Classes

    @classmethod
    def read(cls, name: str, path: Path, mask_path: Path, classes: Classes) -> "Labelled":
        """Take the mask from the PNG that `Prediction.save` wrote.

        Raises:
            DataError: It is no readable mask.
        """
        _, pixels = read_stored(mask_path)
        return cls(name, path, pixels[..., 0], classes)

    @property
    def file_name(self) -> str:
        """The picture's path below the folder that all pictures of the call have in common."""
        kept = PurePosixPath(self.name).name == self.path.name
        return self.name if kept else self.name + self.path.suffix

    def regions(self) -> Iterator[Region]:
        """Yield the connected areas to draw, label by label."""
        return find_regions(self.mask, drawn_labels(self.classes))


def drawn_labels(classes: Classes) -> list[int]:
    """Return the train ids that annotation files draw.

    Not a class named background: in those files it is what no shape covers.
    """
    return [label for label, name in enumerate(classes.label_names) if name.lower() != BACKGROUND]
