"""Fuzz one reader guided by coverage: inputs that reach new lines of the package are kept.

    pip install atheris
    PYTHONPATH=src:tests python -m fuzz.guided coco -max_total_time=600

Words behind the name are libFuzzer's. It stops at the first finding, whose bytes it writes here.
"""

import sys
import tempfile
from pathlib import Path

import atheris


def main() -> None:
    """Fuzz the target that the first argument names."""
    name, *options = sys.argv[1:]
    with atheris.instrument_imports(include=["segnext"]):
        from fuzz.run import MOST_CPU_S, find_target, limit_addresses

        target = find_target(name)
    with tempfile.TemporaryDirectory() as scratch:
        folder, corpus = Path(scratch) / "read", Path(scratch) / "corpus"
        folder.mkdir()
        corpus.mkdir()
        target.prepare(folder)
        encode = target.encode or bytes
        for number, seed in enumerate(target.seeds()):
            (corpus / str(number)).write_bytes(encode(seed))
        # Its own limit of memory counts what the process that started this one once held.
        limits = [f"-timeout={MOST_CPU_S:.0f}", "-rss_limit_mb=0"]
        limit_addresses()

        def read(data: bytes) -> None:
            target.try_input(folder, data)

        atheris.Setup([sys.argv[0], *limits, *options, str(corpus)], read)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
