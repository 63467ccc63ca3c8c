"""Pictures by the names that annotation files use for them, which are rarely their paths."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

from segnext.data.containers.paths import is_folder, walk_files
from segnext.data.formats.inner_paths import inner_path
from segnext.data.images import IMAGE_SUFFIXES
from segnext.errors import DataError, list_some

# Folders of labels that lie beside the pictures and hold files of the same names.
LABEL_FOLDERS = frozenset({"masks", "segmentationclass", "segmentationobject"})


class PictureIndex:
    """Every picture below a folder, found by name.

    Names are only looked up, never opened, so that none leads out of the folder.

    Args:
        root: Folder or archive.
        images: Folder of the pictures below `root`; the whole of it if not given.

    Raises:
        DataError: `images` is no folder below `root`.
    """

    def __init__(self, root: Path, images: str | None = None) -> None:
        self.folder = root if images is None else choose_folder(root, images)
        self._by_name: dict[str, list[PurePosixPath]] = defaultdict(list)
        self._by_stem: dict[str, list[PurePosixPath]] = defaultdict(list)
        for path in walk_files(self.folder):
            inner = PurePosixPath(path.relative_to(self.folder).as_posix())
            labels = any(part.lower() in LABEL_FOLDERS for part in inner.parts[:-1])
            if inner.suffix.lower() in IMAGE_SUFFIXES and not labels:
                self._by_name[inner.name].append(inner)
                self._by_stem[inner.stem].append(inner)

    def __len__(self) -> int:
        """Return the number of pictures."""
        return sum(map(len, self._by_name.values()))

    def name(self, path: Path) -> str:
        """Return the name of a picture's item: its path below the folder without suffix."""
        return path.relative_to(self.folder).with_suffix("").as_posix()

    def find(self, wanted: str, where: str, spellings: Iterable[str] = ()) -> Path:
        """Find a picture by the path that an annotation file gives.

        The file's name decides. Of several pictures of one name, that whose folders agree with
        the longest tail of the path is meant. A name without suffix finds that of any suffix.

        Args:
            wanted: Path, of any machine.
            where: The file and the place in it, for messages.
            spellings: Other paths to try, in this order, where the first is not there.

        Raises:
            DataError: There is no such picture, or it cannot be told which is meant.
        """
        for spelling in (wanted, *spellings):
            parts = PurePosixPath(spelling.replace("\\", "/")).parts
            found = self._candidates(parts[-1]) if parts else []
            if found:
                return self.folder / self._choose(found, parts, where)
        msg = (
            f"{where}: there is no picture {wanted!r} below {self.folder} ({len(self):,} are "
            f"there); export with images, or put it there"
        )
        raise DataError(msg)

    def _candidates(self, name: str) -> list[PurePosixPath]:
        if name in self._by_name:
            return self._by_name[name]
        path = PurePosixPath(name)
        return self._by_stem.get(path.stem if path.suffix.lower() in IMAGE_SUFFIXES else name, [])

    def _choose(
        self, found: list[PurePosixPath], parts: tuple[str, ...], where: str
    ) -> PurePosixPath:
        best = _closest(found, lambda path: _shared_tail(path.parts[:-1], parts[:-1]))
        # What agrees in full goes before what agrees as far, and lies deeper.
        exact = [path for path in best if path.parts[:-1] == parts[:-1]] or best
        if len(exact) > 1:
            msg = (
                f"{where}: {'/'.join(parts)!r} may mean {list_some(exact, 3)} in {self.folder}; "
                f"rename them, or choose a folder with options: images"
            )
            raise DataError(msg)
        return exact[0]


def choose_folder(root: Path, name: str) -> Path:
    """Return a folder that an option names.

    Args:
        root: Of the data set.
        name: Relative to `root`.

    Raises:
        DataError: It leads out of `root`, or is no folder.
    """
    inner = inner_path(name, f"{root}: options: images")
    if not is_folder(root / inner):
        msg = f"{root}: options: images: there is no folder {name}"
        raise DataError(msg)
    return root / inner


def _closest(
    found: list[PurePosixPath], likeness: Callable[[PurePosixPath], int]
) -> list[PurePosixPath]:
    most = max(map(likeness, found))
    return [path for path in found if likeness(path) == most]


def _shared_tail(first: tuple[str, ...], second: tuple[str, ...]) -> int:
    """Count the parts that agree, from the last on."""
    pairs = zip(reversed(first), reversed(second), strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))
