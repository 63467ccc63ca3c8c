import numpy as np
from rich.console import Console

from segnext.class_table import build_class_table
from segnext.metrics import compute_metrics


def test_rows_hold_percentages_and_undefined_values_are_dashes() -> None:
    counts = np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]])
    console = Console(width=60, record=True, quiet=False, file=None)
    with console.capture() as capture:
        console.print(build_class_table(["road", "tree", "boat"], compute_metrics(counts)))
    rows = [line.split() for line in capture.get().splitlines()]
    assert rows[0] == ["class", "IoU", "accuracy", "Dice"]
    assert rows[1] == ["road", "75.0", "75.0", "85.7"]
    assert rows[2] == ["tree", "80.0", "100.0", "88.9"]
    assert rows[3] == ["boat", "-", "-", "-"]
    assert rows[4] == ["mean", "77.5", "87.5", "87.3"]
