"""Weights, gradients and optimizer state cut over the processes of a run (`fsdp: true`).

Fully sharded data parallel training (Zhao et al., arXiv 2304.11277): every process keeps its part
of each weight, and the whole weight only while a block computes with it. What is kept per weight
(gradient, both moments of AdamW, moving average) is cut alike, so all of it shrinks with the number
of processes. Losses and weights are those of processes that each keep everything.

Torch's own `fully_shard` does the work; it shards in place, so model and optimizer stay objects
of ours. It is imported where it is used: a run in one process need not wait for it.
"""

from typing import Any

import torch
from torch import Tensor, nn

from segnext.errors import UsageError
from segnext.inference import place_model
from segnext.models import SegmentationModel
from segnext.models.mscan import Block


def check_shardable(precision: str) -> None:
    """Refuse what does not go with sharding.

    Raises:
        UsageError: The precision is fp16, whose loss scale would have to be agreed on.
    """
    if precision == "fp16":
        msg = "fsdp works in fp32 and bf16, not in fp16: set precision to one of them"
        raise UsageError(msg)


def shard_model(model: SegmentationModel, device: torch.device, processes: int) -> None:
    """Cut a model's weights along their first dimension, in place.

    A block of the encoder is gathered as one, everything else with the model as a whole. The
    parameters are other objects afterwards: an optimizer has to be built later. Batch statistics
    stay whole. Every process must call it, with the same weights.

    Args:
        model: On its device.
        device: That device.
        processes: How many share the model; all of the run.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

    mesh = init_device_mesh(device.type, (processes,))
    model.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # cut by rows
    for block in [module for module in model.modules() if isinstance(module, Block)]:
        fully_shard(block, mesh=mesh)
    fully_shard(model, mesh=mesh)
    register_fsdp_forward_method(model, "forward_with_auxiliaries")


def gather_model(model: SegmentationModel) -> SegmentationModel:
    """Return a whole copy of a sharded model in evaluation mode, and any other model itself.

    Every process must call it, and gets the copy.
    """
    parameter = next(model.parameters())
    if not _is_sharded(parameter):
        return model
    whole = model.rebuild()
    whole.load_state_dict({name: gather(value) for name, value in model.state_dict().items()})
    return place_model(whole, parameter.device).eval()


def gather(tensor: Tensor) -> Tensor:
    """Return the whole of a sharded tensor, and any other tensor itself.

    Every process must call it, and gets the whole.
    """
    sharded: Any = tensor
    return sharded.full_tensor() if _is_sharded(tensor) else tensor


def local_part(tensor: Tensor) -> Tensor:
    """Return this process's part of a sharded tensor, in the same memory, or the tensor itself."""
    sharded: Any = tensor
    return sharded.to_local() if _is_sharded(tensor) else tensor


def cut_like(tensor: Tensor, like: Tensor) -> Tensor:
    """Cut a whole tensor, which every process has, as another is cut; moves it to its device."""
    tensor = tensor.to(like.device)
    if not _is_sharded(like):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    sharded: Any = like
    return distribute_tensor(tensor, sharded.device_mesh, sharded.placements)


def load_whole(model: nn.Module, state: dict[str, Tensor]) -> None:
    """Load a state dict of whole tensors into a model, sharded or not.

    Raises:
        RuntimeError: Names or shapes are not the model's.
    """
    own = model.state_dict()
    model.load_state_dict(
        {
            name: cut_like(value, own[name]) if name in own else value
            for name, value in state.items()
        }
    )


def _is_sharded(tensor: Tensor) -> bool:
    return hasattr(tensor, "full_tensor")  # a DTensor, without importing its module
