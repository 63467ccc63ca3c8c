"""Small Hugging Face data sets, for tests of the readers."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from PIL import Image

from pictures import PHOTO, ids

Cell = dict[str, Any] | None


def png(pixels: npt.NDArray[Any]) -> bytes:
    """Return pixels as the bytes of a PNG."""
    content = io.BytesIO()
    with Image.fromarray(pixels) as picture:
        picture.save(content, "PNG")
    return content.getvalue()


def cell(pixels: npt.NDArray[Any], path: str | None = None) -> Cell:
    """Return a picture as `datasets` keeps it in a row."""
    return {"bytes": png(pixels), "path": path}


def photo(number: int) -> npt.NDArray[np.uint8]:
    """Return a photo that differs from others."""
    return np.roll(PHOTO, number, axis=1)


def columns(count: int, start: int = 0) -> dict[str, list[Cell]]:
    """Return the columns `image` and `label` of some rows."""
    rows = range(start, start + count)
    return {
        "image": [cell(photo(row)) for row in rows],
        "label": [cell(np.roll(ids(0, 1, 2), row, axis=1)) for row in rows],
    }


def write_arrow(path: Path, content: dict[str, Sequence[Any]], batch: int = 1000) -> Path:
    """Write columns as an Arrow stream of batches."""
    table = pa.table({name: list(cells) for name, cells in content.items()})
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table, max_chunksize=batch)
    return path
