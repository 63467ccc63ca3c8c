"""A benchmark as files: everything as JSON, latencies as a picture."""

import json
from pathlib import Path

from segnext.benchmark.plot import draw_latency
from segnext.benchmark.result import Benchmark
from segnext.storage import write_atomically

JSON_NAME, PICTURE_NAME = "benchmark.json", "benchmark.png"


def save_benchmark(benchmark: Benchmark, out: Path, *, per_module: bool = False) -> list[Path]:
    """Write a benchmark into a folder, over an older one.

    Args:
        benchmark: What to write.
        out: The folder; made if missing.
        per_module: Add the costs of every module to the JSON.

    Returns:
        What was written; no picture if nothing was timed.

    Raises:
        SegnextError: The disk or its permissions refuse.
    """
    told = json.dumps(benchmark.to_dict(per_module=per_module), indent=1)
    write_atomically(out / JSON_NAME, told.encode())
    picture = draw_latency(benchmark.rows)
    if picture is None:
        return [out / JSON_NAME]
    write_atomically(out / PICTURE_NAME, picture)
    return [out / JSON_NAME, out / PICTURE_NAME]
