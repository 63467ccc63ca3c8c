"""A label map that would fit, written as a data.yaml ready to paste."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from segnext.classes import Classes
from segnext.data.arrangement import Arrangement
from segnext.data.containers.paths import is_file, read_text
from segnext.data.taxonomy import VOID_NAMES, Taxonomy
from segnext.parsing import parse_yaml

# In the order in which colours that count for nothing are named.
VOID_ORDER = tuple(sorted(VOID_NAMES, key=lambda name: (name != "void", name)))


@dataclass(frozen=True)
class LabelMap:
    """A way to understand the masks of a data set.

    Attributes:
        because: Why it is likely to be meant, one sentence.
        taxonomy: Classes and their mask values or colours; `None` leaves them as they are.
        ignored: Mask values that count for nothing, besides those that did already.
    """

    because: str
    taxonomy: Taxonomy | None = None
    ignored: tuple[int, ...] = ()


@dataclass(frozen=True)
class Proposal:
    """A file that makes a data set readable.

    Attributes:
        because: What it says about the masks, one sentence.
        path: Where it belongs; an older file of that name is to be replaced.
        text: All of it.
    """

    because: str
    path: Path
    text: str

    def to_dict(self) -> dict[str, str]:
        """Return a JSON-ready form."""
        return {"because": self.because, "path": str(self.path), "text": self.text}


def write_proposal(label_map: LabelMap, arranged: Arrangement, source: Path) -> Proposal:
    """Write a label map as the data.yaml of a data set.

    Args:
        label_map: What the masks should mean.
        arranged: The data set as it is read now.
        source: What the user named: its folder, archive or data.yaml.
    """
    path, content = _find_description(arranged, source)
    if label_map.taxonomy is not None:
        for key in ("names", "colors", "label_mapping"):
            content.pop(key, None)
        content |= _describe_taxonomy(label_map.taxonomy)
    if label_map.ignored:
        told = arranged.described.ignore_index if arranged.described else ()
        content["ignore_index"] = sorted({*told, *label_map.ignored})
    lines = [f"{key}: {_write(value)}\n" for key, value in content.items()]
    return Proposal(label_map.because, path, "".join(lines))


def _find_description(arranged: Arrangement, source: Path) -> tuple[Path, dict[str, Any]]:
    """Return where the data.yaml is or would be, and what it says or should say at least."""
    path = source if source.suffix.lower() in (".yaml", ".yml") else source / "data.yaml"
    if is_file(path):
        content = parse_yaml(read_text(path))
        assert isinstance(content, dict)  # it was read before
        return path, content
    kind = arranged.format or "folder"
    if source.is_file():  # nothing is written into archives
        return source.with_name("data.yaml"), {"path": source.name, "format": kind}
    return path, {"path": ".", "format": kind}


def _describe_taxonomy(taxonomy: Taxonomy) -> dict[str, Any]:
    classes = taxonomy.classes
    content: dict[str, Any] = {"names": list(classes.names)}
    if taxonomy.has_colors:
        colors = dict(zip(classes.names, map(list, classes.colors), strict=True))
        void = zip(VOID_ORDER, map(list, taxonomy.void_colors), strict=False)
        content["colors"] = {**colors, **dict(void)}
    if classes.raw_to_train:
        content["label_mapping"] = {
            raw: "ignore" if train is None else train for raw, train in classes.raw_to_train
        }
    return content


def _write(value: Any) -> str:
    text: str = yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, width=1_000_000, allow_unicode=True
    )
    return text.splitlines()[0]


def map_labels(classes: Classes, table: Mapping[int, int | None]) -> Classes:
    """Return the same names and colours with other mask values."""
    return Classes(classes.names, classes.colors, tuple(sorted(table.items())))
