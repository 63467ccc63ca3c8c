"""Pictures and label files of a YOLO data set, as its data.yaml names them."""

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from segnext.data.containers.paths import is_file, is_folder, list_folder
from segnext.data.formats.inner_paths import inner_path
from segnext.data.formats.yolo_labels import is_blank, looks_like_labels
from segnext.data.images import IMAGE_SUFFIXES
from segnext.data.layout import find_folder, find_split_folders
from segnext.data.pairing import read_list, scan_pictures
from segnext.data.split_names import SPLIT_NAMES
from segnext.errors import DataError

IMAGES, LABELS, MASKS = "images", "labels", "masks"
# Files that detection looks at, of a folder that may hold a hundred thousand.
_LOOKED_AT = 20


def label_path(picture: Path, root: Path, folder: str = LABELS) -> Path:
    """Return where the label file of a picture lies, whether it is there or not.

    The last folder called `images` becomes `labels`; without one, labels lie beside pictures.
    """
    return _swap(picture, root, folder).with_suffix(".txt")


def _swap(path: Path, root: Path, folder: str) -> Path:
    parts = list(path.relative_to(root).parts)
    places = [place for place, part in enumerate(parts) if part.lower() == IMAGES]
    if places:
        parts[places[-1]] = folder
    return root.joinpath(*parts)


def read_source(root: Path, source: Any, where: str) -> dict[str, Path]:
    """Return the pictures of a folder, of a list, or of several of them.

    Args:
        root: Of the data set.
        source: A folder, a .txt list of pictures, or a list of those.
        where: The file and key that name it, for messages.

    Returns:
        Picture by its path below `root`, without suffix, with `/`; sorted.

    Raises:
        DataError: A source or a listed picture is missing or outside `root`, there is no picture,
            or two differ only in their suffix.
    """
    pictures: dict[str, Path] = {}
    for text in source if isinstance(source, list) else [source]:
        path = locate(root, text, where)
        listed = scan_pictures(path).values() if is_folder(path) else _read_list(root, path)
        for picture in listed:
            name = picture.relative_to(root).with_suffix("").as_posix()
            if pictures.setdefault(name, picture) != picture:
                msg = f"{pictures[name]} and {picture} have one name; remove or rename one of them"
                raise DataError(msg)
    if not pictures:
        msg = f"{where}: there is no picture in {source}"
        raise DataError(msg)
    return dict(sorted(pictures.items()))


def locate(root: Path, text: Any, where: str) -> Path:
    """Return the folder or list that a source names.

    Raises:
        DataError: It is missing or outside `root`.
    """
    told = text
    if isinstance(text, str):
        text = text.replace("\\", "/")
        absolute = root.absolute().as_posix().rstrip("/") + "/"
        # Roboflow counts from a folder below its data.yaml, and readers have learnt to forgive it.
        inner = text.removeprefix("../")
        if inner != text and ".." not in inner and _is_source(root / inner.lstrip("/")):
            text = inner
        elif text.startswith(absolute):
            text = text.removeprefix(absolute)
    path = root / inner_path(text, where)
    if not _is_source(path):
        msg = f"{where}: {told} is neither a folder nor a .txt list in {root}"
        raise DataError(msg)
    return path


def _is_source(path: Path) -> bool:
    return is_folder(path) or (path.suffix.lower() == ".txt" and is_file(path))


def _read_list(root: Path, path: Path) -> Iterator[Path]:
    for line, text in read_list(path):
        parts = PurePosixPath(text.replace("\\", "/")).parts
        # Lists count from the root or from somewhere above, so the longest tail that is there
        # wins; a tail never leads out.
        tails = (parts[start:] for start in range(len(parts)))
        inner = (root.joinpath(*tail) for tail in tails if ".." not in tail and tail[0] != "/")
        found = next((picture for picture in inner if is_file(picture)), None)
        if found is None or found.suffix.lower() not in IMAGE_SUFFIXES:
            msg = f"{path}, line {line}: there is no picture {text} in {root}"
            raise DataError(msg)
        yield found


def find_sources(root: Path) -> dict[str, str]:
    """Find folders of pictures where no data.yaml names them: by split, or by `""` a pool."""
    found: dict[str, str] = {}
    images = find_folder(root, (IMAGES,))
    outer, inner = find_split_folders(root), find_split_folders(images) if images else {}
    for split in SPLIT_NAMES:
        folder = inner.get(split)
        if folder is None and split in outer:
            folder = find_folder(outer[split], (IMAGES,))
        if folder:
            found[split] = folder.relative_to(root).as_posix()
    if not found and images:
        found[""] = images.relative_to(root).as_posix()
    return found


def has_label_files(root: Path, sources: Mapping[str, Any]) -> bool:
    """Tell whether the labels of some sources are YOLO's text files, and not masks.

    Args:
        root: Of the data set.
        sources: By split, as `read_source` takes them.
    """
    for source in sources.values():
        for text in source if isinstance(source, list) else [source]:
            try:
                files = _some_label_files(root, locate(root, text, ""))
            except (DataError, OSError):
                continue
            if files:
                return any(map(looks_like_labels, files)) or all(map(is_blank, files))
    return False


def _some_label_files(root: Path, path: Path) -> list[Path]:
    """Return label files beside a source; none where there are masks, which go before."""
    if not is_folder(path):
        pictures = [picture for picture, _ in zip(_read_list(root, path), range(3), strict=False)]
        masked = any(_has_masks(root, picture.parent) for picture in pictures)
        files = [label_path(picture, root) for picture in pictures]
        return [] if masked else [file for file in files if is_file(file)]
    labels = _swap(path, root, LABELS)
    if _has_masks(root, path) or not is_folder(labels):
        return []
    entries = list_folder(labels)[:_LOOKED_AT]
    inner = [entry for folder in entries[:3] if is_folder(folder) for entry in list_folder(folder)]
    files = [entry for entry in (*entries, *inner) if entry.suffix.lower() == ".txt"]
    return [file for file in files[:_LOOKED_AT] if is_file(file)]


def _has_masks(root: Path, images: Path) -> bool:
    masks = _swap(images, root, MASKS)
    return masks != images and is_folder(masks)
