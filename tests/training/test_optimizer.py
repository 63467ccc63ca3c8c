import pytest

from segnext.errors import UsageError
from segnext.models import SegNeXt, create_model
from segnext.training.optimizer import (
    build_optimizer,
    freeze_parameters,
    is_decayed,
    layer_depth,
    schedule_factor,
    set_learning_rate,
)


@pytest.mark.parametrize("groups", ["ours", "authors"])
def test_each_parameter_once(smallest_model: SegNeXt, groups: str) -> None:
    optimizer = build_optimizer(
        smallest_model,
        learning_rate=1e-3,
        decoder_lr_factor=10,
        weight_decay=0.01,
        groups=groups,
    )
    found = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(found) == sorted(id(p) for p in smallest_model.parameters())
    decoder = {id(p) for p in smallest_model.decoder.parameters()}
    for group in optimizer.param_groups:
        expected = 1e-2 if id(group["params"][0]) in decoder else 1e-3
        assert group["lr"] == pytest.approx(expected)


def test_ours_spares_norms_scales_and_biases(smallest_model: SegNeXt) -> None:
    for name, parameter in smallest_model.named_parameters():
        one_dimension = name.endswith("bias") or "norm" in name or "scale" in name
        batch_norm = ".downsample.1." in name or ".downsample.4." in name
        group_norm = ".squeeze.1." in name or ".align.1." in name
        spared = one_dimension or batch_norm or group_norm
        assert is_decayed(name, parameter, "ours") is not spared, name


def test_authors_spare_what_is_named_norm_in_their_code() -> None:
    model = create_model("segnext_tiny", num_classes=3)
    spared = {n for n, p in model.named_parameters() if not is_decayed(n, p, "authors")}
    assert "encoder.stages.0.blocks.2.norm2.bias" in spared
    assert "encoder.stages.3.norm.weight" in spared
    assert "encoder.stages.1.downsample.1.weight" in spared
    assert "encoder.stages.0.downsample.1.weight" not in spared
    assert "decoder.squeeze.1.weight" not in spared
    assert "encoder.stages.0.blocks.0.scale1" not in spared
    # 13 blocks with 2 norms, 4 stage norms, 3 downsampling norms; weight and bias of each.
    assert len(spared) == 2 * (13 * 2 + 4 + 3)


def test_schedule_at_its_corners() -> None:
    def factor(step: int) -> float:
        return schedule_factor(step, max_steps=1000, warmup_steps=100, poly_power=1.0)

    assert factor(0) == pytest.approx(1e-6)
    assert factor(50) == pytest.approx(0.95 * 0.5, rel=1e-3)
    assert factor(100) == pytest.approx(0.9)
    assert factor(500) == pytest.approx(0.5)
    assert factor(1000) == 0
    assert schedule_factor(0, max_steps=10, warmup_steps=0, poly_power=2.0) == 1.0
    assert schedule_factor(5, max_steps=10, warmup_steps=0, poly_power=2.0) == 0.25


def test_learning_rates_keep_their_ratio(smallest_model: SegNeXt) -> None:
    optimizer = build_optimizer(
        smallest_model, learning_rate=1e-3, decoder_lr_factor=10, weight_decay=0.01
    )
    set_learning_rate(optimizer, 0.5)
    set_learning_rate(optimizer, 0.1)
    assert sorted({group["lr"] for group in optimizer.param_groups}) == pytest.approx([1e-4, 1e-3])


@pytest.mark.parametrize(
    ("name", "depth"),
    [
        ("encoder.stages.0.downsample.0.weight", 13),
        ("encoder.stages.0.blocks.0.norm1.weight", 13),
        ("encoder.stages.0.blocks.2.scale1", 11),
        ("encoder.stages.0.norm.weight", 11),
        ("encoder.stages.1.downsample.0.weight", 10),
        ("encoder.stages.3.blocks.1.ffn.expand.weight", 1),
        ("encoder.stages.3.norm.bias", 1),
        ("decoder.classifier.weight", 0),
    ],
)
def test_layers_are_counted_from_the_decoder(name: str, depth: int) -> None:
    model = create_model("segnext_tiny", num_classes=2)
    assert name in dict(model.named_parameters())
    assert layer_depth(name, model.config.depths) == depth


def test_layer_decay_slows_early_layers(smallest_model: SegNeXt) -> None:
    optimizer = build_optimizer(
        smallest_model,
        learning_rate=1.0,
        decoder_lr_factor=10,
        weight_decay=0.0,
        layer_decay=0.5,
        depths=smallest_model.config.depths,
    )
    rates = {
        id(parameter): group["initial_lr"]
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    named = dict(smallest_model.named_parameters())
    assert rates[id(named["encoder.stages.0.downsample.0.weight"])] == 0.5**4
    assert rates[id(named["encoder.stages.3.norm.weight"])] == 0.5
    assert rates[id(named["decoder.classifier.weight"])] == 10


def test_frozen_parameters_are_left_out(smallest_model: SegNeXt) -> None:
    freeze_parameters(smallest_model, ["encoder."])
    optimizer = build_optimizer(
        smallest_model, learning_rate=1.0, decoder_lr_factor=1, weight_decay=0.0
    )
    found = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert found == {id(p) for p in smallest_model.decoder.parameters()}
    with pytest.raises(UsageError, match=r"unknown part to freeze 'encoder.stagess': did you mean"):
        freeze_parameters(smallest_model, ["encoder.stagess"])
    with pytest.raises(UsageError, match=r"freeze: encoder, decoder leaves nothing to train"):
        freeze_parameters(smallest_model, ["encoder", "decoder"])
