"""What people call the splits of a data set, in the names of folders and files."""

import re

SPLIT_NAMES = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}


def standard_split(name: str) -> str | None:
    """Return train, val or test for one of their usual names, in any case; else `None`."""
    return next((split for split, names in SPLIT_NAMES.items() if name.lower() in names), None)


def split_in_words(text: str) -> str:
    """Return the split that the words of a name say, digits apart; empty if none or several."""
    words = {word.rstrip("0123456789") for word in re.split(r"[\W_]+", text.lower())}
    splits = [split for split, names in SPLIT_NAMES.items() if words & set(names)]
    return splits[0] if len(splits) == 1 else ""


def split_order(split: str) -> tuple[int, str]:
    """Return a key that sorts train, val and test before others, and those by name."""
    usual = list(SPLIT_NAMES)
    return (usual.index(split) if split in usual else len(usual), split)
