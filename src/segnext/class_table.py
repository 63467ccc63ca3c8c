"""Metrics of every class as a table for the terminal."""

from collections.abc import Sequence

from rich.table import Table

from segnext.metrics import Metrics


def build_class_table(names: Sequence[str], metrics: Metrics) -> Table:
    """Build a table of IoU, accuracy and Dice per class with their means, in percent."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("class")
    for title in ("IoU", "accuracy", "Dice"):
        table.add_column(title, justify="right")
    columns = (metrics.iou_per_class, metrics.accuracy_per_class, metrics.dice_per_class)
    for name, *values in zip(names, *columns, strict=True):
        table.add_row(name, *(_percent(value) for value in values))
    means = (metrics.miou, metrics.mean_accuracy, metrics.mean_dice)
    table.add_row("mean", *(_percent(value) for value in means), style="bold")
    return table


def _percent(value: float) -> str:
    return "-" if value != value else f"{100 * value:.1f}"
