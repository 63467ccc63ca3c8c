"""Checkpoints of other programs, read without trusting them.

`.pth` files are pickles: programs that build objects. Ours are read by torch's restricted
unpickler, which builds tensors and plain containers only. What training frameworks store beside
the weights (loss histories, arguments, numpy numbers) is named below and replaced by an inert
stand-in; anything else a file asks for is refused by name, before it runs.
"""

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import torch

from segnext.errors import WeightsError
from segnext.weights.files import SUFFIX, load_tensors

# Found in checkpoints of MMSegmentation 0.x and 1.x, the authors' repository and timm.
_REPLACED = (
    "argparse.Namespace",
    "builtins.getattr",  # names a method of HistoryBuffer
    "mmengine.logging.history_buffer.HistoryBuffer",
    "numpy._core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar",
    "numpy.core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "numpy.dtype",
    "numpy.ndarray",
    *(f"numpy.dtypes.{kind}DType" for kind in ("Bool", "Float32", "Float64", "Int32", "Int64")),
)

# Weights and their average may share what was never trained.
_MOST_SHARING = 4


class _StandIn:
    """Takes the place of whatever is not a weight: accepts every argument, keeps none."""

    def __new__(cls, *_args: object) -> Self:
        return object.__new__(cls)

    def __setstate__(self, state: object) -> None:
        pass


def read_checkpoint(path: str | Path) -> Mapping[str, Any]:
    """Read a checkpoint of another program: `.safetensors`, or a pickle written by torch.

    Args:
        path: The file; everything but `.safetensors` is taken for a pickle.

    Returns:
        What the file holds, tensors on the CPU; `convert_state_dict` finds the weights in it.

    Raises:
        WeightsError: The file is missing, damaged, no dictionary, or asks for an object that is
            neither a tensor nor a plain container; names that object.
    """
    path = Path(path)
    if not path.is_file():
        msg = f"{path}: no such file"
        raise WeightsError(msg)
    if path.suffix == SUFFIX:
        return load_tensors(path)
    _check_packing(path)
    content = _unpickle(path)
    if not isinstance(content, Mapping):
        msg = f"{path}: holds a {type(content).__name__}, not a dictionary of weights"
        raise WeightsError(msg)
    _check_tensors(content, path)
    return content


def _check_packing(path: Path) -> None:
    """Refuse a packed archive: torch writes none, and a few kilobytes may unfold to gigabytes."""
    try:
        if not zipfile.is_zipfile(path):  # older files are no archives
            return
        with zipfile.ZipFile(path) as archive:
            unfolded = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return  # torch says what is wrong with it
    if unfolded > path.stat().st_size:
        msg = f"{path}: holds {unfolded:,} bytes in fewer; get or write it again, with torch.save"
        raise WeightsError(msg)


def _check_tensors(content: Mapping[Any, Any], path: Path) -> None:
    """Refuse tensors that claim more numbers than the file has.

    A view may repeat one number a billion times, or a thousand views share a megabyte; whoever
    copies them needs the memory.
    """
    waiting: list[Any] = [content]
    seen: set[int] = set()
    total = 0
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Mapping):
            waiting += value.values()
        elif isinstance(value, list | tuple | set):
            waiting += value
        elif isinstance(value, torch.Tensor) and _is_plain(value):
            total += value.numel() * value.element_size()
    size = path.stat().st_size
    if total > _MOST_SHARING * size:
        msg = (
            f"{path}: its tensors claim {total:,} bytes, the file has {size:,}; save its "
            f"state_dict anew with torch.save"
        )
        raise WeightsError(msg)


def _is_plain(tensor: torch.Tensor) -> bool:
    """Tell whether a tensor has storage; others are never copied."""
    return tensor.layout == torch.strided and not tensor.is_meta


def _unpickle(path: Path) -> Any:
    allowed = [(_StandIn, name) for name in _REPLACED]
    try:
        with torch.serialization.safe_globals(allowed):  # type: ignore[arg-type]
            return torch.load(path, map_location="cpu", weights_only=True)
    # A damaged or hostile file can make an unpickler raise anything.
    except Exception as error:
        wanted = re.search(r"GLOBAL (\S+)", str(error))
        if wanted:
            msg = (
                f"{path}: refused, because reading it would run {wanted[1]}, which is no tensor; "
                f"save its state_dict alone, or as {SUFFIX}, where the file comes from"
            )
            raise WeightsError(msg) from error
        msg = f"{path}: not a whole checkpoint ({type(error).__name__}); get or write it again"
        raise WeightsError(msg) from error
