"""A trained model rewritten for inference: the same function with less arithmetic and memory.

Every rewrite is exact; what remains is rounding (`docs/inference.md` has the proofs and figures):

- Batch normalisation after a convolution goes into that convolution. Before a 1x1 convolution it
  goes into this one, which has no padding that would see the shift.
- Layer scale and the inner shortcut of the attention: with BN1(x) = a x + b,
  x + s (proj_out(u) + a x + b) = (1 + s a) x + s proj_out(u) + s b. The gains (1 + s a) of a
  stage's blocks are carried as one factor to its end, so that a block is a convolution and a sum.
- The second biases of the strips go through the 1x1 that follows them.
- `ham_out` is applied to the bases (D x R) instead of to their product with the coefficients.
- A feed-forward network works on a part of its hidden channels at a time, as its output is a sum
  over them: the widest maps of the network shrink to a quarter, and fit a cache.
- Tensors are channels_last.

Shapes: B batch, C channels, H and W height and width of the image, K classes, D decoder width,
R rank, N positions.
"""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from segnext.errors import UsageError
from segnext.inference.network import InferenceNetwork, PlainNetwork
from segnext.models import SegmentationModel, SegNeXt
from segnext.models.attention import MSCA
from segnext.models.context import Hamburger
from segnext.models.decompositions import NMF
from segnext.models.hamburger import LightHam
from segnext.models.mscan import Block, Stage

# Gains outside these bounds stay where they are: dividing a block's weights by what is near zero
# (a batch normalisation that cancels the shortcut) would multiply rounding errors.
LEAST_GAIN, GREATEST_GAIN = 0.1, 10.0
# Parts of the hidden channels of the feed-forward networks in each stage: where maps are large.
HIDDEN_PARTS = (4, 2, 1, 1)
# Options of the model that no rewrite is known for when they are anything else.
FOLDABLE = {
    "attention": "msca",
    "channel_mixing": True,
    "gate": True,
    "decomposition": "nmf",
    "decoder_attention": "hamburger",
}


@torch.no_grad()
def fold(model: SegNeXt, dtype: torch.dtype = torch.float32) -> "FoldedSegNeXt":
    """Rewrite a model for inference.

    Args:
        model: Any device; left as it is.
        dtype: Of weights and activations. The decomposition computes in float32 all the same.

    Raises:
        UsageError: The model has an option that no rewrite is known for.

    Returns:
        A new module on the same device, channels_last, in evaluation mode and without gradients:
        images (B, C, H, W) to logits (B, K, ceil(H/s), ceil(W/s)), the same as the model's in
        evaluation mode to rounding.
    """
    if not isinstance(model, SegNeXt):
        msg = f"a {type(model).__name__} cannot be folded: only SegNeXt can"
        raise UsageError(msg)
    unknown = [
        f"{name} {found!r}"
        for name, known in FOLDABLE.items()
        if (found := getattr(model.config, name)) != known
    ]
    if unknown:
        msg = f"a SegNeXt with {', '.join(unknown)} cannot be folded: use prepare_network"
        raise UsageError(msg)
    folded = FoldedSegNeXt(model)
    folded.cast(dtype)
    return folded


def can_fold(model: SegmentationModel) -> bool:
    """Tell whether `fold` knows a model."""
    return isinstance(model, SegNeXt) and all(
        getattr(model.config, name) == known for name, known in FOLDABLE.items()
    )


def prepare_network(
    model: SegmentationModel, dtype: torch.dtype = torch.float32
) -> InferenceNetwork:
    """Fold a model where that is known how, and copy it otherwise; arguments as for `fold`."""
    if can_fold(model):
        return fold(cast("SegNeXt", model), dtype)
    network = PlainNetwork(model)
    network.cast(dtype)
    return network


class FoldedSegNeXt(InferenceNetwork):
    """What `fold` returns.

    Args:
        model: Whose function and weights are taken.
    """

    def __init__(self, model: SegNeXt) -> None:
        super().__init__(model)
        self.stages = nn.ModuleList(
            _FoldedStage(cast("Stage", stage), parts)
            for stage, parts in zip(model.encoder.stages, HIDDEN_PARTS, strict=True)
        )
        self.decoder = _FoldedDecoder(model.decoder)
        self.freeze()

    def compute(self, images: Tensor) -> Tensor:
        """Run the stages, then the decoder."""
        features = []
        for stage in self.stages:
            images = stage(images)
            features.append(images)
        return self.decoder(features)  # type: ignore[no-any-return]


class _FoldedStage(nn.Module):
    gain: Tensor

    def __init__(self, stage: Stage, parts: int) -> None:
        super().__init__()
        self.downsample = _fold_downsample(cast("nn.Sequential", stage.downsample))
        blocks = []
        channels = stage.norm.normalized_shape[0]
        gain = torch.ones(channels, dtype=torch.float64, device=stage.norm.weight.device)
        for block in stage.blocks:
            folded = _FoldedBlock(cast("Block", block), gain, parts)
            gain = folded.gain_after
            blocks.append(folded)
        self.blocks = nn.ModuleList(blocks)
        self.register_buffer("gain", gain.float()[:, None, None])
        self.norm = deepcopy(stage.norm)

    def forward(self, images: Tensor) -> Tensor:
        images = self.downsample(images)
        for block in self.blocks:
            images = block(images)
        return self.norm(images * self.gain)  # type: ignore[no-any-return]


def _fold_downsample(layers: nn.Sequential) -> nn.Sequential:
    folded: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, nn.BatchNorm2d):
            scale, shift = _affine(layer)
            before = cast("nn.Conv2d", folded.pop())
            folded.append(_scaled_outputs(before, scale, shift))
        else:
            folded.append(layer)
    return nn.Sequential(*folded)


class _FoldedBlock(nn.Module):
    """A block on x / gain: what the stage's earlier blocks owe to x is kept in `gain`.

    Args:
        block: Whose function it has.
        gain: (C,) of the blocks before.
        parts: In how many its hidden channels come.
    """

    def __init__(self, block: Block, gain: Tensor, parts: int) -> None:
        super().__init__()
        scale1, shift1 = _affine(block.norm1)
        scale2, shift2 = _affine(block.norm2)
        layer_scale1 = block.scale1.double()
        layer_scale2 = block.scale2.double()
        after = gain * (1 + layer_scale1 * scale1)
        safe = (after.abs() >= LEAST_GAIN) & (after.abs() <= GREATEST_GAIN)
        # Where it is not safe to carry a channel's gain on, the block pays for it itself.
        carried = torch.where(safe, after, torch.ones_like(after))
        ratio = torch.where(safe, torch.ones_like(after), after)
        self.gain_after = carried
        self.residual = None if bool(safe.all()) else nn.Parameter(ratio.float()[:, None, None])
        attention = block.attention
        msca = cast("MSCA", attention.msca)
        self.proj_in = _scaled_inputs(attention.proj_in, scale1 * gain, shift1)
        self.local = _copied(msca.local)
        strips = [cast("nn.Sequential", branch) for branch in msca.branches]
        self.wide = nn.ModuleList(_copied(cast("nn.Conv2d", strip[0])) for strip in strips)
        self.tall = nn.ModuleList(
            _copied(cast("nn.Conv2d", strip[1]), bias=False) for strip in strips
        )
        biases = [_bias(cast("nn.Conv2d", strip[1])) for strip in strips]
        self.mix = _shifted_inputs(
            cast("nn.Conv2d", msca.mix), sum(biases, torch.zeros_like(shift1))
        )
        self.proj_out = _scaled_outputs(
            attention.proj_out, layer_scale1 / carried, layer_scale1 * shift1 / carried
        )
        self.parts = nn.ModuleList(
            _split_hidden(
                _scaled_inputs(block.ffn.expand, scale2 * carried, shift2),
                block.ffn.depthwise,
                _scaled_outputs(
                    block.ffn.project, layer_scale2 / carried, torch.zeros_like(carried)
                ),
                parts,
            )
        )

    def forward(self, images: Tensor) -> Tensor:
        hidden = functional.gelu(self.proj_in(images))
        local = self.local(hidden)
        context = local
        for wide, tall in zip(self.wide, self.tall, strict=True):
            context = context + tall(wide(local))
        attended = self.proj_out(self.mix(context) * hidden)
        shortcut = images if self.residual is None else images * self.residual
        images = shortcut + attended
        total = images
        for part in self.parts:
            total = total + part(images)
        return total


class _HiddenPart(nn.Module):
    """A feed-forward network over some of the hidden channels."""

    def __init__(self, expand: nn.Conv2d, depthwise: nn.Conv2d, project: nn.Conv2d) -> None:
        super().__init__()
        self.expand = expand
        self.depthwise = depthwise
        self.project = project

    def forward(self, images: Tensor) -> Tensor:
        return self.project(functional.gelu(self.depthwise(self.expand(images))))  # type: ignore[no-any-return]


def _split_hidden(
    expand: nn.Conv2d, depthwise: nn.Conv2d, project: nn.Conv2d, parts: int
) -> Iterator[_HiddenPart]:
    """Split a feed-forward network; the sum of the parts' outputs is its output."""
    for index, hidden in enumerate(torch.arange(expand.out_channels).chunk(parts)):
        part = slice(int(hidden[0]), int(hidden[-1]) + 1)
        yield _HiddenPart(
            _convolution(expand.weight[part], _bias(expand)[part]),
            _convolution(depthwise.weight[part], _bias(depthwise)[part], depthwise),
            _convolution(project.weight[:, part], None if index else _bias(project)),
        )


class _FoldedDecoder(nn.Module):
    def __init__(self, decoder: LightHam) -> None:
        super().__init__()
        hamburger = cast("Hamburger", decoder.context)
        self.stages = decoder.stages
        kernels = decoder.squeeze.get_parameter("0.weight").detach()
        self.squeeze = nn.ModuleList(
            _convolution(kernel, None)
            for kernel in torch.split(kernels, decoder.stage_channels, dim=1)
        )
        self.squeeze_norm = deepcopy(decoder.squeeze[1])
        self.ham_in = _copied(hamburger.ham_in)
        self.nmf = deepcopy(cast("NMF", hamburger.nmf))
        self.ham_out = nn.Parameter(hamburger.ham_out.weight.detach()[:, :, 0, 0].clone())
        self.ham_norm = deepcopy(hamburger.norm)
        self.align = _copied(cast("nn.Conv2d", decoder.align[0]))
        self.align_norm = deepcopy(decoder.align[1])
        self.classifier = _copied(decoder.classifier)

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        read = [features[stage - 1] for stage in self.stages]
        size = read[0].shape[-2:]
        squeezed = self.squeeze[0](read[0])
        for feature, squeeze in zip(read[1:], list(self.squeeze)[1:], strict=True):
            squeezed = squeezed + functional.interpolate(
                squeeze(feature), size=size, mode="bilinear", align_corners=False
            )
        squeezed = functional.relu(self.squeeze_norm(squeezed))
        ham = functional.relu(self.ham_in(squeezed))
        matrix = ham.flatten(2).float()
        first = self.nmf.initial_bases.expand(matrix.shape[0], -1, -1)
        bases, coefficients = self.nmf.factorize(matrix, first)
        context = ((self.ham_out.float() @ bases) @ coefficients).to(ham.dtype).view_as(ham)
        burger = functional.relu(squeezed + self.ham_norm(context))
        return self.classifier(functional.relu(self.align_norm(self.align(burger))))  # type: ignore[no-any-return]


def _affine(norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Return scale and shift (C,) of a batch normalisation in evaluation, float64."""
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    return scale, norm.bias.double() - norm.running_mean.double() * scale


def _bias(convolution: nn.Conv2d) -> Tensor:
    assert convolution.bias is not None
    return convolution.bias.double()


def _scaled_outputs(convolution: nn.Conv2d, scale: Tensor, shift: Tensor) -> nn.Conv2d:
    """Return x -> scale * convolution(x) + shift, per output channel."""
    weight = convolution.weight.double() * scale[:, None, None, None]
    return _convolution(weight, _bias(convolution) * scale + shift, convolution)


def _scaled_inputs(convolution: nn.Conv2d, scale: Tensor, shift: Tensor) -> nn.Conv2d:
    """Return x -> convolution(scale * x + shift), per input channel, of a 1x1 convolution."""
    assert convolution.kernel_size == (1, 1)
    weight = convolution.weight.double()
    bias = _bias(convolution) + weight[:, :, 0, 0] @ shift
    return _convolution(weight * scale[:, None, None], bias, convolution)


def _shifted_inputs(convolution: nn.Conv2d, shift: Tensor) -> nn.Conv2d:
    return _scaled_inputs(convolution, torch.ones_like(shift), shift)


def _copied(convolution: nn.Conv2d, *, bias: bool = True) -> nn.Conv2d:
    kept = convolution.bias if bias else None
    return _convolution(convolution.weight, kept, convolution)


def _convolution(weight: Tensor, bias: Tensor | None, like: nn.Conv2d | None = None) -> nn.Conv2d:
    """Build a plain float32 convolution with stride and padding of another, depthwise if it is."""
    groups = 1 if like is None or like.groups == 1 else weight.shape[0]
    convolution = nn.Conv2d(
        weight.shape[1] * groups,
        weight.shape[0],
        (weight.shape[2], weight.shape[3]),
        stride=1 if like is None else like.stride,  # type: ignore[arg-type]
        padding=0 if like is None else like.padding,  # type: ignore[arg-type]
        groups=groups,
        bias=bias is not None,
        device="meta",
    )
    convolution.weight = nn.Parameter(weight.detach().float().clone())
    if bias is not None:
        convolution.bias = nn.Parameter(bias.detach().float().clone())
    return convolution
