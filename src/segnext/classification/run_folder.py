"""What a classification run leaves on disk.

runs/photos-mscan_tiny-1/
    config.yaml            every option, with the reason where it was chosen
    metrics.jsonl          a line per logged step and per validation
    curves.png             loss, validation top-1 and top-5, and learning rate over steps
    best.safetensors       weights of the best validation, for evaluate, predict and --encoder
    last.safetensors       weights of the last validation
    checkpoint.safetensors full state, for --resume
    divergence.json        step, loss and photos, if the loss was not finite
"""

import io

from matplotlib.figure import Figure

from segnext.storage import write_atomically
from segnext.training.run_files import RunFiles


class ClassifyFolder(RunFiles):
    """Names and writes the files of a run."""

    def draw_curves(self) -> None:
        """Draw loss, validation scores and learning rate over steps from the log."""
        records = self.read_log()
        steps = [record for record in records if record["kind"] == "train"]
        validations = [record for record in records if record["kind"] == "val"]
        figure = Figure(figsize=(11, 3.6), layout="constrained")
        loss, score, rate = figure.subplots(1, 3)
        at = [record["step"] for record in steps]
        loss.plot(at, [r["loss"] for r in steps], color="#c44e52", linewidth=1, label="train")
        validated = [record["step"] for record in validations]
        losses = [record["loss"] for record in validations]
        loss.plot(validated, losses, color="#8172b3", marker="o", markersize=3, label="val")
        loss.set(title="loss", xlabel="step")
        loss.legend()
        for name, color in (("top5", "#93b3d9"), ("top1", "#4c72b0")):
            scores = [100 * r[name] for r in validations if r[name] is not None]
            if scores:
                score.plot(validated, scores, color=color, marker="o", markersize=4, label=name)
        score.set(title="validation accuracy [%]", xlabel="step", ylim=(0, 100))
        if validations:
            best = 100 * max(record["top1"] for record in validations)
            score.axhline(best, color="#4c72b0", linewidth=0.8, linestyle=":")
            score.set_title(f"validation accuracy [%], best top-1 {best:.1f}")
            score.legend(loc="lower right")
        rate.plot(at, [record["lr"] for record in steps], color="#55a868", linewidth=1.5)
        rate.set(title="learning rate", xlabel="step", ylim=(0, None))
        for axes in (loss, score, rate):
            axes.grid(alpha=0.3)
            axes.set_xlim(left=0)
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png", dpi=110)
        write_atomically(self.curves, drawn.getvalue())
