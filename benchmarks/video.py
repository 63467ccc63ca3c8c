"""Time what it is worth that decode, inference and encode overlap.

python benchmarks/video.py WEIGHTS VIDEO [--frames 60] [--rounds 7] [--threads 1] [--backend auto]

Writes the same overlay, label frames and timings from the same frames, in turns: with every stage
in a thread of its own, as `segnext video` does, and one stage after the other in one thread.
Prints the median of the rounds' ratios. A round's two runs are next to each other, so that other
programs on the machine slow both. Where the stages share one core (`taskset -c 0`), there is
nothing to gain but the time in which one of them waits for the disk.
"""

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from segnext.predict import Predictor, open_footage, write_video


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights")
    parser.add_argument("video", type=Path)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1, help="of the network")
    parser.add_argument("--backend", default="auto")
    options = parser.parse_args()
    predictor = Predictor(options.weights, backend=options.backend, threads=options.threads)
    ratios, shares = [], []
    for turn in range(options.rounds + 1):
        overlapped, _ = measure(predictor, options, in_one_thread=False)
        sequential, report = measure(predictor, options, in_one_thread=True)
        if turn:  # the first one warms up
            ratios.append(sequential / overlapped)
            shares.append(report.mean_ms)
    print(
        f"{predictor.backend}, {options.threads} threads, {report.frames} frames of "
        f"{report.width}x{report.height} px, {options.rounds} rounds"
    )
    means = {stage: statistics.median(share[stage] for share in shares) for stage in shares[0]}
    print(
        "ms a frame, one after the other:",
        ", ".join(f"{stage} {spent:.1f}" for stage, spent in means.items()),
    )
    print(
        f"one thread / overlapped: {statistics.median(ratios):.2f} "
        f"(rounds {min(ratios):.2f} to {max(ratios):.2f}); "
        f"at most {sum(means.values()) / max(means.values()):.2f} on enough cores"
    )


def measure(predictor: Predictor, options: Any, *, in_one_thread: bool) -> tuple[float, Any]:
    """Return the seconds of a run and its report."""
    footage = open_footage(options.video)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        if not in_one_thread:
            report = write_video(predictor, footage, out, codec="mjpeg", limit=options.frames)
            return report.seconds, report
        with (
            mock.patch("segnext.predict.predictor.run_ahead", lambda items, **_: items),
            mock.patch("segnext.predict.video.run_ahead", lambda items, **_: items),
        ):
            report = write_video(predictor, footage, out, codec="mjpeg", limit=options.frames)
        return report.seconds, report


if __name__ == "__main__":
    main()
