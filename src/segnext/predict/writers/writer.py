"""What is known about a way to write labels for annotation programs."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from segnext.classes import Classes
from segnext.predict.writers.labelled import Labelled


def _write_nothing(_out: Path, _pictures: Iterable[Labelled], _classes: Classes) -> None:
    """Leave it at the files by picture."""


@dataclass(frozen=True)
class Writer:
    """A format: files by picture, files about all pictures, or both.

    Attributes:
        folder: Below the output folder, for nothing else.
        picture_file: Path of a picture's file below `folder`, with `{name}`; empty if the format
            has none.
        encode_picture: Makes the content of that file, which will lie at the given path.
        write_folder: Writes the files about all pictures to a folder. The pictures can be gone
            through once; files appear complete or not at all.
    """

    folder: str
    picture_file: str = ""
    encode_picture: Callable[[Labelled, Path], bytes] | None = None
    write_folder: Callable[[Path, Iterable[Labelled], Classes], None] = _write_nothing

    def picture_path(self, out: Path, name: str) -> Path:
        """Return where the file of a picture lies below the output folder."""
        return out / self.folder / self.picture_file.format(name=name)
