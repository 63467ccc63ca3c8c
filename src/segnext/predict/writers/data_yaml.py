"""The `data.yaml` beside annotation files: with it, corrected ones are a data set to train on."""

from pathlib import Path
from typing import Any

import yaml

from segnext.classes import BACKGROUND, Classes
from segnext.storage import write_atomically


def write_data_yaml(folder: Path, classes: Classes, content: dict[str, Any]) -> None:
    """Write `data.yaml` for pictures that somebody will put into `folder/images`.

    Args:
        folder: Of the annotation files.
        classes: Without one named background, pixels that no shape covers count for nothing.
        content: What the format needs besides: `format` or `train`, `names`, `options`.
    """
    around = any(name.lower() == BACKGROUND for name in classes.label_names)
    options = {"unlabelled": "background" if around else "ignore", **content.get("options", {})}
    text = yaml.safe_dump(
        {"path": ".", **content, "options": options}, sort_keys=False, allow_unicode=True
    )
    write_atomically(folder / "data.yaml", text.encode())
