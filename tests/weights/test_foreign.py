import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from golden import official_state_dict
from segnext.errors import WeightsError
from segnext.models import SegNeXt, create_model
from segnext.weights import convert_state_dict
from segnext.weights.names import translate_name

SIZES = ("tiny", "small", "base", "large")
BASES = "decoder.hamburger.nmf.initial_bases"


def official_shapes(shared: Path, size: str) -> Iterator[tuple[str, Tensor]]:
    """Tensors of the authors' names and shapes, without storage behind them."""
    listed = json.loads((shared / "golden" / "official_state_dict_keys.json").read_text())[size]
    return ((name, torch.zeros(()).expand(shape)) for name, shape in listed.items())


def as_mmsegmentation(name: str) -> str:
    return name.replace("mlp.dwconv.dwconv.", "mlp.dwconv.")


@pytest.fixture(scope="module")
def tiny() -> dict[str, Tensor]:
    with torch.device("meta"):
        state_dict = create_model("segnext_tiny", num_classes=5).state_dict()
    return {name: torch.zeros(()).expand(tensor.shape) for name, tensor in state_dict.items()}


@pytest.mark.parametrize("size", SIZES)
def test_every_official_name_is_consumed(shared: Path, size: str) -> None:
    official = dict(official_shapes(shared, size))
    for names in (official, {as_mmsegmentation(name): official[name] for name in official}):
        converted = convert_state_dict({"state_dict": names})
        assert converted.model == f"segnext_{size}"
        assert converted.missing == (BASES,)
        assert converted.left_over == ()
        assert len(converted.state_dict) == len(official)
        assert (converted.num_classes, converted.in_channels) == (150, 3)
        assert not converted.encoder_only


@pytest.mark.parametrize("size", SIZES)
def test_every_imagenet_name_is_consumed(shared: Path, size: str) -> None:
    encoder = {
        name.removeprefix("backbone."): tensor
        for name, tensor in official_shapes(shared, size)
        if name.startswith("backbone.")
    }
    head = {"head.weight": torch.zeros(1000, 256), "head.bias": torch.zeros(1000)}
    converted = convert_state_dict({"state_dict": encoder | head, "epoch": 300})
    assert converted.model == f"segnext_{size}"
    assert converted.encoder_only
    assert converted.num_classes is None
    assert converted.missing == ()
    assert converted.left_over == ()
    assert converted.notes == ("not used: head.weight, head.bias (the ImageNet classifier)",)


@pytest.mark.parity
def test_converted_weights_are_those_of_our_module(shared: Path) -> None:
    official = official_state_dict(shared, "tiny")
    converted = convert_state_dict(official).state_dict
    strips = "backbone.block3.4.attn.spatial_gating_unit.conv1_2.weight"
    assert (
        converted["encoder.stages.2.blocks.4.attention.msca.branches.1.1.weight"]
        is (official[strips])
    )
    assert official[strips].shape[-2:] == (11, 1)
    model = create_model("segnext_tiny", num_classes=150)
    refused = model.load_state_dict(converted, strict=False)
    assert refused.missing_keys == [BASES]
    assert refused.unexpected_keys == []


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("backbone.patch_embed1.proj.3.bias", "encoder.stages.0.downsample.3.bias"),
        ("patch_embed4.norm.running_var", "encoder.stages.3.downsample.1.running_var"),
        ("backbone.norm2.bias", "encoder.stages.1.norm.bias"),
        ("backbone.block2.13.layer_scale_2", "encoder.stages.1.blocks.13.scale2"),
        ("block1.0.norm2.weight", "encoder.stages.0.blocks.0.norm2.weight"),
        ("decode_head.squeeze.gn.bias", "decoder.squeeze.1.bias"),
        ("decode_head.hamburger.ham_out.gn.weight", "decoder.hamburger.norm.weight"),
        ("decode_head.conv_seg.bias", "decoder.classifier.bias"),
        ("encoder.stages.0.norm.bias", "encoder.stages.0.norm.bias"),
        ("stages.0.norm.bias", "encoder.stages.0.norm.bias"),
        ("auxiliary_head.conv_seg.weight", None),
        ("head.weight", None),
        ("backbone.patch_embed1.proj.2.weight", None),
        ("backbone.block5.0.norm1.weight", None),
        ("backbone.block1.0.attn.proj_3.weight", None),
        ("", None),
    ],
)
def test_names(theirs: str, ours: str | None) -> None:
    assert translate_name(theirs) == ours


@pytest.mark.parametrize(
    "wrap",
    [
        lambda tensors: tensors,
        lambda tensors: {"state_dict": tensors},
        lambda tensors: {"model": {"state_dict": tensors}, "epoch": 3},
        lambda tensors: {"model_state": {f"module.{name}": tensors[name] for name in tensors}},
        lambda tensors: {f"module._orig_mod.{name}": tensors[name] for name in tensors},
    ],
)
def test_our_own_names_in_any_wrapping(tiny: dict[str, Tensor], wrap: Any) -> None:
    converted = convert_state_dict(wrap(tiny))
    assert converted.state_dict == tiny
    assert converted.model == "segnext_tiny"
    assert (converted.missing, converted.left_over, converted.notes) == ((), (), ())
    assert converted.num_classes == 5


def test_what_does_not_fit_is_named(tiny: dict[str, Tensor]) -> None:
    kept = {name: tensor for name, tensor in tiny.items() if name != "encoder.stages.1.norm.bias"}
    extra = {
        "encoder.stages.2.norm.bias": torch.zeros(7),
        "auxiliary_head.conv_seg.weight": torch.zeros(1),
        "ema_backbone_norm1_weight": torch.zeros(1),
        "encoder.stages.0.blocks.9.scale1": torch.zeros(32),
        "epoch": 3,
        "data_preprocessor.mean": torch.zeros(3),
    }
    wrapped = {"state_dict": kept | extra, "state_dict_ema": dict(tiny)}
    converted = convert_state_dict(wrapped)
    assert converted.missing == ("encoder.stages.1.norm.bias", "encoder.stages.2.norm.bias")
    assert sorted(converted.left_over) == [
        "auxiliary_head.conv_seg.weight",
        "ema_backbone_norm1_weight",
        "encoder.stages.0.blocks.9.scale1",
        "encoder.stages.2.norm.bias",
        "epoch",
    ]
    assert converted.notes == (
        "not used: averaged weights under 'state_dict_ema'",
        "not used: data_preprocessor.mean (pixel statistics)",
    )


def test_counters_of_batches_may_lack(tiny: dict[str, Tensor]) -> None:
    kept = {name: tiny[name] for name in tiny if not name.endswith("num_batches_tracked")}
    assert len(kept) < len(tiny)
    assert convert_state_dict(kept).missing == ()


def test_other_sizes_are_no_model_of_ours(smallest_model: SegNeXt) -> None:
    converted = convert_state_dict(smallest_model.state_dict())
    assert converted.model is None
    assert converted.num_classes == 3
    assert len(converted.state_dict) == len(smallest_model.state_dict())


@pytest.mark.parametrize(
    ("content", "found"),
    [({}, "nothing"), ({"layer4.0.conv1.weight": torch.ones(1)}, "only layer4.0.conv1.weight")],
)
def test_other_networks_are_refused(content: dict[str, Tensor], found: str) -> None:
    with pytest.raises(WeightsError, match=f"found no tensors of a SegNeXt.*{found}"):
        convert_state_dict(content)


def test_tensors_that_cannot_be_copied_are_left_over(tiny: dict[str, Tensor]) -> None:
    name = "encoder.stages.0.norm.bias"
    for odd in (torch.zeros(32).to_sparse(), torch.empty(32, device="meta"), "text", None):
        converted = convert_state_dict({**tiny, name: odd})
        assert converted.left_over == (name,)
        assert converted.missing == (name,)


def test_dictionary_that_holds_itself() -> None:
    content: dict[str, Any] = {"encoder.stages.0.norm.bias": torch.zeros(32)}
    content["state_dict"] = content
    assert len(convert_state_dict(content).state_dict) == 1
