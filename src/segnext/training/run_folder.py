"""What a run leaves on disk.

runs/roads-segnext_tiny-1/
    config.yaml            every option, with the reason where it was chosen
    fingerprint.json       what the data are like
    environment.json       versions, git state, hardware and files of each session
    metrics.jsonl          a line per logged step and per validation
    curves.png             loss, learning rate and validation mIoU over steps
    per_class.csv          IoU, accuracy and Dice of every class at the best validation
    samples/step_000400.png    photo, truth, prediction at each validation
    contact_sheet.png      the same, for the best weights, at the end
    report/                what the best score is made of; by the command, see `segnext.report`
    best.safetensors       weights of the best validation, for evaluate and predict
    last.safetensors       weights of the last validation
    best/step_000400.safetensors  weights of the best validations, with keep_best above 1
    checkpoint.safetensors full state, for --resume
    divergence.json        step, loss and pictures, if the loss was not finite
    divergence_0.safetensors   the pictures of that step as the network got them
"""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from segnext.metrics import Metrics
from segnext.storage import write_atomically
from segnext.training.environment import ENVIRONMENT
from segnext.training.planning import FINGERPRINT_FILE, Plan, format_recipe
from segnext.training.run_files import RunFiles, make_folder


class RunFolder(RunFiles):
    """Names and writes the files of a run.

    Args:
        path: The run's folder; made if missing.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.per_class = path / "per_class.csv"
        self.environment = path / ENVIRONMENT
        self.samples = path / "samples"
        self.contact_sheet = path / "contact_sheet.png"
        make_folder(self.samples, path)

    def kept(self, step: int) -> Path:
        """Return where the weights of one of the best validations lie."""
        return self.path / "best" / f"step_{step:06}.safetensors"

    def all_kept(self) -> list[Path]:
        """Return the weights of best validations that are there."""
        return sorted((self.path / "best").glob("step_*.safetensors"))

    def write_plan(self, plan: Plan) -> None:
        """Write every option, chosen ones with their reason, and the fingerprint of the data."""
        write_atomically(self.config, format_recipe(plan.recipe, plan.choices).encode())
        plan.save_fingerprint(self.path / FINGERPRINT_FILE)

    def write_per_class(self, names: Sequence[str], metrics: Metrics) -> None:
        """Write the table of classes; undefined values stay empty."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["class", "iou", "accuracy", "dice"])
        columns = (metrics.iou_per_class, metrics.accuracy_per_class, metrics.dice_per_class)
        for name, *values in zip(names, *columns, strict=True):
            writer.writerow([name, *("" if value != value else f"{value:.6f}" for value in values)])
        write_atomically(self.per_class, text.getvalue().encode())

    def draw_curves(self) -> None:
        """Draw loss, learning rate and validation mIoU over steps from the log."""
        records = self.read_log()
        steps = [record for record in records if record["kind"] == "train"]
        validations = [record for record in records if record["kind"] == "val"]
        figure = Figure(figsize=(11, 3.6), layout="constrained")
        loss, score, rate = figure.subplots(1, 3)
        loss.plot(*_column(steps, "loss"), color="#c44e52", linewidth=1)
        loss.set(title="training loss", xlabel="step", yscale="log")
        score.plot(*_column(validations, "miou", 100), color="#4c72b0", marker="o", markersize=4)
        score.set(title="validation mIoU [%]", xlabel="step", ylim=(0, 100))
        seen = [record for record in validations if "train_miou" in record]
        if seen:
            score.plot(*_column(seen, "train_miou", 100), color="#8c8c8c", linestyle="--")
        if validations:
            best = max(validations, key=lambda record: record["miou"])
            score.axhline(100 * best["miou"], color="#4c72b0", linewidth=0.8, linestyle=":")
            score.set_title(f"validation mIoU [%], best {100 * best['miou']:.1f}")
        rate.plot(*_column(steps, "lr"), color="#55a868", linewidth=1.5)
        rate.set(title="learning rate", xlabel="step", ylim=(0, None))
        for axes in (loss, score, rate):
            axes.grid(alpha=0.3)
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png", dpi=110)
        write_atomically(self.curves, drawn.getvalue())


def _column(
    records: Sequence[Mapping[str, Any]], name: str, factor: float = 1.0
) -> tuple[list[int], list[float]]:
    return [r["step"] for r in records], [factor * r[name] for r in records]
