"""Batch normalisation over the global batch, shared by all processes of a run.

Plain batch normalisation sees the samples of its own process, so a model would train differently
on two processes than on one. Here mean and variance are those of all processes' pixels (Ioffe and
Szegedy, arXiv 1502.03167, algorithm 1), and the backward pass follows the gradient through them to
every process (section 3 there). Any backend of `torch.distributed` will do, and processes may hold
batches of different sizes.

Shapes: B batch, C channels, H and W height and width.
"""

from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional


class SyncBatchNorm2d(nn.BatchNorm2d):
    """`nn.BatchNorm2d` with the statistics of all processes in training.

    In evaluation, or in a single process, it is `nn.BatchNorm2d` to the bit. It needs weights and
    running statistics with a momentum, the defaults of `nn.BatchNorm2d`.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Normalise (B, C, H, W) per channel; shape, dtype and memory format stay.

        Every process must call it, with at least one sample each.
        """
        if not self.training or not _runs_in_processes():
            return super().forward(input)
        mean, variance, count = _compute_global_statistics(input.detach())
        self._update_running_statistics(mean, variance, count)
        return _Normalize.apply(input, self.weight, self.bias, mean, variance, count, self.eps)  # type: ignore[no-any-return,no-untyped-call]

    def _update_running_statistics(self, mean: Tensor, variance: Tensor, count: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        unbiased = variance * (count / (count - 1))
        with torch.no_grad():
            self.running_mean.lerp_(mean.to(self.running_mean.dtype), self.momentum)
            self.running_var.lerp_(unbiased.to(self.running_var.dtype), self.momentum)
            self.num_batches_tracked += 1


def synchronize_batch_norm(model: nn.Module) -> nn.Module:
    """Replace every `nn.BatchNorm2d` by `SyncBatchNorm2d`.

    Parameters and buffers are handed over, not copied: the state dict keeps its names and values,
    and an optimizer built before goes on working.

    Args:
        model: Changed in place.

    Returns:
        The model, or its replacement where it is itself an `nn.BatchNorm2d`.
    """
    if isinstance(model, nn.BatchNorm2d):
        return _convert(model)
    for name, child in model.named_children():
        setattr(model, name, synchronize_batch_norm(child))
    return model


def _convert(norm: nn.BatchNorm2d) -> SyncBatchNorm2d:
    assert norm.affine
    assert norm.track_running_stats
    converted = SyncBatchNorm2d(norm.num_features, norm.eps, norm.momentum, device="meta")
    converted.weight, converted.bias = norm.weight, norm.bias
    converted.running_mean, converted.running_var = norm.running_mean, norm.running_var
    converted.num_batches_tracked = norm.num_batches_tracked
    return converted.train(norm.training)


def _runs_in_processes() -> bool:
    return (
        distributed.is_available()
        and distributed.is_initialized()
        and distributed.get_world_size() > 1
    )


def _compute_global_statistics(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Reduce the (B, C, H, W) of all processes to mean (C,), variance (C,) and count (1,)."""
    images = _at_least_float32(images)
    variance, mean = torch.var_mean(images, dim=(0, 2, 3), correction=0)
    # Sums of squares cancel where the mean is large. Each process subtracts its own mean first,
    # and float64 has digits to spare for the rest, so one exchange is enough.
    mean, variance = mean.double(), variance.double()
    count = mean.new_full((1,), images.numel() // images.shape[1])
    moments = torch.cat([count, count * mean, count * (variance + mean.square())])
    distributed.all_reduce(moments)
    count, sums, squares = torch.split(moments, [1, len(mean), len(mean)])
    mean = sums / count
    variance = (squares / count - mean.square()).clamp(min=0.0)
    return mean.to(images.dtype), variance.to(images.dtype), count.to(images.dtype)


class _Normalize(torch.autograd.Function):
    """Images (B, C, H, W), weight and bias (C,), and the statistics of all processes."""

    @staticmethod
    def forward(
        ctx: Any,
        images: Tensor,
        weight: Tensor,
        bias: Tensor,
        mean: Tensor,
        variance: Tensor,
        count: Tensor,
        eps: float,
    ) -> Tensor:
        ctx.save_for_backward(images, weight, mean, torch.rsqrt(variance + eps), count)
        # With the statistics given, as in evaluation: one pass in any dtype and memory format.
        return functional.batch_norm(images, mean, variance, weight, bias, eps=eps)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        images, weight, mean, inverse_std, count = ctx.saved_tensors
        gradient = _at_least_float32(gradients[0])
        centered = _at_least_float32(images) - mean[:, None, None]
        towards_bias = gradient.sum((0, 2, 3))
        towards_weight = (gradient * centered).sum((0, 2, 3)) * inverse_std
        # Weights take the gradient of this process, to be averaged like all others; images take
        # part in the statistics of all processes, so their gradient comes from all.
        sums = torch.cat([towards_bias, towards_weight])
        distributed.all_reduce(sums)
        from_mean, from_variance = (sums / count).chunk(2)
        towards_images = gradient - from_mean[:, None, None]
        towards_images -= centered * (from_variance * inverse_std)[:, None, None]
        towards_images *= (weight * inverse_std)[:, None, None]
        return towards_images.to(images.dtype), towards_weight, towards_bias, *(None,) * 4


def _at_least_float32(tensor: Tensor) -> Tensor:
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
