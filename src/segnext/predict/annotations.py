"""Files for annotation programs beside the masks of many pictures."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from segnext.classes import Classes
from segnext.predict.prediction import Prediction
from segnext.predict.writers.labelled import Labelled
from segnext.predict.writers.registry import WRITERS
from segnext.storage import write_atomically


class Annotations:
    """Writes annotation files, by picture at once and about all pictures at the end.

    The latter are made from the mask PNGs, a picture at a time: an interrupted run loses nothing,
    and memory holds one picture, however many there are.

    Args:
        out: Output folder, which holds `masks/`.
        names: Formats, of `WRITERS`.
        classes: What the masks' ids mean.
    """

    def __init__(self, out: Path, names: Iterable[str], classes: Classes) -> None:
        self._out = out
        self._writers = {name: WRITERS[name] for name in WRITERS if name in set(names)}
        self._classes = classes

    def add(self, name: str, path: Path, prediction: Prediction) -> None:
        """Write the files of a picture that was predicted just now; older ones are replaced."""
        self._write_files(Labelled(name, path, prediction.mask, self._classes), replace=True)

    def finish(self, images: Mapping[str, Path], on_write: Callable[[str], None]) -> None:
        """Write what is missing of pictures whose masks are there, and the files about all.

        Files by picture that exist stay as they are: somebody may have corrected them.

        Args:
            images: Path of each picture by its output name.
            on_write: Called with the name of each format before it is written.

        Raises:
            DataError: A mask cannot be read.
        """
        for name, path in images.items():
            if any(not file.exists() for file in self._files(name)):
                self._write_files(self._read(name, path), replace=False)
        for format_name, writer in self._writers.items():
            on_write(format_name)
            pictures = self._read_all(images)
            writer.write_folder(self._out / writer.folder, pictures, self._classes)

    def _write_files(self, picture: Labelled, *, replace: bool) -> None:
        for writer in self._writers.values():
            if writer.encode_picture is not None:
                path = writer.picture_path(self._out, picture.name)
                if replace or not path.exists():
                    write_atomically(path, writer.encode_picture(picture, path))

    def _files(self, name: str) -> Iterator[Path]:
        for writer in self._writers.values():
            if writer.encode_picture is not None:
                yield writer.picture_path(self._out, name)

    def _read_all(self, images: Mapping[str, Path]) -> Iterator[Labelled]:
        for name, path in images.items():
            yield self._read(name, path)

    def _read(self, name: str, path: Path) -> Labelled:
        return Labelled.read(name, path, self._out / "masks" / f"{name}.png", self._classes)
