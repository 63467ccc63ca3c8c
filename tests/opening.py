"""Open small data sets in one line, for tests of the formats."""

from pathlib import Path

from segnext.classes import Mask
from segnext.data.folder import open_folder


def masks_by_name(root: Path, format: str | None = None) -> dict[str, Mask]:
    """Open a data set, check it, and return every mask by the name of its picture."""
    splits = open_folder(root, format=format).splits.values()
    for part in splits:
        part.check()
    return {part[i]["name"]: part[i]["mask"] for part in splits for i in range(len(part))}
