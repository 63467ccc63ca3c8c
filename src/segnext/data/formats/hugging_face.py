"""Hugging Face `datasets`: rows with a column of pictures and a column of masks.

What `save_to_disk` writes:

    saved/
        dataset_dict.json               of a DatasetDict; a single Dataset is one folder
        train/
            state.json, dataset_info.json
            data-00000-of-00002.arrow
        validation/
            ...

or Parquet as the Hub stores it:

    downloaded/
        data/train-00000-of-00002.parquet     or train.parquet, or train/0000.parquet
        id2label.json                         {"0": "road", "1": "sky"}, if there is one

Arrow files are read in place, row by row. Parquet packs many rows together and allows no such
access, so its two columns are copied once into Arrow files in the cache folder. Nothing is taken
from the network.

Class names come from `classes.txt` or `id2label.json` beside the data, else classes are found in
the masks.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from segnext.data.containers.paths import is_file
from segnext.data.containers.rows import ArrowRows, copy_parquet, list_columns
from segnext.data.formats.format import Format
from segnext.data.formats.id2label import read_id2label
from segnext.data.formats.inner_paths import inner_path
from segnext.data.formats.mask_pictures import holds_mask_pictures
from segnext.data.formats.row_files import find_row_files, is_saved
from segnext.data.layout import Layout
from segnext.data.masks import MaskReader
from segnext.data.pairing import Item, keep_labelled
from segnext.data.survey import build_reader
from segnext.errors import DataError, UsageError, list_some
from segnext.storage import cache_folder

IMAGE_COLUMNS = ("image", "pixel_values", "img")
MASK_COLUMNS = ("label", "labels", "mask", "annotation", "segmentation_mask", "labels.png")


@dataclass(frozen=True)
class _Columns:
    """Names of the columns of pictures and of masks."""

    image: str
    mask: str


def detect(root: Path) -> bool:
    """Tell whether a folder holds saved rows, or Parquet files with pictures and masks."""
    try:
        if is_saved(root):
            return True
        if not root.is_dir():
            return False
        files = find_row_files(root)
        if not files or holds_mask_pictures(root):
            return False
        columns = list_columns(next(iter(files.values()))[0])
        return _choose(columns, IMAGE_COLUMNS) != "" and _choose(columns, MASK_COLUMNS) != ""
    except (DataError, UsageError, OSError):
        return False


def read(
    root: Path,
    *,
    image_column: str | None = None,
    mask_column: str | None = None,
    id2label: str | None = None,
    reduce_labels: bool = False,
    cache: str | None = None,
) -> Layout:
    """Find the rows of a Hugging Face data set.

    Args:
        root: Folder of `save_to_disk`, or of Parquet files.
        image_column: Column of pictures; one of the usual names if not given.
        mask_column: Column of masks, likewise.
        id2label: JSON file of class names by mask value, below the root; `id2label.json` if not
            given and there.
        reduce_labels: Mask value 0 means nothing, and every other is one more than in `id2label`.
        cache: Folder for the Arrow copies of Parquet files; below the user's cache folder if not
            given.

    Raises:
        DataError: A file is missing or damaged, or there are no such columns.
        UsageError: An option is malformed, or pyarrow is not installed.
    """
    if not root.is_dir():
        msg = f"{root}: rows are read from a folder on disk only; unpack the archive"
        raise DataError(msg)
    files = find_row_files(root)
    if not files:
        msg = f"{root}: holds neither state.json, dataset_dict.json nor .parquet files with rows"
        raise DataError(msg)
    if "" in files and len(files) > 1:
        unnamed = list_some(path.name for path in files[""])
        msg = f"{root}: the names of {unnamed} say no split, others do; rename or remove them"
        raise DataError(msg)
    place = root / Path(cache).expanduser() if cache else cache_folder() / "rows"
    columns = _find_columns(files, image_column, mask_column)
    layout = Layout(f"Hugging Face rows, columns {columns.image} + {columns.mask}")
    for split, paths in files.items():
        items: list[Item] = []
        for path in paths:
            items += _read_rows(path, columns, place, len(items), layout.notes)
        if not items:
            msg = f"{paths[0]}: the split {split or 'of all rows'} has no row with a picture"
            raise DataError(msg)
        labelled = keep_labelled(_rename(items), split or "all", layout.notes)
        if split:
            layout.splits[split] = labelled
        else:
            layout.pool = labelled
    layout.masks = _build_named_reader(root, layout, id2label, reduce_labels)
    return layout


def _find_columns(
    files: Mapping[str, Sequence[Path]], image: str | None, mask: str | None
) -> _Columns:
    """Find the columns in the first split that has both; test splits may have no masks."""
    found: dict[Path, list[str]] = {}
    for paths in files.values():
        columns = found[paths[0]] = list_columns(paths[0])
        chosen = _choose(columns, [image] if image else IMAGE_COLUMNS)
        labels = _choose(columns, [mask] if mask else MASK_COLUMNS)
        if chosen and labels:
            return _Columns(chosen, labels)
    path, columns = next(iter(found.items()))
    msg = (
        f"{path}: needs a column of pictures ({image or ', '.join(IMAGE_COLUMNS)}) and one of "
        f"masks ({mask or ', '.join(MASK_COLUMNS)}); those with pictures are "
        f"{list_some(columns) or 'none'}; name them with options: {{image_column: NAME, "
        f"mask_column: NAME}}"
    )
    raise DataError(msg)


def _choose(columns: Sequence[str], wanted: Sequence[str]) -> str:
    return next((name for name in wanted if name in columns), "")


def _read_rows(
    path: Path, columns: _Columns, cache: Path, start: int, notes: list[str]
) -> list[Item]:
    """Return an item for each row of a file; the first one is row `start` of its split."""
    there = list_columns(path)
    if columns.image not in there:
        msg = f"{path}: has no column {columns.image}, but other files of the data set have"
        raise DataError(msg)
    has_masks = columns.mask in there
    if path.suffix.lower() == ".parquet":
        path = _copy(path, [columns.image, columns.mask] if has_masks else [columns.image], cache)
    rows = _open(path)
    pictures = rows.holds(columns.image)
    masks = rows.holds(columns.mask).tolist() if has_masks else [False] * len(rows)
    file_names = rows.file_names(columns.image)
    for row in (~pictures).nonzero()[0].tolist():
        if file_names[row] is not None:
            msg = (
                f"{path}: row {row} holds only the path of its picture, {file_names[row]}; save "
                f"the data set again with save_to_disk, which takes pictures in"
            )
            raise DataError(msg)
    if not pictures.all():
        notes.append(f"{path.name}: {int((~pictures).sum())} rows without a picture left out")
    return [
        Item(
            name=PurePosixPath((file_names[row] or "").replace("\\", "/")).stem,
            image_path=path / str(row) / columns.image,
            mask_path=path / str(row) / columns.mask if masks[row] else None,
            group=f"{start + row:06d}",
        )
        for row in pictures.nonzero()[0].tolist()
    ]


def _rename(items: Sequence[Item]) -> list[Item]:
    """Give items the names that their files once had; numbers where these are not distinct."""
    named = len({item.name for item in items} - {"", "..", "."}) == len(items)
    chosen = [item.name if named else item.group for item in items]
    return [replace(item, name=name, group=name) for item, name in zip(items, chosen, strict=True)]


def _copy(path: Path, columns: Sequence[str], cache: Path) -> Path:
    found = path.stat()
    state = repr((str(path.resolve()), found.st_size, found.st_mtime_ns, list(columns)))
    digest = hashlib.sha256(state.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    target = cache / f"{path.stem}-{digest}.arrow"
    copy_parquet(path, columns, target)
    return target


def _open(path: Path) -> ArrowRows:
    try:
        return ArrowRows(path)
    except DataError as error:
        msg = f"{path}: {error}"
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror or error})"
    raise DataError(msg)


def _build_named_reader(
    root: Path, layout: Layout, id2label: str | None, reduce_labels: bool
) -> MaskReader | None:
    """Build the reader where class names are given; else masks are looked at as in folders."""
    named = root / inner_path(id2label, "id2label") if id2label else root / "id2label.json"
    if not id2label and (is_file(root / "classes.txt") or not is_file(named)):
        if reduce_labels:
            msg = f"{root}: reduce_labels needs class names in id2label.json"
            raise UsageError(msg)
        return None
    taxonomy = read_id2label(named, layout.notes, reduce_labels=reduce_labels)
    items = layout.splits.get("train") or next(iter(layout.splits.values()), layout.pool)
    masks = [item.mask_path for item in items if item.mask_path]
    if not masks:
        msg = f"{root}: no row of train has a mask"
        raise DataError(msg)
    reader, notes = build_reader(masks, taxonomy, ())
    layout.notes += notes
    return reader


FORMAT = Format("hugging_face", "a Hugging Face data set", detect, read)
