"""The same bits twice on one machine."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

# Of the two values that make cuBLAS repeatable, the one that costs less time and 24 MB of memory
# (https://docs.nvidia.com/cuda/cublas/#results-reproducibility).
_WORKSPACE, _WORKSPACE_SIZE = "CUBLAS_WORKSPACE_CONFIG", ":4096:8"


@contextmanager
def deterministic_algorithms(wanted: bool) -> Iterator[None]:
    """Let torch choose only algorithms that give the same bits twice, and raise where it has none.

    Samples, order and randomness of a run are the same anyway; what may differ without this is the
    order in which a GPU adds up.

    Args:
        wanted: Do so; else change nothing.
    """
    if not wanted:
        yield
        return
    enabled = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    tuned = torch.backends.cudnn.benchmark
    os.environ.setdefault(_WORKSPACE, _WORKSPACE_SIZE)  # read when cuBLAS is first used
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
        torch.backends.cudnn.benchmark = tuned
