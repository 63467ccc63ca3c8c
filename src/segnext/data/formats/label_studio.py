"""Label Studio's JSON export: tasks with brush strokes, polygons, rectangles and ellipses.

    export/
        project-3-at-2026-05-04-10-11-ab12cd34.json
        images/                     or anywhere else below
            ab12cd34-field.jpg      or field.jpg

Instead of one file there may be `train.json`, `val.json` and `test.json`. Of several annotations
of a task the newest counts, cancelled ones apart; predictions and drafts do not. Shapes are
painted in the order of the file. The export does not say which labels the project has, so classes
are those found, in alphabetical order, unless the option `classes` lists them.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from segnext.data.containers.paths import is_file, list_folder
from segnext.data.formats.format import Format
from segnext.data.formats.json_files import read_head, read_json
from segnext.data.formats.label_studio_regions import Region, read_region
from segnext.data.formats.picture_index import PictureIndex
from segnext.data.formats.shape_classes import declare_shape_classes, number_labels
from segnext.data.formats.shape_layout import (
    UNNAMED_SPLIT,
    LabelledPicture,
    build_shape_layout,
    describe_skipped,
    name_split,
)
from segnext.data.images import IMAGE_SUFFIXES
from segnext.data.layout import Layout
from segnext.data.shapes import Shape
from segnext.data.split_names import SPLIT_NAMES
from segnext.errors import DataError, UsageError, list_some

_TASKS = re.compile(r"\s*\[\s*\{")
# Words that every task of an export has, whichever comes first; JSON-MIN has the last one only.
_KEYS = re.compile(
    r'"annotations"\s*:\s*\[.*"(result|data|drafts)"\s*:|"original_width"', re.DOTALL
)
# What Label Studio puts before the name of an uploaded file: eight hexadecimal digits, and in
# some versions the number of the project.
_UPLOAD_PREFIX = re.compile(r"^(\d+-)?[0-9a-f]{8}-")


def detect(root: Path) -> bool:
    """Tell whether a JSON file in the folder looks like an export."""
    return any(_looks_exported(path) for path in _json_files(root))


def read(
    root: Path,
    *,
    classes: Sequence[str] = (),
    unlabelled: str = "background",
    images: str | None = None,
    file: str | None = None,
    key: str | None = None,
) -> Layout:
    """Read an export; see this module.

    Args:
        root: Folder or archive.
        classes: Labels in the order of their ids; those found, in alphabetical order, if not
            given.
        unlabelled: What pixels are that no shape covers: `background` or `ignore`.
        images: Folder of the pictures below `root`; the whole of it if not given.
        file: Name of the export in `root`, where several JSON files are there.
        key: Of the picture in the `data` of a task; found out if not given.

    Raises:
        DataError: The export is missing, malformed, or JSON-MIN, a picture is not there, or a
            label is not in `classes`.
        UsageError: An option is out of range.
    """
    if not isinstance(classes, list | tuple) or not all(isinstance(name, str) for name in classes):
        msg = f"options: classes must be a list of labels, not {classes!r}"
        raise UsageError(msg)
    if key is not None and not isinstance(key, str):
        msg = f"options: key must be a name, not {key!r}"
        raise UsageError(msg)
    index = PictureIndex(root, images)
    found = _Found(index, key)
    for split, path in _find_exports(root, file).items():
        found.read_export(path, split)
    notes = found.notes()
    names = list(classes) or sorted(found.labels)
    if not names:
        msg = f"{root}: no task has a labelled area; label some in Label Studio and export again"
        raise DataError(msg)
    if not classes:
        notes.append(
            f"classes: the export does not list them, so these were found, in alphabetical order: "
            f"{list_some(names, 10)}; options: classes keeps an order of yours"
        )
    declared = declare_shape_classes(number_labels(names), str(root), unlabelled=unlabelled)
    pictures = [
        LabelledPicture(
            task.path,
            task.source,
            tuple(
                Shape(declared.raw_id(region.label, region.where), region.area)
                for region in task.regions
            ),
            task.size,
            task.split,
        )
        for task in found.tasks
    ]
    return build_shape_layout("Label Studio's JSON export", pictures, index, declared, notes)


@dataclass(frozen=True)
class _Task:
    path: Path
    source: Path
    regions: tuple[Region, ...]
    size: tuple[int, int] | None
    split: str


@dataclass
class _Found:
    """What was read so far, and what is odd about it."""

    index: PictureIndex
    key: str | None
    tasks: list[_Task] = field(default_factory=list)
    labels: set[str] = field(default_factory=set)
    skipped: Counter[str] = field(default_factory=Counter)
    open_tasks: int = 0
    several: int = 0

    def read_export(self, path: Path, split: str) -> None:
        content = read_json(path)
        if not isinstance(content, list) or not all(isinstance(task, dict) for task in content):
            msg = f"{path}: is no export of Label Studio, which is a list of tasks"
            raise DataError(msg)
        for number, task in enumerate(content):
            self._read_task(task, path, split, f"{path}: task {task.get('id', number)}")

    def notes(self) -> list[str]:
        notes = []
        if self.open_tasks:
            notes.append(f"{self.open_tasks} tasks without an annotation: left out")
        if self.several:
            notes.append(f"{self.several} tasks with several annotations: the newest counts")
        return notes + describe_skipped(self.skipped)

    def _read_task(self, task: dict[str, Any], path: Path, split: str, where: str) -> None:
        if "annotations" not in task:
            msg = (
                f"{where}: has no annotations, as in Label Studio's JSON-MIN, which lacks what is "
                f"needed; export as JSON"
            )
            raise DataError(msg)
        done = [
            entry
            for entry in _records(task["annotations"], where)
            if not entry.get("was_cancelled")
        ]
        if not done:
            self.open_tasks += 1
            return
        self.several += len(done) > 1
        newest = max(enumerate(done), key=lambda entry: (_number(entry[1].get("id")), entry[0]))[1]
        results = _records(newest.get("result"), where)
        regions = []
        for result in results:
            region = read_region(result, where)
            if isinstance(region, str):
                self.skipped[region] += 1
            else:
                regions.append(region)
        sizes = {region.size for region in regions}
        if len(sizes) > 1:
            msg = f"{where}: its regions are for pictures of different sizes, {list_some(sizes)}"
            raise DataError(msg)
        self.labels |= {region.label for region in regions}
        picture = self._find_picture(task.get("data"), where)
        size = next(iter(sizes), None)
        self.tasks.append(_Task(picture, path, tuple(regions), size, split))

    def _find_picture(self, data: Any, where: str) -> Path:
        address = self._choose_address(data if isinstance(data, dict) else {}, where)
        name = _file_path(address)
        bare = PurePosixPath(name)
        bare = bare.with_name(_UPLOAD_PREFIX.sub("", bare.name) or bare.name)
        return self.index.find(name, where, [bare.as_posix()])

    def _choose_address(self, data: dict[str, Any], where: str) -> str:
        if self.key is not None:
            addresses = [data.get(self.key)]
        elif isinstance(data.get("image"), str):
            addresses = [data["image"]]
        else:
            addresses = [value for value in data.values() if _is_picture(value)]
        if len(addresses) != 1 or not isinstance(addresses[0], str) or not _file_path(addresses[0]):
            msg = (
                f"{where}: its data name {len(addresses)} pictures: {list_some(data) or 'nothing'}"
                f"; tell the right key with options: key"
            )
            raise DataError(msg)
        return addresses[0]


def _json_files(root: Path) -> list[Path]:
    try:
        return [
            path
            for path in list_folder(root)
            if path.suffix.lower() == ".json" and is_file(path) and not path.name.startswith(".")
        ]
    except (OSError, DataError):
        return []


def _looks_exported(path: Path) -> bool:
    head = read_head(path)
    return bool(_TASKS.match(head) and _KEYS.search(head))


def _find_exports(root: Path, file: str | None) -> dict[str, Path]:
    """Return the export of each split; a single one is called default."""
    if file is not None:
        chosen = [path for path in _json_files(root) if path.name == file]
        if not chosen:
            msg = f"{root}: options: file: there is no {file}"
            raise DataError(msg)
        return {UNNAMED_SPLIT: chosen[0]}
    files = _json_files(root)
    exports = [path for path in files if _looks_exported(path)] or files
    by_split = {name_split(path.stem): path for path in exports}
    if len(exports) == 1 and not set(by_split) & set(SPLIT_NAMES):
        return {UNNAMED_SPLIT: exports[0]}
    if not exports or len(by_split) < len(exports) or not set(by_split) <= set(SPLIT_NAMES):
        names = list_some(path.name for path in exports) or "none"
        msg = (
            f"{root}: expected one JSON file, or train.json, val.json and test.json, found {names}"
            f"; tell which with options: file"
        )
        raise DataError(msg)
    return by_split


def _records(value: Any, where: str) -> list[dict[str, Any]]:
    records = value or []
    if not isinstance(records, list) or not all(isinstance(entry, dict) for entry in records):
        msg = f"{where}: its annotations are malformed; export again"
        raise DataError(msg)
    return records


def _number(value: Any) -> int:
    return value if isinstance(value, int) else -1


def _is_picture(value: Any) -> bool:
    suffix = PurePosixPath(_file_path(value)).suffix if isinstance(value, str) else ""
    return suffix.lower() in IMAGE_SUFFIXES


def _file_path(address: str) -> str:
    """Return the path in an address: an upload, a local file, or in a bucket or on the web."""
    try:
        parts = urlsplit(address.replace("\\", "/"))
    except ValueError:
        return ""
    local = parse_qs(parts.query).get("d")
    return local[0] if local else unquote(parts.path)


FORMAT = Format("label_studio", "a JSON export of Label Studio", detect, read)
