"""Who goes to train, val and test when nobody has said so, and which pictures stay together."""

import csv
import hashlib
import io
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path

from segnext.data.containers.paths import read_text
from segnext.data.pairing import Item, strip_suffix
from segnext.errors import DataError, UsageError, list_some

DEFAULT_SHARES = (0.8, 0.1, 0.1)

Splits = dict[str, tuple[Item, ...]]


@dataclass(frozen=True)
class GroupRule:
    """How pictures are told to belong together, such as frames of one video.

    Attributes:
        source: The regular expression or the table's path, as the user gave it.
        table: Group by image name, for a table; empty for a regular expression.
    """

    source: str
    table: Mapping[str, str] = field(default_factory=dict)

    def group(self, name: str) -> str:
        """Return the group of the picture `name`.

        Raises:
            DataError: The rule says nothing about this picture.
        """
        if self.table:
            found = self.table.get(name, self.table.get(name.rsplit("/", 1)[-1]))
        else:
            match = re.search(self.source, name)
            found = match and (match[1] if match.re.groups else match[0])
        if found is None:
            where = "has no row for" if self.table else "does not match"
            msg = f"--group {self.source} {where} the image {name}; every image needs a group"
            raise DataError(msg)
        return found


def parse_group(value: str) -> GroupRule:
    """Understand the option `--group`.

    Args:
        value: A regular expression searched in image names (its first parenthesis is the group,
            else all that matched), or the path of a .csv file with columns image and group.

    Raises:
        UsageError: The expression is malformed, or the .csv file does not exist.
        DataError: The .csv file is malformed.
    """
    path = Path(value)
    if path.suffix.lower() == ".csv":
        if not path.is_file():
            msg = f"--group {value}: no such file"
            raise UsageError(msg)
        return GroupRule(value, _read_groups(path))
    try:
        re.compile(value)
    except re.error as error:
        msg = f"--group {value!r} is neither a .csv file nor a regular expression ({error})"
        raise UsageError(msg) from None
    return GroupRule(value)


def _read_groups(path: Path) -> dict[str, str]:
    rows = csv.DictReader(io.StringIO(read_text(path)), skipinitialspace=True)
    columns = [name.strip().lower() for name in rows.fieldnames or ()]
    if not {"image", "group"} <= set(columns):
        msg = f"{path}: the first line must name the columns image,group, not {','.join(columns)}"
        raise DataError(msg)
    rows.fieldnames = columns
    table: dict[str, str] = {}
    for row in rows:
        name, group = strip_suffix((row["image"] or "").strip()), (row["group"] or "").strip()
        if not group:
            msg = f"{path}, line {rows.line_num}: the image {name} has no group"
            raise DataError(msg)
        if table.setdefault(name, group) != group:
            msg = f"{path}, line {rows.line_num}: {name} is in {table[name]} and in {group}"
            raise DataError(msg)
    if not table:
        msg = f"{path}: names no image"
        raise DataError(msg)
    return table


def assign_groups(items: Sequence[Item], rule: GroupRule | None) -> tuple[Item, ...]:
    """Return the items with their group; without a rule each picture is its own group."""
    if rule is None:
        return tuple(items)
    return tuple(replace(item, group=rule.group(item.name)) for item in items)


def split_by_hash(
    items: Sequence[Item], *, seed: int, shares: tuple[float, float, float]
) -> Splits:
    """Split a pool of pictures into train, val and test, the same on every machine.

    Groups are ranked by a hash of (seed, group) and never divided. Train and val get at least
    one group each; test gets one only where there are three or more.

    Args:
        items: The pool.
        seed: Another seed gives another split.
        shares: Of train, val and test among the groups; they add up to 1.

    Raises:
        UsageError: The shares do not add up to 1.
        DataError: There are fewer than two groups.
    """
    if min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
        msg = f"shares of train, val and test must add up to 1, got {shares}"
        raise UsageError(msg)
    groups = rank_groups(items, seed)
    if len(groups) < 2:
        msg = (
            f"all {len(items)} images are in one group ({groups[0]}), which cannot be split into "
            f"train and val; add images, choose another --group, or make a folder for val"
        )
        raise DataError(msg)
    wants_test = shares[2] > 0 and len(groups) >= 3
    val = min(max(1, round(shares[1] * len(groups))), len(groups) - 1 - wants_test)
    test = min(max(1, round(shares[2] * len(groups))), len(groups) - 1 - val) * wants_test
    splits_of = dict.fromkeys(groups, "train")
    splits_of |= dict.fromkeys(groups[:val], "val")
    splits_of |= dict.fromkeys(groups[val : val + test], "test")
    return {
        split: tuple(item for item in items if splits_of[item.group] == split)
        for split in ("train", "val", "test")[: 3 if test else 2]
    }


def rank_groups(items: Sequence[Item], seed: int) -> list[str]:
    """Return the groups of some pictures in an order that depends on nothing but seed and name."""

    def rank(group: str) -> str:
        return hashlib.sha256(f"{seed}:{group}".encode("utf-8", "surrogateescape")).hexdigest()

    return sorted({item.group for item in items}, key=rank)


def describe_leaks(splits: Mapping[str, Sequence[Item]], rule: GroupRule | None) -> list[str]:
    """Say which pictures, and which groups of a rule, lie in more than one split."""
    notes = []
    for one, other in combinations(splits, 2):
        shared = {i.image_path for i in splits[one]} & {i.image_path for i in splits[other]}
        if shared:
            names = list_some(sorted(path.name for path in shared))
            notes.append(f"leak: {len(shared)} images are in both {one} and {other}: {names}")
    if rule is not None:
        found: dict[str, list[str]] = defaultdict(list)
        for split, items in splits.items():
            for group in {item.group for item in items}:
                found[group].append(split)
        leaks = sorted(f"{group} ({', '.join(at)})" for group, at in found.items() if len(at) > 1)
        if leaks:
            notes.append(
                f"leak: {len(leaks)} groups lie in several splits, so scores flatter: "
                f"{list_some(leaks)}"
            )
    return notes
