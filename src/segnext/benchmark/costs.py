"""What a network costs by its definition: parameters, MACs and FLOPs, module by module.

The network runs once on tensors without values, and each operation that it calls is counted by a
rule below. An operation without a rule is an error, so that nothing is left out in silence.

- MACs: multiply-accumulates of convolutions and matrix products, those of the decomposition
  included, and nothing else. Padding counts like any pixel.
- FLOPs: two for each MAC, and all other arithmetic: biases, normalisations, activations, sums,
  products and bilinear resizing. A comparison, a root, an exponential or an error function
  counts as one. Moving, cutting and viewing cost nothing.

Both are for one image. Upsampling the logits to the image and taking labels come after the network
and are not in it.
"""

import copy
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.module_tracker import ModuleTracker

from segnext.errors import UsageError

# Arithmetic per value that comes out, of what multiplies no matrices.
FLOPS_PER_VALUE: Mapping[str, int] = {
    "add": 1,
    "add_": 1,
    "sub": 1,
    "mul": 1,
    "div": 1,
    "relu": 1,
    "hardtanh": 2,
    "rsqrt": 2,  # root, division
    "sigmoid": 3,  # exponential, + 1, division
    "silu": 4,
    "gelu": 5,  # x / sqrt(2), its error function, + 1, / 2, times x
    "native_batch_norm": 2,  # scale and shift, known in evaluation
    "native_layer_norm": 7,  # mean 1, deviation 1, variance 2, division 1, scale and shift 2
    "native_group_norm": 7,
    "_safe_softmax": 5,
    "_softmax": 5,  # maximum, difference, exponential, sum, division
    "upsample_bilinear2d": 7,  # four products, three sums
    "upsample_bicubic2d": 31,
}
# Arithmetic per value that goes in: sums and comparisons over positions or channels.
FLOPS_PER_INPUT: Mapping[str, int] = {"_adaptive_avg_pool2d": 1, "amax": 1, "mean": 1, "sum": 1}
_ATTENTIONS = {
    "_scaled_dot_product_efficient_attention",
    "_scaled_dot_product_flash_attention",
    "_scaled_dot_product_flash_attention_for_cpu",
}
_FREE = {
    "_to_copy",
    "_unsafe_view",
    "alias",
    "arange",
    "as_strided_",
    "bitwise_and",
    "cat",
    "clone",
    "constant_pad_nd",
    "copy_",
    "detach",
    "device",
    "empty",
    "eq",  # this and other comparisons are of positions' numbers, known beforehand
    "expand",
    "eye",
    "floor_divide",
    "ge",
    "index_select",
    "lt",
    "masked_fill",
    "permute",
    "select",
    "slice",
    "split",
    "split_with_sizes",
    "squeeze",
    "t",
    "transpose",
    "unsqueeze",
    "upsample_nearest2d",
    "view",
}


@dataclass(frozen=True)
class Operation:
    """One call of ATen.

    Attributes:
        module: Whose weights it uses, else who calls it: a dotted path, empty for the model.
        name: As ATen calls it, such as `convolution`.
        values: Numbers that come out.
        macs: Multiply-accumulates.
        flops: Floating point operations, two for each MAC among them.
    """

    module: str
    name: str
    values: int
    macs: int
    flops: int


@dataclass(frozen=True)
class ModuleCost:
    """The cost of a module, of what is in it too.

    Attributes:
        name: Dotted path, such as `decoder.hamburger.nmf`; empty for the model.
        parameters: Learned numbers; buffers are none.
        macs: Multiply-accumulates for one image.
        flops: Floating point operations for one image.
    """

    name: str
    parameters: int
    macs: int
    flops: int


@dataclass(frozen=True)
class Costs:
    """What a model costs for one image of a size.

    Attributes:
        size: Height and width of the image [px].
        modules: The model first, then its modules in their order, each with all that is in it.
        operations: Every counted call, in the order of calling.
    """

    size: tuple[int, int]
    modules: tuple[ModuleCost, ...]
    operations: tuple[Operation, ...]

    @property
    def parameters(self) -> int:
        """Learned numbers of the model."""
        return self.modules[0].parameters

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image."""
        return self.modules[0].macs

    @property
    def flops(self) -> int:
        """Floating point operations for one image."""
        return self.modules[0].flops


def count_costs(model: nn.Module, size: tuple[int, int], *, in_channels: int = 3) -> Costs:
    """Count what a model does to one image; nothing is computed.

    Args:
        model: In evaluation mode, on any device; built on the meta device it takes no memory.
        size: Height and width of the image [px].
        in_channels: C of the image.

    Raises:
        UsageError: The model is in training mode, or calls an operation that no rule counts.
    """
    if model.training:
        msg = "costs are those of evaluation: call model.eval() before counting"
        raise UsageError(msg)
    # Not on the meta device: autocast, which the decomposition switches off, does not know it.
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    model = _copy_without_values(model, mode)
    with torch.no_grad(), mode, ModuleTracker() as tracker:
        image = torch.empty(1, in_channels, *size)
        with _Counter(model, tracker) as counter:
            model(image)
    operations = tuple(counter.operations)
    return Costs(size, tuple(_sum_modules(model, operations)), operations)


def _copy_without_values(model: nn.Module, mode: FakeTensorMode) -> nn.Module:
    """Return the same modules with fake parameters and buffers on the CPU."""
    fakes: dict[int, Any] = {}
    with mode:
        for parameter in model.parameters():
            empty = torch.empty(parameter.shape, dtype=parameter.dtype)
            fakes[id(parameter)] = nn.Parameter(empty, requires_grad=False)
        for buffer in model.buffers():
            fakes[id(buffer)] = torch.empty(buffer.shape, dtype=buffer.dtype)
    return copy.deepcopy(model, fakes)


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Collects the operations below it."""

    def __init__(self, model: nn.Module, tracker: ModuleTracker) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.tracker = tracker
        self.operations: list[Operation] = []
        self.owners = {
            id(parameter): name.rpartition(".")[0] for name, parameter in model.named_parameters()
        }
        self.parts: list[Tensor] = []  # kept alive, so that no other tensor gets their id

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if name in _FREE:
            self._follow_weights(args, result)
            return result
        values = (result[0] if isinstance(result, tuple) else result).numel()
        macs, flops = _count(name, args, values, module := self._module(name, args))
        self.operations.append(Operation(module, name, values, macs, flops))
        return result

    def _module(self, name: str, args: tuple[Any, ...]) -> str:
        if name == "convolution" and id(args[1]) in self.owners:
            return self.owners[id(args[1])]
        # Names nest, so the longest is the innermost; all begin with the model's class.
        inside = self.tracker.parents - {"Global"}
        return max(inside, key=len).partition(".")[2]

    def _follow_weights(self, args: tuple[Any, ...], result: Any) -> None:
        """Remember whose weights were cut: the decoder squeezes with parts of one kernel."""
        owner = self.owners.get(id(args[0])) if args else None
        if owner is not None:
            parts = result if isinstance(result, list | tuple) else [result]
            self.owners |= {id(part): owner for part in parts}
            self.parts += parts


def _count(name: str, args: tuple[Any, ...], values: int, module: str) -> tuple[int, int]:
    """Return MACs and FLOPs of a call."""
    if name == "convolution":
        weight, bias, transposed = args[1], args[2], args[6]
        # The weight is (outputs, inputs / groups, kernel height, kernel width).
        macs = 0 if transposed else values * weight[0].numel()
        if not transposed:
            return macs, 2 * macs + (values if bias is not None else 0)
    elif name in {"mm", "bmm"}:
        macs = values * args[0].shape[-1]
        return macs, 2 * macs
    elif name == "addmm":
        macs = values * args[1].shape[-1]
        return macs, 2 * macs + values
    elif name in _ATTENTIONS:
        return _count_attention(*args[:3])
    elif name == "max_pool2d_with_indices":
        return 0, values * math.prod(args[1])
    elif name in FLOPS_PER_VALUE:
        return 0, FLOPS_PER_VALUE[name] * values
    elif name in FLOPS_PER_INPUT:
        return 0, FLOPS_PER_INPUT[name] * args[0].numel()
    msg = f"no rule counts {name}, which {module or 'the model'} calls"
    raise UsageError(msg)


def _count_attention(queries: Tensor, keys: Tensor, values: Tensor) -> tuple[int, int]:
    """Count two products of matrices, with scaling and softmax of what is in between."""
    pairs = queries.shape[:-1].numel() * keys.shape[-2]
    macs = pairs * (queries.shape[-1] + values.shape[-1])
    return macs, 2 * macs + pairs * (1 + FLOPS_PER_VALUE["_softmax"])


def _sum_modules(model: nn.Module, operations: Sequence[Operation]) -> list[ModuleCost]:
    macs: Counter[str] = Counter()
    flops: Counter[str] = Counter()
    for operation in operations:
        for name in _enclosing(operation.module):
            macs[name] += operation.macs
            flops[name] += operation.flops
    return [
        ModuleCost(name, sum(p.numel() for p in module.parameters()), macs[name], flops[name])
        for name, module in model.named_modules()
        if not isinstance(module, nn.ModuleList)  # no step of its own
    ]


def _enclosing(module: str) -> list[str]:
    """Return a module's dotted path and those of all that it is in, the model's empty one too."""
    parts = module.split(".") if module else []
    return [".".join(parts[:length]) for length in range(len(parts) + 1)]
