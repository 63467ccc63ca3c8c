"""Check a downloaded data set, convert what has to be converted, and write its data.yaml.

    prepare("pascal_voc", "VOCdevkit/VOC2012", "prepared/voc")

A second call does nothing that is done, one after a kill goes on, and `data.yaml` appears at the
very end: where it is, `segnext train OUT` works.
"""

import inspect
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from segnext.data.containers.paths import is_folder
from segnext.data.datasets.imagenet import prepare_imagenet
from segnext.data.datasets.known_dataset import KnownDataset
from segnext.data.datasets.registry import DATASETS
from segnext.data.layout import Layout
from segnext.data.preparation import run_tasks
from segnext.errors import DataError, UsageError, describe_unknown
from segnext.parsing import parse_json, parse_yaml
from segnext.storage import write_atomically

# Has labels but no masks, so it is no known data set like the others.
IMAGENET = "imagenet"
PATH_OPTIONS = ("sbd",)
REQUIRED_SPLITS = ("train", "val")
# Says what a folder is being filled with, from before the first file on.
MARKER = "preparation.json"


def prepare(
    name: str,
    root: Path | str,
    out: Path | str,
    *,
    partial: bool = False,
    workers: int | None = None,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    **options: Any,
) -> Path:
    """Check and convert a known data set, so that it can be trained on.

    Args:
        name: Of the data set; see `segnext.data.datasets.registry.DATASETS`.
        root: The data as published: a folder or an archive.
        out: Folder for what has to be written, data.yaml among it; made if missing. May be the
            root where nothing has to be converted.
        partial: Take any number of pictures instead of the official ones.
        workers: Processes; the machine's cores if not given, 0 works in this process.
        on_progress: Called with files done and in all.
        options: Of the data set's reader and of its preparation.

    Returns:
        The data.yaml; for ImageNet, the list of classes.

    Raises:
        UsageError: The data set or an option is unknown, or `out` holds other things.
        DataError: Files are missing or broken, or the number of pictures is not the official one.
    """
    if name == IMAGENET and not options:
        return prepare_imagenet(Path(root), Path(out), partial=partial)
    if name not in DATASETS:
        raise UsageError(describe_unknown("data set", name, [*DATASETS, IMAGENET]))
    known, root, out = DATASETS[name], Path(root), Path(out)
    # data.yaml is read from anywhere.
    paths = {key: str(Path(options[key]).resolve()) for key in PATH_OPTIONS if key in options}
    options |= paths
    if not is_folder(root):
        msg = f"{root}: no such folder or archive; {known.title}: {known.obtain}"
        raise DataError(msg)
    to_read, to_make = _share_options(known, options)
    _check_out(out, _describe_filling(known, root, options))
    layout = known.read(root, **to_read)
    if not partial:
        check_counts(known, layout, root)
    tasks = known.make_tasks(root, **to_make) if known.make_tasks else []
    same = root.resolve() == out.resolve()
    if tasks and same:
        msg = f"{out}: is where the data are, which stay as published; choose another --out"
        raise UsageError(msg)
    if tasks:
        marker = json.dumps(_describe_filling(known, root, options), indent=1)
        write_atomically(out / MARKER, marker.encode())
        run_tasks(tasks, out, workers=workers, on_done=on_progress)
    described: dict[str, Any] = {"path": str(root.resolve()), "format": name}
    if tasks and "prepared" in _option_names(known.read):
        to_read["prepared"] = str(out.resolve())
    elif tasks or same:
        described["path"] = "."
    if to_read:
        described["options"] = to_read
    text = f"# Written by segnext data prepare {name}; merge and drop may be added.\n"
    text += yaml.safe_dump(described, sort_keys=False, allow_unicode=True)
    path = out / "data.yaml"
    if not _says_already(path, described):
        write_atomically(path, text.encode())
    return path


def check_counts(known: KnownDataset, layout: Layout, root: Path) -> None:
    """Refuse half a data set.

    Raises:
        DataError: A split is missing, has no masks, or not the official number of pictures.
    """
    for split in (*REQUIRED_SPLITS, *layout.splits):
        items = layout.splits.get(split, ())
        allowed, found = known.allowed_counts(split), len(items)
        if allowed and found not in allowed:
            expected = " or ".join(f"{count:,}" for count in allowed)
            msg = (
                f"{root}: {split} of {known.title} has {expected} pictures, found {found:,}; "
                f"download and unpack it again, or take what is there with --partial"
            )
            raise DataError(msg)
        # Pictures alone are left out of a split that has masks (see `keep_labelled`).
        if items and split in REQUIRED_SPLITS and not any(item.mask_path for item in items):
            msg = (
                f"{root}: {split} of {known.title} has no masks for its {found:,} pictures; "
                f"download and unpack them, too, or take what is there with --partial"
            )
            raise DataError(msg)


def _share_options(
    known: KnownDataset, options: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the options of the reader and those of the preparation; some belong to both."""
    of_read = _option_names(known.read)
    of_tasks = _option_names(known.make_tasks) if known.make_tasks else []
    valid = sorted({*of_read, *of_tasks} - {"prepared"})
    for option in options:
        if option not in valid:
            if not valid:
                msg = f"{known.name} has no options, so {option!r} is none"
                raise UsageError(msg)
            raise UsageError(describe_unknown(f"option of {known.name}", option, valid))
    return (
        {option: value for option, value in options.items() if option in of_read},
        {option: value for option, value in options.items() if option in of_tasks},
    )


def _option_names(function: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(function).parameters)[1:]


def _describe_filling(
    known: KnownDataset, root: Path, options: Mapping[str, Any]
) -> dict[str, Any]:
    texts = json.loads(json.dumps(dict(options), default=str))
    return {"name": known.name, "root": str(root.resolve()), "options": texts}


def _check_out(out: Path, wanted: Mapping[str, Any]) -> None:
    """Refuse a folder that another preparation, with other files, has begun to fill."""
    marker = out / MARKER
    if not marker.is_file():
        return
    try:
        content = parse_json(marker.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        content = None
    if content != wanted:
        msg = (
            f"{marker}: {out} was filled with {content}, not with {wanted}; choose another --out, "
            f"or remove the folder"
        )
        raise UsageError(msg)


def _says_already(path: Path, described: Mapping[str, Any]) -> bool:
    """Tell whether a data.yaml says all this, and perhaps more that somebody added."""
    try:
        content = parse_yaml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    keys = ("path", "format", "options")
    return isinstance(content, dict) and all(content.get(key) == described.get(key) for key in keys)
