"""Files of rows in the folders that Hugging Face's `datasets` and its Hub make."""

import re
from pathlib import Path
from typing import Any

from segnext.data.containers.paths import is_file
from segnext.data.formats.json_files import read_json
from segnext.data.layout import find_split_folders
from segnext.data.split_names import SPLIT_NAMES, split_in_words, standard_split
from segnext.errors import DataError, list_some

_DICT, _STATE, _INFO = "dataset_dict.json", "state.json", "dataset_info.json"
_LOOSE = (".parquet", ".arrow")
# `train-00000-of-00002.parquet`; older files have a hash behind.
_NUMBERED = re.compile(r"(.*?)-?(\d{5,})-of-(\d{5,})(?:-[0-9a-f]+)?")


def is_saved(root: Path) -> bool:
    """Tell whether a folder, maybe in an archive, was written by `save_to_disk`."""
    return is_file(root / _DICT) or (is_file(root / _STATE) and is_file(root / _INFO))


def find_row_files(root: Path) -> dict[str, list[Path]]:
    """Find the Arrow or Parquet files of a folder by split.

    Returns:
        Files in the order of their rows by split; by `""` where no name says a split. Empty where
        there are none.

    Raises:
        DataError: A file that others tell of is missing, or the files that tell are malformed.
    """
    if (root / _DICT).is_file():
        names = _read_object(root / _DICT).get("splits")
        if not isinstance(names, list) or not names:
            msg = f"{root / _DICT}: must list its splits; save the data set again"
            raise DataError(msg)
        files = {_standard(str(name)): _saved_files(root, str(name)) for name in names}
        if len(files) < len(names):
            msg = f"{root / _DICT}: two splits are one: {list_some(names)}; rename one of them"
            raise DataError(msg)
        return files
    if is_saved(root):
        split = _read_object(root / _STATE).get("_split")
        return {_standard(split) if isinstance(split, str) else "": _saved_files(root, ".")}
    return _loose_files(root)


def _saved_files(root: Path, name: str) -> list[Path]:
    folder = root / name
    if name != "." and not _is_plain(name):
        msg = f"{root / _DICT}: {name!r} is no name of a split"
        raise DataError(msg)
    state = _read_object(folder / _STATE)
    if state.get("_indices_data_files") or state.get("_indices_files"):
        msg = f"{folder}: its rows are chosen by another file; load and save the data set again"
        raise DataError(msg)
    entries = state.get("_data_files")
    names = [str(entry.get("filename")) for entry in entries or () if isinstance(entry, dict)]
    if not names or not all(_is_plain(text) and text.endswith(".arrow") for text in names):
        msg = f"{folder / _STATE}: must list the files of rows; save the data set again"
        raise DataError(msg)
    missing = [text for text in names if not (folder / text).is_file()]
    if missing:
        msg = f"{folder}: {len(missing)} of {len(names)} files are missing: {list_some(missing)}"
        raise DataError(msg)
    return [folder / text for text in names]


def _loose_files(root: Path) -> dict[str, list[Path]]:
    folders = [root]
    folders += [root / name for name in ("data", "default") if (root / name).is_dir()]
    found: dict[str, list[Path]] = {}
    for folder in folders:
        for path in _rows_in(folder):
            found.setdefault(_split_of(path), []).append(path)
        for split, inner in find_split_folders(folder).items():
            if inner.is_dir() and (rows := _rows_in(inner)):
                found.setdefault(split, []).extend(rows)
    for paths in found.values():
        _check_whole(paths)
    return {split: found[split] for split in (*SPLIT_NAMES, *found) if split in found}


def _rows_in(folder: Path) -> list[Path]:
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in _LOOSE)
    return [path for path in paths if path.is_file() and not path.name.startswith(".")]


def _split_of(path: Path) -> str:
    match = _NUMBERED.fullmatch(path.stem)
    name = match[1] if match else path.stem
    return standard_split(name) or split_in_words(name)


def _check_whole(paths: list[Path]) -> None:
    """Refuse half a split, as an interrupted download leaves it."""
    totals: dict[tuple[Path, str, int], int] = {}
    for path in paths:
        if match := _NUMBERED.fullmatch(path.stem):
            key = path.parent, match[1], int(match[3])
            totals[key] = totals.get(key, 0) + 1
    for (folder, name, total), there in totals.items():
        if there != total:
            msg = f"{folder}: has {there} of {total} files of {name or 'rows'}; download the others"
            raise DataError(msg)


def _standard(name: str) -> str:
    return standard_split(name) or name


def _is_plain(name: str) -> bool:
    return name not in ("", ".", "..") and not set(name) & set("/\\:\0")


def _read_object(path: Path) -> dict[str, Any]:
    content = read_json(path)
    if not isinstance(content, dict):
        msg = f"{path}: must hold a JSON object; save the data set again"
        raise DataError(msg)
    return content
