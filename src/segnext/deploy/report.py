"""What an export wrote, how true it is to the model, and what it is worth."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segnext.benchmark.machine import installed_versions
from segnext.deploy.verify import Latency, Parity
from segnext.inference.description import GraphDescription

_PACKAGES = (
    "torch",
    "onnx",
    "onnxscript",
    "onnxruntime",
    "openvino",
    "nncf",
    "executorch",
)


@dataclass(frozen=True)
class FileScore:
    """mIoU on a labelled split, 0-1, by the protocol of the weights.

    Attributes:
        split: Which.
        images: Pictures in it.
        protocol: In words.
        before: The model as it was trained, in PyTorch.
        after: The file in its runtime.
        before_at_size: The model fed at the size that the file is for; `None` for files that take
            any size.
    """

    split: str
    images: int
    protocol: str
    before: float
    after: float
    before_at_size: float | None = None


@dataclass(frozen=True)
class ExportReport:
    """What became of an export.

    Attributes:
        path: Of the file.
        format: Its name.
        description: What the file says about itself.
        sizes: Bytes of every file written, by name.
        model_bytes: Of the model's weights in float32.
        parity: Against the model.
        latency: Against the model.
        score: Before and after; `None` where there were no data.
        calibration_pictures: That int8 was calibrated with; 0 for other precisions.
        bundle: Folder of the bundle, if one was asked for.
    """

    path: Path
    format: str
    description: GraphDescription
    sizes: Mapping[str, int]
    model_bytes: int
    parity: Parity
    latency: Latency
    score: FileScore | None = None
    calibration_pictures: int = 0
    bundle: Path | None = None

    @property
    def total_bytes(self) -> int:
        """Of all files together."""
        return sum(self.sizes.values())

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        description = self.description
        return {
            "file": self.path.name,
            "format": self.format,
            "model": description.spec.model,
            "output": description.output,
            "pixels": description.pixels,
            "size": description.size,
            "batch": description.batch,
            "precision": description.precision,
            "bytes": dict(self.sizes),
            "model_bytes": self.model_bytes,
            "parity": asdict(self.parity),
            "latency": asdict(self.latency),
            "score": None if self.score is None else asdict(self.score),
            "calibration_pictures": self.calibration_pictures,
            "bundle": None if self.bundle is None else self.bundle.name,
            "versions": list_versions(),
        }


def list_versions() -> dict[str, str]:
    """Return the versions of segnext and of what writes and runs files, where it is there."""
    return installed_versions(_PACKAGES)
