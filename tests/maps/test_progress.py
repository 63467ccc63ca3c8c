from pathlib import Path

import numpy as np
import pytest

from segnext.errors import SegnextError
from segnext.maps.progress import BLOCK_ROWS, Block, Progress
from segnext.maps.strips import Strip

STRIPS = [Strip(0, 20, 0, 10), Strip(5, 30, 10, 30)]
HEIGHT = BLOCK_ROWS + 8


def open_progress(folder: Path, made: str = "a") -> Progress:
    return Progress(folder, {"weights": made}, HEIGHT, STRIPS)


def make_block(rows: int, columns: int, *, confidence: bool = False) -> Block:
    labels = np.arange(rows * columns, dtype=np.uint8).reshape(rows, columns)
    return Block(labels, labels + 1 if confidence else None)


def test_what_is_saved_is_there_after_a_restart(tmp_path: Path) -> None:
    progress = open_progress(tmp_path / "p")
    assert (progress.next_top(0), progress.count_done()) == (0, 0)
    block = make_block(BLOCK_ROWS, 10, confidence=True)
    progress.save(0, 0, block)
    again = open_progress(tmp_path / "p")
    assert (again.next_top(0), again.next_top(1), again.count_done()) == (BLOCK_ROWS, 0, 1)
    loaded = again.load(0, 0)
    assert loaded.confidence is not None
    assert (loaded.labels == block.labels).all()
    assert (loaded.confidence == block.labels + 1).all()
    again.save(0, BLOCK_ROWS, make_block(8, 10))
    assert again.next_top(0) is None
    assert again.load(0, BLOCK_ROWS).confidence is None
    assert again.rows(BLOCK_ROWS) == slice(BLOCK_ROWS, HEIGHT)


def test_blocks_of_other_weights_are_thrown_away(tmp_path: Path) -> None:
    open_progress(tmp_path / "p").save(0, 0, make_block(BLOCK_ROWS, 10))
    assert open_progress(tmp_path / "p", made="b").count_done() == 0


def test_a_damaged_block_is_named(tmp_path: Path) -> None:
    progress = open_progress(tmp_path / "p")
    progress.save(1, 0, make_block(BLOCK_ROWS, 20))
    path = tmp_path / "p" / "001_0000000000.npz"
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(SegnextError, match=r"001_0000000000.npz: is damaged .*; remove it"):
        progress.load(1, 0)


def test_nothing_is_left_in_the_end(tmp_path: Path) -> None:
    progress = open_progress(tmp_path / "p")
    progress.save(0, 0, make_block(BLOCK_ROWS, 10))
    progress.remove()
    assert not (tmp_path / "p").exists()
