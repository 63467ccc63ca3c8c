"""Benchmark PyTorch's backends on a CUDA device, masks included: a table, JSON and a picture.

python benchmarks/gpu.py [--out gpu] [--backends eager,folded] [--precisions bfloat16]
                         [--sizes 768x1536] [--batches 1] [--rounds 9] [--no-memory]

All rows take long: a shape is compiled in a minute or so, and memory is measured in a process of
its own. Without a CUDA device every row says "not measured", and nothing is written.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from segnext.benchmark import (
    Benchmark,
    Case,
    Row,
    find_subjects,
    list_cases,
    list_unmeasured,
    print_benchmark,
    run_benchmark,
    save_benchmark,
)
from segnext.cli.progress import counting_bar

# The paper's text, arXiv 2209.08575, on Cityscapes.
HEADLINE_SIZE, HEADLINE_FPS = (768, 1536), 25.0
HEADLINE = "the paper's figure (arXiv 2209.08575), on one RTX 3090 without acceleration"


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="segnext_tiny")
    parser.add_argument("--classes", type=int, default=19)
    parser.add_argument("--sizes", default="512x512,768x1536,1024x2048", help="HEIGHTxWIDTH [px]")
    parser.add_argument("--batches", default="1,16", help="images in a call")
    parser.add_argument("--backends", default="eager,folded,compiled,cuda_graphs")
    parser.add_argument("--precisions", default="float32,bfloat16,float16")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("gpu"))
    options = parser.parse_args(words)
    cases = _list_cases(options)
    if not torch.cuda.is_available():
        print_benchmark(list_unmeasured(cases, "not measured: there is no CUDA device here"))
        return
    with counting_bar("measuring") as show:
        found = run_benchmark(
            cases,
            device=torch.device("cuda"),
            rounds=options.rounds,
            memory=not options.no_memory,
            on_step=show,
        )
    found = Benchmark(found.machine, [*found.rows, *_headline(found.rows)])
    print_benchmark(found)
    for path in save_benchmark(found, options.out):
        print(f"written: {path}")


def _list_cases(options: argparse.Namespace) -> list[Case]:
    sizes = []
    for size in options.sizes.split(","):
        height, width = map(int, size.split("x"))
        sizes.append((height, width))
    return [
        case
        for batch in map(int, options.batches.split(","))
        for case in list_cases(
            find_subjects([options.model], options.classes),
            sizes,
            options.backends.split(","),
            options.precisions.split(","),
            batch=batch,
            output="labels",
            device="cuda",
        )
    ]


def _headline(rows: Sequence[Row]) -> list[Row]:
    """Return the published row, if its model and size were run."""
    for row in rows:
        case = row.case
        if case.subject.source == "segnext_tiny" and case.size == HEADLINE_SIZE:
            published = replace(case, backend="paper", batch=1, precision="float32")
            return [
                Row(
                    case=published,
                    backend="paper",
                    costs=row.costs,
                    published_images_per_s=HEADLINE_FPS,
                    why_not=HEADLINE,
                )
            ]
    return []


if __name__ == "__main__":
    main()
