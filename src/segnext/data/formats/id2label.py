"""Class names by mask value, as Hugging Face's models and data sets keep them in JSON."""

from pathlib import Path
from typing import Any

from segnext.data.formats.json_files import read_json
from segnext.data.taxonomy import VOID_NAMES, Taxonomy, build_taxonomy
from segnext.errors import DataError

_VOID_VALUE = 255


def read_id2label(path: Path, notes: list[str], *, reduce_labels: bool = False) -> Taxonomy:
    """Read an `id2label.json`: `{"0": "road", "1": "sky"}`, or a file with that as `id2label`.

    A void class at 255 counts for nothing, as 255 always does; at other values it is a class
    like others, and a note says how to leave it out.

    Args:
        path: On disk or inside an archive.
        notes: Takes a line about classes that look like void.
        reduce_labels: Mask value 0 counts for nothing, and every other is one more than here.

    Raises:
        DataError: The file is missing or malformed.
    """
    names = _read_names(path)
    if names.get(_VOID_VALUE, "").lower() in VOID_NAMES:
        del names[_VOID_VALUE]
    shift = int(reduce_labels)
    mapping: dict[int, int | None] = {
        value + shift: train for train, value in enumerate(sorted(names))
    }
    for value, name in sorted(names.items()):
        if name.lower() in VOID_NAMES:
            notes.append(
                f"{path.name}: {name} counts as a class like others; --ignore-index "
                f"{value + shift} leaves its pixels out"
            )
    contiguous = sorted(mapping) == list(range(len(mapping)))
    if reduce_labels:
        mapping[0] = None
    entries = [(names[value], None) for value in sorted(names)]
    return build_taxonomy(entries, str(path), None if contiguous else mapping)


def _read_names(path: Path) -> dict[int, str]:
    content = read_json(path)
    if isinstance(content, dict) and isinstance(content.get("id2label"), dict | list):
        content = content["id2label"]
    if isinstance(content, list):
        content = dict(enumerate(content))
    if not isinstance(content, dict) or not content:
        msg = f'{path}: must hold class names by mask value, {{"0": "road", "1": "sky"}}'
        raise DataError(msg)
    names: dict[int, str] = {}
    for key, name in content.items():
        value = _mask_value(key)
        if value is None or not isinstance(name, str) or not name.strip():
            msg = f"{path}: {key!r}: {name!r} is no mask value from 0 to 65535 with its class name"
            raise DataError(msg)
        names[value] = name.strip()
    return names


def _mask_value(key: Any) -> int | None:
    text = str(key)
    if not (text.isascii() and text.isdigit() and len(text) <= 5):
        return None
    return int(text) if int(text) <= 65535 else None
