"""Label files as YOLO lays them out, for the tests of its reader."""

from collections.abc import Mapping
from pathlib import Path

from pictures import save_picture

# The left half of a picture, as an outline.
LEFT = "0 0 0 0.5 0 0.5 1 0 1"


def save_labels(root: Path, labels: Mapping[str, str | None]) -> Path:
    """Write 30x20 photos and label files: `{"images/train/a": "0 0 0 ..."}`; None for no file."""
    for name, text in labels.items():
        picture = save_picture(root / f"{name}.jpg")
        if text is not None:
            parts = ["labels" if part == "images" else part for part in Path(name).parts]
            path = root.joinpath(*parts).with_suffix(".txt")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            assert path != picture
    return root
