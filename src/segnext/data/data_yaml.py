"""Read `data.yaml`: folders or lists of each split, class names, colours and label mapping.

Or, for data in a known format, where it lies and what its classes become:

    path: /data/ade
    format: ade20k
    merge: {vehicle: [car, bus, truck]}
    drop: [sky]
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from segnext.classes import Classes, Color
from segnext.data.containers.paths import is_file, is_folder, read_text
from segnext.data.formats.inner_paths import leads_out
from segnext.data.formats.yolo import FORMAT as YOLO
from segnext.data.formats.yolo_sources import has_label_files
from segnext.data.layout import IMAGE_FOLDERS, Layout
from segnext.data.pairing import Item, keep_labelled, pair_folders, read_list
from segnext.data.taxonomy import Taxonomy, build_taxonomy
from segnext.data.wrapping import unwrap
from segnext.errors import DataError, describe_unknown, list_some
from segnext.parsing import parse_yaml

SPLITS = ("train", "val", "test")
KEYS = (
    "path",
    *SPLITS,
    "names",
    "masks_dir",
    "colors",
    "ignore_index",
    "label_mapping",
    "format",
    "options",
    "merge",
    "drop",
    "reduce_zero_label",
)
# What a format says by itself.
_NOT_WITH_FORMAT = (*SPLITS, "names", "masks_dir", "colors", "label_mapping")
# What masks need and shapes do not.
_NOT_WITH_YOLO = ("masks_dir", "colors", "label_mapping")
# Plain folders say where pictures lie, not what their labels mean.
_NOT_WITH_FOLDER = (*SPLITS, "masks_dir")
# Keys of the same file that other tools write and that say nothing about masks.
PASSED_OVER = frozenset(
    {"channels", "download", "flip_idx", "kpt_names", "kpt_shape", "license", "nc", "roboflow"}
)


@dataclass(frozen=True)
class DataYaml:
    """A parsed `data.yaml`.

    Attributes:
        root: The folder that paths are relative to.
        layout: Items of each split.
        taxonomy: Declared classes, if any.
        ignore_index: Mask values that count for nothing.
        format: Name of the format or known data set; `None` for plain folders.
        options: Of the format.
        merge: Names of classes by the name they get together.
        drop: Classes whose pixels count for nothing.
        reduce_zero: Make raw id 0 void, and every other train id one less.
    """

    root: Path
    layout: Layout
    taxonomy: Taxonomy | None
    ignore_index: tuple[int, ...] = ()
    format: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    merge: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    reduce_zero: bool = False

    def relabel(self, classes: Classes) -> Classes:
        """Apply what the file says about the classes of the data set.

        Raises:
            UsageError: A class is unknown, or zero is reduced where it is void already.
        """
        if self.ignore_index:
            classes = classes.with_ignored(self.ignore_index)
        if self.reduce_zero:
            classes = classes.reduce_zero()
        if self.drop:
            classes = classes.drop(self.drop)
        return classes.merge(self.merge) if self.merge else classes


def read_data_yaml(path: Path) -> DataYaml:
    """Read a `data.yaml` and the folders and lists it names.

    Raises:
        DataError: The file is malformed, has an unknown key, or names something that is missing
            or outside its root.
    """
    content = _load(path)
    root = unwrap(path.parent / _text(content.get("path") or ".", f"{path}: path"))
    if not is_folder(root):
        msg = f"{path}: path names no folder: {root}; it is relative to {path.parent}"
        raise DataError(msg)
    layout = Layout(path.name)
    changes = _read_changes(content, path)
    if _is_yolo(content, root):
        return _read_yolo(content, root, path, changes)
    if content.get("format") is not None:
        return _read_format(content, root, path, changes)
    masks_dir = _inside(_text(content.get("masks_dir", "masks"), f"{path}: masks_dir"), path)
    for split in SPLITS:
        sources = content.get(split)
        if sources:
            items = _read_sources(root, sources, masks_dir, f"{path}: {split}", layout.notes)
            layout.splits[split] = keep_labelled(items, split, layout.notes)
    if not layout.splits:
        msg = f"{path}: names no split; give `train: images/train`, or `format: coco` and the like"
        raise DataError(msg)
    return DataYaml(root, layout, _read_taxonomy(content, path), **changes)


def _read_format(
    content: Mapping[str, Any], root: Path, path: Path, changes: Mapping[str, Any]
) -> DataYaml:
    name = _text(content["format"], f"{path}: format")
    excluded = _NOT_WITH_FOLDER if name == "folder" else _NOT_WITH_FORMAT
    unwanted = next((key for key in excluded if content.get(key)), None)
    if unwanted:
        msg = f"{path}: {unwanted} and format exclude each other; the format says it by itself"
        raise DataError(msg)
    options = _read_options(content, path)
    taxonomy = _read_taxonomy(content, path) if name == "folder" else None
    return DataYaml(root, Layout(path.name), taxonomy, format=name, options=options, **changes)


def _read_options(content: Mapping[str, Any], path: Path) -> dict[str, Any]:
    options = content.get("options") or {}
    if not isinstance(options, dict):
        msg = f"{path}: options must hold lines `name: value`, not {options!r}"
        raise DataError(msg)
    return options


def _is_yolo(content: Mapping[str, Any], root: Path) -> bool:
    """Tell whether the labels are YOLO's text files, whose data.yaml has the same keys."""
    if content.get("format") is not None:
        return bool(content["format"] == YOLO.name)
    sources = {split: content[split] for split in SPLITS if content.get(split)}
    return "masks_dir" not in content and has_label_files(root, sources)


def _read_yolo(
    content: Mapping[str, Any], root: Path, path: Path, changes: Mapping[str, Any]
) -> DataYaml:
    unwanted = next((key for key in _NOT_WITH_YOLO if content.get(key)), None)
    if unwanted:
        msg = f"{path}: {unwanted} is about masks, but the labels are YOLO's text files; drop it"
        raise DataError(msg)
    told = {key: content[key] for key in (*SPLITS, "names") if content.get(key)}
    options = {**told, **_read_options(content, path)}
    return DataYaml(root, Layout(path.name), None, format=YOLO.name, options=options, **changes)


def _read_changes(content: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Read what the file says about the label map, as fields of `DataYaml`."""
    ignored = content.get("ignore_index")
    if not isinstance(ignored, list):
        ignored = [] if ignored is None else [ignored]
    merge, drop = content.get("merge") or {}, content.get("drop") or []
    if not isinstance(merge, dict) or not all(isinstance(part, list) for part in merge.values()):
        msg = f"{path}: merge must hold lines `new name: [class, class]`, not {merge!r}"
        raise DataError(msg)
    if not isinstance(drop, list):
        msg = f"{path}: drop must be a list of classes, not {drop!r}"
        raise DataError(msg)
    return {
        "ignore_index": tuple(_mask_value(value, f"{path}: ignore_index") for value in ignored),
        "merge": {str(new): tuple(map(str, part)) for new, part in merge.items()},
        "drop": tuple(map(str, drop)),
        "reduce_zero": bool(content.get("reduce_zero_label"))
        and not _names_leave_zero_out(content),
    }


def _load(path: Path) -> dict[str, Any]:
    text = read_text(path)
    try:
        content = parse_yaml(text)
    except ValueError as error:
        msg = f"{path}: is no valid YAML ({error})"
        raise DataError(msg) from None
    if not isinstance(content, dict):
        msg = f"{path}: must hold keys such as train, val and names"
        raise DataError(msg)
    for key in content:
        if key not in KEYS and key not in PASSED_OVER:
            msg = f"{path}: {describe_unknown('key', str(key), KEYS)}"
            raise DataError(msg)
    return content


def _read_sources(
    root: Path, sources: Any, masks_dir: PurePosixPath, where: str, notes: list[str]
) -> tuple[Item, ...]:
    wanted: dict[PurePosixPath, set[Path] | None] = {}
    for text in sources if isinstance(sources, list) else [sources]:
        wanted |= _find_pictures(root, _inside(_text(text, where), where), where)
    items: list[Item] = []
    for folder, pictures in wanted.items():
        found = _pair(root, folder, masks_dir, where, notes)
        missing = (pictures or set()) - {item.image_path for item in found}
        if missing:
            msg = f"{where}: there is no picture {list_some(sorted(missing))}"
            raise DataError(msg)
        # Several folders may hold pictures of the same name.
        prefix = "" if len(wanted) == 1 else f"{_without_images(folder).as_posix()}/"
        items += [
            replace(item, name=prefix + item.name, group=prefix + item.name)
            for item in found
            if pictures is None or item.image_path in pictures
        ]
    return tuple(items)


def _find_pictures(
    root: Path, source: PurePosixPath, where: str
) -> dict[PurePosixPath, set[Path] | None]:
    """Return folders of images with the pictures wanted of each; `None` for all of them."""
    path = root / source
    if is_folder(path):
        return {source: None}
    if source.suffix.lower() != ".txt" or not is_file(path):
        msg = f"{where}: {source} is neither a folder nor a .txt list in {root}"
        raise DataError(msg)
    wanted: dict[PurePosixPath, set[Path]] = {}
    for line, text in read_list(path):
        picture = _inside(text, f"{path}, line {line}")
        wanted.setdefault(_images_folder(picture), set()).add(root / picture)
    return {**wanted}


def _pair(
    root: Path, images: PurePosixPath, masks_dir: PurePosixPath, where: str, notes: list[str]
) -> tuple[Item, ...]:
    index = _images_index(images)
    if index is None:
        msg = (
            f"{where}: {images} has no part called images, which masks_dir ({masks_dir}) would "
            f"replace; put the pictures below a folder called images"
        )
        raise DataError(msg)
    parts = images.parts
    masks = root.joinpath(*parts[:index], masks_dir, *parts[index + 1 :])
    return pair_folders(root / images, masks if is_folder(masks) else None, notes)


def _images_index(path: PurePosixPath) -> int | None:
    places = [i for i, part in enumerate(path.parts) if part.lower() in IMAGE_FOLDERS]
    return places[-1] if places else None


def _images_folder(picture: PurePosixPath) -> PurePosixPath:
    """Return the folder of images that a listed picture lies in."""
    index = _images_index(picture.parent)
    return picture.parent if index is None else PurePosixPath(*picture.parts[: index + 1])


def _without_images(source: PurePosixPath) -> PurePosixPath:
    index = _images_index(source)
    parts = source.parts
    return source if index is None else PurePosixPath(*parts[:index], *parts[index + 1 :])


def _inside(text: str, where: Path | str) -> PurePosixPath:
    if leads_out(text):
        msg = f"{where}: {text} leads out of the data set; only `path` itself may name any folder"
        raise DataError(msg)
    return PurePosixPath(text.replace("\\", "/"))


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value:
        msg = f"{where} must be a path, not {value!r}"
        raise DataError(msg)
    return value


def _mask_value(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 65535:
        msg = f"{where}: {value!r} is no mask value; give whole numbers from 0 to 65535"
        raise DataError(msg)
    return value


def _read_taxonomy(content: Mapping[str, Any], path: Path) -> Taxonomy | None:
    names, colors = content.get("names"), content.get("colors")
    if names is None:
        needy = next((key for key in ("colors", "label_mapping") if content.get(key)), None)
        if needy:
            msg = f"{path}: {needy} needs the class names too; add names: [...]"
            raise DataError(msg)
        return None
    if not isinstance(names, list | dict):
        msg = f"{path}: names must be a list, or lines `id: name`, not {names!r}"
        raise DataError(msg)
    by_id = names if isinstance(names, dict) else dict(enumerate(names))
    ids = sorted(_mask_value(key, f"{path}: names") for key in by_id)
    ordered = [str(by_id[key]) for key in ids]
    mapping = _read_mapping(content.get("label_mapping"), len(ordered), path)
    if _names_leave_zero_out(content):
        if mapping is not None:
            msg = (
                f"{path}: label_mapping and reduce_zero_label both say what mask values mean; "
                f"keep one of them"
            )
            raise DataError(msg)
        mapping = {0: None, **{train + 1: train for train in range(len(ordered))}}
    if mapping is None and ids != list(range(len(ids))):
        mapping = {raw: train for train, raw in enumerate(ids)}
    return build_taxonomy(_with_colors(ordered, colors, path), str(path), mapping)


def _names_leave_zero_out(content: Mapping[str, Any]) -> bool:
    """Tell whether raw id 0 is void and the list of names begins with raw id 1.

    Lists mean this beside `reduce_zero_label` in MMSegmentation too; names by id say it themselves.
    """
    return bool(content.get("reduce_zero_label")) and isinstance(content.get("names"), list)


def _with_colors(names: list[str], colors: Any, path: Path) -> list[tuple[str, Color | None]]:
    if not colors:
        return [(name, None) for name in names]
    if isinstance(colors, dict):
        missing = next((name for name in names if name not in colors), None)
        if missing:
            msg = f"{path}: colors has none for the class {missing!r}"
            raise DataError(msg)
        void = [name for name in colors if name not in names]
        colors = [colors[name] for name in (*names, *void)]
        names = [*names, *map(str, void)]
    if not isinstance(colors, list) or len(colors) != len(names):
        msg = f"{path}: colors must be a list of {len(names)} colours, one for each name"
        raise DataError(msg)
    return [(name, _color(color, path)) for name, color in zip(names, colors, strict=True)]


def _color(value: Any, path: Path) -> Color:
    right = isinstance(value, Sequence) and len(value) == 3
    if not right or not all(isinstance(part, int) and 0 <= part <= 255 for part in value):
        msg = f"{path}: {value!r} is no colour; write [red, green, blue] from 0 to 255"
        raise DataError(msg)
    return value[0], value[1], value[2]


def _read_mapping(value: Any, labels: int, path: Path) -> dict[int, int | None] | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        msg = f"{path}: label_mapping must hold lines `mask value: class id`, not {value!r}"
        raise DataError(msg)
    where = f"{path}: label_mapping"
    ignore = (None, "ignore") if labels > 255 else (None, "ignore", 255)
    return {
        _mask_value(raw, where): None if train in ignore else _mask_value(train, where)
        for raw, train in value.items()
    }
