"""Cross-validation: a data set whose train and val are one part of k against the others."""

from dataclasses import replace

from segnext.data.folder import Folder, FolderDataset
from segnext.data.pairing import Item
from segnext.data.splits import rank_groups
from segnext.errors import DataError, UsageError


def select_fold(folder: Folder, *, folds: int, fold: int, seed: int = 0) -> Folder:
    """Join train and val, cut them into parts by group, and make one part val.

    Groups are ranked by a hash of (seed, group) and dealt out in turn, so the parts are the same
    on every machine, hold whole groups, and differ by at most one group. Test stays as it is.

    Args:
        folder: With splits train and val.
        folds: Number of parts, 2 or more.
        fold: Which part is val, from 0.
        seed: Another seed gives other parts.

    Raises:
        UsageError: There are fewer than 2 folds, or `fold` is none of them.
        DataError: There are fewer groups than folds.
    """
    if folds < 2 or not 0 <= fold < folds:
        msg = f"fold {fold} of {folds}: folds are 2 or more, and a fold is 0 to {max(0, folds - 1)}"
        raise UsageError(msg)
    train = folder.dataset("train")
    items = train.items + folder.dataset("val").items
    groups = rank_groups(items, seed)
    if len(groups) < folds:
        msg = f"{folder.root}: {len(groups)} groups cannot be cut into {folds} folds; use fewer"
        raise DataError(msg)
    held_out = set(groups[fold::folds])
    parts: dict[str, tuple[Item, ...]] = {
        "train": tuple(item for item in items if item.group not in held_out),
        "val": tuple(item for item in items if item.group in held_out),
    }
    chosen: dict[str, FolderDataset] = {
        name: replace(train, split=name, items=part) for name, part in parts.items()
    }
    note = f"fold {fold} of {folds}: " + ", ".join(f"{n} {len(part)}" for n, part in parts.items())
    return replace(folder, splits={**folder.splits, **chosen}, notes=[*folder.notes, note])
