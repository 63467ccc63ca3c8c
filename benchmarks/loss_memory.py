"""Measure peak memory and time of cross-entropy in bands against whole logits, on the CPU.

python benchmarks/loss_memory.py [--batch 4] [--classes 150] [--crop 512x512] [--rounds 3]

Each way runs in a process of its own, one after the other. Its memory is the process's peak
resident set (Linux) beyond what it held before the first loss.
"""

import argparse
import json
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from segnext.training.losses import CrossEntropy


def plain(logits: Tensor, target: Tensor) -> Tensor:
    whole = functional.interpolate(
        logits, size=target.shape[-2:], mode="bilinear", align_corners=False
    )
    return functional.cross_entropy(whole, target, ignore_index=255)


WAYS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "whole logits": plain,
    "bands": CrossEntropy(),
}


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(way: str, options: argparse.Namespace) -> dict[str, float]:
    """Return peak memory [MB], median time [s], loss and gradient norm of one way."""
    height, width = map(int, options.crop.split("x"))
    torch.manual_seed(0)
    logits = torch.randn(options.batch, options.classes, height // 8, width // 8)
    logits = logits.contiguous(memory_format=torch.channels_last).requires_grad_()
    target = torch.randint(0, options.classes, (options.batch, height, width))
    # The first call loads libraries.
    torch.autograd.grad(WAYS[way](logits[:, :, :1, :1], target[:, :8, :8]), logits)
    before, seconds = peak_mb(), []
    for _ in range(options.rounds):
        start = time.perf_counter()
        loss = WAYS[way](logits, target)
        (gradient,) = torch.autograd.grad(loss, logits)
        seconds.append(time.perf_counter() - start)
    return {
        "peak": peak_mb() - before,
        "time": statistics.median(seconds),
        "loss": loss.item(),
        "gradient": gradient.norm().item(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--classes", type=int, default=150)
    parser.add_argument("--crop", default="512x512", help="HEIGHTxWIDTH [px], multiples of 8")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        print(json.dumps(measure(options.way, options)))
        return
    print(
        f"batch {options.batch}, {options.classes} classes, {options.crop}, "
        f"{torch.get_num_threads()} threads, torch {torch.__version__}, {platform.machine()}"
    )
    found = {}
    for way in WAYS:
        command = [sys.executable, *sys.argv, "--way", way]
        answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        found[way] = json.loads(answer.stdout)
        print(
            f"{way:12} peak {found[way]['peak']:7.0f} MB  median {found[way]['time']:.3f} s  "
            f"loss {found[way]['loss']:.7f}  gradient norm {found[way]['gradient']:.7e}"
        )
    whole, bands = found.values()
    print(
        f"ratio        {whole['peak'] / max(bands['peak'], 1):.1f} of memory, "
        f"{whole['time'] / bands['time']:.2f} of time"
    )


if __name__ == "__main__":
    main()
