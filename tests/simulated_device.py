"""A device that this machine lacks, played by the CPU: what would cross its border is refused.

Tensors say that they lie on `meta` while their values are ordinary ones inside. As on a real
device, an operation on tensors of both sides fails, unless the one on the CPU is a single number.
Here values may come to the device, as small tables do, but leave it one at a time at most.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

DEVICE = torch.device("meta")


class OnDevice(Tensor):
    """A tensor that says it lies on the device."""

    inside: Tensor

    @staticmethod
    def __new__(cls: type, inside: Tensor) -> "OnDevice":
        made: OnDevice = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            inside.shape,
            strides=inside.stride(),
            storage_offset=inside.storage_offset(),
            dtype=inside.dtype,
            device=DEVICE,
        )
        made.inside = inside
        return made

    @classmethod
    def __torch_dispatch__(
        cls, operation: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return _run(operation, args, kwargs or {})


class _Creation(TorchDispatchMode):
    """What is made on the device without any tensor of it, or is brought there."""

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return _run(operation, args, kwargs or {})


@contextmanager
def simulated_device() -> Iterator[Callable[[Tensor], Tensor]]:
    """Simulate the device; gives what puts a tensor there."""
    with _Creation():
        yield OnDevice


def _run(operation: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    tensors = [one for one in tree_flatten((args, kwargs))[0] if isinstance(one, Tensor)]
    here = [one for one in tensors if isinstance(one, OnDevice)]
    wanted = kwargs.get("device")
    if wanted is not None:
        wanted = torch.device(wanted)
        kwargs = {**kwargs, "device": torch.device("cpu")}
    leaves = here and wanted is not None and wanted.type == "cpu"
    assert not leaves, f"{operation} copies {tuple(here[0].shape)} to the CPU"
    crosses = operation in (torch.ops.aten.copy_.default, torch.ops.aten._to_copy.default)
    if here and not crosses:
        outside = [one for one in tensors if not isinstance(one, OnDevice) and one.dim()]
        assert not outside, f"{operation} mixes devices"
    if operation is torch.ops.aten.copy_.default:
        assert isinstance(args[0], OnDevice) or not here, f"{operation} copies to the CPU"
    unwrapped, named = tree_map(
        lambda one: one.inside if isinstance(one, OnDevice) else one, (args, kwargs)
    )
    found = operation(*unwrapped, **named)
    if not here and (wanted is None or wanted.type == "cpu"):
        return found
    # In-place operations return what they were given.
    known = {id(one.inside): one for one in here}

    def wrap(one: Any) -> Any:
        if not isinstance(one, Tensor):
            return one
        return known[id(one)] if id(one) in known else OnDevice(one)

    return tree_map(wrap, found)
