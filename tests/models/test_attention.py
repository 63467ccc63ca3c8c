import pytest
import torch
from torch.nn import functional

from segnext.errors import UsageError
from segnext.models import create_encoder, create_model
from segnext.models.attention import (
    ATTENTIONS,
    MSCA,
    Attention,
    AttentionOptions,
    LargeKernelAttention,
)

variants = pytest.mark.parametrize(
    "options",
    [
        AttentionOptions(kind, branches, channel_mixing=mixing, gate=gate)
        for kind in ATTENTIONS
        for branches in ((7, 11, 21), ())
        for mixing in (True, False)
        for gate in (True, False)
        if kind == "msca" or branches
    ],
    ids=str,
)


@variants
def test_shape_stays_and_gradients_reach_all_parameters(options: AttentionOptions) -> None:
    attention, images = Attention(8, options), torch.randn(2, 8, 6, 9)
    output = attention(images)
    assert output.shape == images.shape
    output.square().sum().backward()
    for name, parameter in attention.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


@variants
@torch.no_grad()
def test_runs_under_autocast_and_exports_with_any_size(options: AttentionOptions) -> None:
    attention = Attention(8, options).eval()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert attention(torch.randn(2, 8, 6, 9)).isfinite().all()
    height, width = torch.export.Dim("height", min=2), torch.export.Dim("width", min=2)
    exported = torch.export.export(
        attention, (torch.randn(1, 8, 6, 9),), dynamic_shapes=({2: height, 3: width},)
    )
    images = torch.randn(1, 8, 13, 5)
    torch.testing.assert_close(exported.module()(images), attention(images))


@torch.no_grad()
@pytest.mark.parametrize("gate", [True, False])
@pytest.mark.parametrize("mixing", [True, False])
def test_parts_of_msca_can_be_left_out(gate: bool, mixing: bool) -> None:
    whole = MSCA(8, branches=(7,))
    part = MSCA(8, branches=(7,), channel_mixing=mixing, gate=gate)
    part.load_state_dict(whole.state_dict(), strict=mixing)
    images = torch.randn(2, 8, 6, 9)
    local = whole.local(images)
    expected = local + whole.branches[0](local)
    expected = whole.mix(expected) if mixing else expected
    expected = expected * images if gate else expected
    torch.testing.assert_close(part(images), expected)


@torch.no_grad()
@pytest.mark.parametrize("gate", [True, False])
def test_large_kernel_by_its_formula(gate: bool) -> None:
    module, images = LargeKernelAttention(4, gate=gate), torch.randn(1, 4, 8, 10)
    local = functional.conv2d(
        functional.pad(images, (2, 2, 2, 2)), module.local.weight, module.local.bias, groups=4
    )
    padded = functional.pad(local, (9, 9, 9, 9))
    wide = torch.zeros_like(local) + module.wide.bias[:, None, None]
    for i in range(7):
        for j in range(7):
            moved = padded[:, :, 3 * i : 3 * i + 8, 3 * j : 3 * j + 10]
            wide = wide + moved * module.wide.weight[:, 0, i, j, None, None]
    context = torch.einsum("oi,bihw->bohw", module.mix.weight[:, :, 0, 0], wide)
    context = context + module.mix.bias[:, None, None]
    expected = context * images if gate else context
    torch.testing.assert_close(module(images), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "millions", "options"),
    [
        # Table 8.
        ("segnext_tiny", 4.2, {"attention": "large_kernel"}),
        ("segnext_small", 13.8, {"attention": "large_kernel"}),
        ("segnext_tiny", 4.3, {}),
        ("segnext_small", 13.9, {}),
        # Table 7; its (a) has another decoder.
        ("segnext_tiny", 4.2, {"decoder_stages": (4,)}),
        ("segnext_tiny", 4.3, {"decoder_stages": (2, 3, 4)}),
        ("segnext_tiny", 4.3, {"decoder_stages": (1, 2, 3, 4)}),
    ],
)
def test_parameters_are_the_papers(name: str, millions: float, options: dict[str, object]) -> None:
    with torch.device("meta"):
        model = create_model(name, num_classes=150, **options)
    found = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    assert round(found, 1) == millions


def test_the_encoder_alone_knows_the_variants() -> None:
    encoder = create_encoder("mscan_tiny", attention="large_kernel", gate=False)
    inside = encoder.stages[0].blocks[0].attention.large_kernel
    assert isinstance(inside, LargeKernelAttention)
    assert not inside.gate
    plain = create_encoder("mscan_tiny", channel_mixing=False)
    names = plain.state_dict()
    assert not [name for name in names if ".mix." in name]
    assert "stages.0.blocks.0.attention.msca.local.weight" in names


def test_wrong_options_are_named() -> None:
    with pytest.raises(UsageError, match="unknown attention 'large': did you mean large_kernel"):
        create_encoder("mscan_tiny", attention="large")
    with pytest.raises(UsageError, match=r"branches are odd strip lengths, got \(4,\)"):
        create_encoder("mscan_tiny", branches=(4,))
