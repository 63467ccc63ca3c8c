"""Reproduce the expected mask with numpy and onnxruntime alone: python example.py."""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime


def main() -> int:
    """Run the model on the stored picture; the exit code says whether its mask is as expected."""
    here = Path(__file__).resolve().parent
    spec = json.loads((here / "spec.json").read_text(encoding="utf-8"))
    parity = spec["parity"]

    # The model takes stored pixels: (batch, height, width, channels) uint8, RGB order.
    pixels = np.fromfile(here / parity["input"], dtype=np.uint8).reshape(parity["input_shape"])
    # It gives the label of every pixel: (batch, height, width).
    expected = np.fromfile(here / parity["expected"], dtype=parity["label_type"])

    session = onnxruntime.InferenceSession(
        str(here / spec["file"]), providers=["CPUExecutionProvider"]
    )
    labels = np.asarray(session.run(["labels"], {"images": pixels})[0])

    counts = np.bincount(labels.ravel(), minlength=len(spec["class_names"]))
    for name, count in zip(spec["class_names"], counts.tolist(), strict=True):
        print(f"{name:24} {count / labels.size:7.2%}")
    equal = float((labels.ravel() == expected).mean())
    print(f"{equal:.4%} of {expected.size} pixels are as expected")
    return 0 if equal >= parity["least_equal"] else 1


if __name__ == "__main__":
    sys.exit(main())
