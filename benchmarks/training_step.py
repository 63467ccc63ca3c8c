"""Time a training step with and without the fast backward pass of wide strips, interleaved.

python benchmarks/training_step.py [--model segnext_tiny] [--batch 4] [--crop 224x320] [--rounds 9]
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from segnext.models import create_model
from segnext.models.strips import WideStrip
from segnext.training.losses import CrossEntropy

fast_forward: Callable[[WideStrip, Tensor], Tensor] = WideStrip.forward
plain_forward: Callable[[WideStrip, Tensor], Tensor] = nn.Conv2d.forward


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="segnext_tiny")
    parser.add_argument("--classes", type=int, default=11)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--crop", default="224x320", help="HEIGHTxWIDTH [px]")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    height, width = map(int, options.crop.split("x"))
    model = create_model(options.model, num_classes=options.classes)
    model = model.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(model.parameters())
    loss = CrossEntropy()
    images = torch.randn(options.batch, 3, height, width)
    images = images.contiguous(memory_format=torch.channels_last)
    masks = torch.randint(0, options.classes, (options.batch, height, width))

    def step(forward: Callable[[WideStrip, Tensor], Tensor]) -> float:
        WideStrip.forward = forward  # type: ignore[method-assign]
        start = time.perf_counter()
        optimizer.zero_grad()
        loss(model(images), masks).backward()
        optimizer.step()
        return time.perf_counter() - start

    times: dict[str, list[float]] = {"convolution": [], "wide strip": []}
    for turn in range(options.rounds + 1):
        plain, fast = step(plain_forward), step(fast_forward)
        if turn:  # the first one warms up
            times["convolution"].append(plain)
            times["wide strip"].append(fast)
    print(
        f"{options.model}, batch {options.batch}, {height}x{width}, {torch.get_num_threads()} "
        f"threads, torch {torch.__version__}, {platform.machine()}"
    )
    medians = {name: statistics.median(seconds) for name, seconds in times.items()}
    for name, seconds in times.items():
        print(
            f"{name:12} median {medians[name]:.3f} s  "
            f"({min(seconds):.3f} to {max(seconds):.3f}, {len(seconds)} steps)"
        )
    print(f"ratio        {medians['convolution'] / medians['wide strip']:.2f}")


if __name__ == "__main__":
    main()
