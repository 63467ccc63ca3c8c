"""What is done of a map's prediction, in a folder beside the result until that is whole.

    maps/.ortho.progress/
        made.json              what it is made of: source, weights, protocol
        000_0000000000.npz     labels of the first rows of the first strip
        000_0000000512.npz

Every file appears whole or not at all, so what is there after a kill is done.
"""

import io
import json
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from segnext.classes import Mask
from segnext.errors import SegnextError
from segnext.maps.strips import Strip
from segnext.storage import write_atomically

# Of one file, and what a kill costs at most.
BLOCK_ROWS = 512

# Share of certainty in whole percent, and what stands where nothing was observed.
Percent = npt.NDArray[np.uint8]
UNKNOWN_PERCENT = 255


@dataclass(frozen=True, eq=False)
class Block:
    """Labels of some rows of a strip.

    Attributes:
        labels: (n, m) train ids; `ignore_index` where the map has no data.
        confidence: (n, m) percent, `UNKNOWN_PERCENT` where the map has no data; if asked for.
    """

    labels: Mask
    confidence: Percent | None = None


class Progress:
    """Blocks of a map that are done.

    Args:
        folder: For nothing else; emptied if it holds blocks that were made of other things.
        made: What the blocks are made of, as JSON has it.
        height: Of the map, in pixels.
        strips: Of the map.
    """

    def __init__(
        self, folder: Path, made: Mapping[str, Any], height: int, strips: list[Strip]
    ) -> None:
        self.folder = folder
        self.height = height
        self.strips = strips
        self._begin({**made, "rows": BLOCK_ROWS, "strips": [strip.first for strip in strips]})

    @property
    def tops(self) -> range:
        """First rows of all blocks of a strip."""
        return range(0, self.height, BLOCK_ROWS)

    def rows(self, top: int) -> slice:
        """Return the rows of a block."""
        return slice(top, min(top + BLOCK_ROWS, self.height))

    def next_top(self, strip: int) -> int | None:
        """Return the first row of a strip that is not done; `None` if all are."""
        return next((top for top in self.tops if not self._path(strip, top).is_file()), None)

    def save(self, strip: int, top: int, block: Block) -> None:
        """Keep a block, complete or not at all."""
        arrays = {"labels": block.labels}
        if block.confidence is not None:
            arrays["confidence"] = block.confidence
        content = io.BytesIO()
        np.savez_compressed(content, **arrays)  # type: ignore[arg-type]
        write_atomically(self._path(strip, top), content.getvalue())

    def load(self, strip: int, top: int) -> Block:
        """Read a block.

        Raises:
            SegnextError: The file is damaged.
        """
        path = self._path(strip, top)
        try:
            with np.load(io.BytesIO(path.read_bytes())) as arrays:
                found = dict(arrays)
            return Block(found["labels"], found.get("confidence"))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            msg = f"{path}: is damaged ({error}); remove it, and start the same command again"
            raise SegnextError(msg) from None

    def count_done(self) -> int:
        """Return how many blocks are there."""
        return sum(
            self._path(strip, top).is_file()
            for strip in range(len(self.strips))
            for top in self.tops
        )

    def remove(self) -> None:
        """Remove all of it, when the result is whole."""
        shutil.rmtree(self.folder)

    def _path(self, strip: int, top: int) -> Path:
        return self.folder / f"{strip:03d}_{top:010d}.npz"

    def _begin(self, made: Mapping[str, Any]) -> None:
        marker, content = self.folder / "made.json", json.dumps(made, indent=1)
        if marker.is_file() and marker.read_text(encoding="utf-8") == content:
            return
        if self.folder.is_dir():
            shutil.rmtree(self.folder)
        write_atomically(marker, content.encode())
