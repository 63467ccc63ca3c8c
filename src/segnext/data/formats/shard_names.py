"""Names of tar shards: braces that stand for many of them, and the split that a name says."""

import itertools
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from segnext.data.layout import find_split_folders
from segnext.data.split_names import SPLIT_NAMES, split_in_words
from segnext.errors import UsageError

MOST_SHARDS = 100_000
SUFFIX = ".tar"

_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")


def expand_braces(text: str, where: str) -> list[str]:
    """Write out `roads-{000000..000099}.tar` and `{day,night}.tar`; several braces multiply.

    Args:
        text: Name or URL. Numbers keep the leading zeros of the first one.
        where: The option, for messages.

    Raises:
        UsageError: The braces are malformed, or stand for too many names.
    """
    pieces = _BRACES.split(text)
    choices = [
        _expand(piece, text, where) if place % 2 else [piece] for place, piece in enumerate(pieces)
    ]
    if any("{" in piece or "}" in piece for piece in pieces[::2]):
        msg = f"{where}: {text!r} has braces within braces, or one without its partner"
        raise UsageError(msg)
    count = 1
    for choice in choices:
        count *= len(choice)
    if count > MOST_SHARDS:
        raise _too_many(text, where)
    return ["".join(parts) for parts in itertools.product(*choices)]


def _expand(inner: str, text: str, where: str) -> list[str]:
    found = _RANGE.fullmatch(inner)
    if found is None:
        if "," not in inner:
            msg = f"{where}: {text!r}: write {{000000..000099}} or {{one,two}}, not {{{inner}}}"
            raise UsageError(msg)
        return inner.split(",")
    first, last = int(found[1]), int(found[2])
    if last < first:
        msg = f"{where}: {text!r} counts down; write {{{found[2]}..{found[1]}}}"
        raise UsageError(msg)
    if last - first >= MOST_SHARDS:
        raise _too_many(text, where)
    width = len(found[1]) if found[1].startswith("0") else 0
    return [str(number).zfill(width) for number in range(first, last + 1)]


def expand_option(value: Any, where: str) -> list[str]:
    """Write out an option that is a name, or a list of names, with or without braces.

    Raises:
        UsageError: It is something else, or malformed.
    """
    texts = value if isinstance(value, list | tuple) else [value]
    if not texts or not all(isinstance(text, str) and text for text in texts):
        msg = f"{where}: must be a shard such as train-{{000000..000099}}.tar, or a list of them"
        raise UsageError(msg)
    names = [name for text in texts for name in expand_braces(text, where)]
    twice = next((name for name in names if names.count(name) > 1), None) if _repeats(names) else ""
    if twice:
        msg = f"{where}: names the shard {twice} twice"
        raise UsageError(msg)
    return names


def find_local_shards(root: Path) -> dict[str, list[Path]]:
    """Find the shards of a folder by split: `train-000000.tar`, or `train/000000.tar`.

    Returns:
        Sorted shards by split; by `""` those whose names say no split.
    """
    if not root.is_dir():
        return {"": [root]} if root.suffix.lower() == SUFFIX and root.is_file() else {}
    found: dict[str, list[Path]] = {}
    for path in _tars(root):
        found.setdefault(split_in_words(path.name), []).append(path)
    for split, folder in find_split_folders(root).items():
        shards = _tars(folder) if folder.is_dir() else []
        if shards:
            found.setdefault(split, []).extend(shards)
    usual = [*SPLIT_NAMES, ""]
    return {split: found[split] for split in usual if split in found}


def name_shards(sources: Sequence[str]) -> list[str]:
    """Return short distinct names of shards: the last parts of their paths or URLs."""
    paths = [PurePosixPath(source.replace("\\", "/").split("?")[0]) for source in sources]
    stems = [path.with_suffix("") if path.suffix.lower() == SUFFIX else path for path in paths]
    for depth in (1, 2, 3):
        names = ["/".join(stem.parts[-depth:]) for stem in stems]
        if not _repeats(names):
            return names
    return [f"{number:06d}-{stem.name}" for number, stem in enumerate(stems)]


def _tars(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.iterdir() if path.suffix.lower() == SUFFIX and path.is_file()
    )


def _repeats(names: Sequence[str]) -> bool:
    return len(set(names)) < len(names)


def _too_many(text: str, where: str) -> UsageError:
    return UsageError(f"{where}: {text!r} stands for more than {MOST_SHARDS:,} shards")
