import json

import pytest
import torch
from torch import Tensor

from encoder_contract import assert_close, hold_batch_norms
from segnext.benchmark.costs import count_costs
from segnext.errors import UsageError
from segnext.inference.graphs import export_program
from segnext.inference.network import PlainNetwork
from segnext.models import ComposedConfig, ComposedModel, SegmentationModel, create_model
from segnext.models.composed import DECODERS, ENCODERS, list_options
from segnext.models.randomness import keyed_randomness, sample_keys

NARROW = {"width": 16}
SHALLOW = {"layers": (1, 2, 3, 4), "image_size": 224, "width": 16}
# Every decoder and every kind of encoder at least once, small: the output stride, and options.
CASES: dict[str, tuple[int, dict[str, object]]] = {
    "fcn_resnet18": (8, NARROW),
    "resnet18_deeplabv3": (8, NARROW),
    "resnet18_ham": (8, {"width": 32, "rank": 4}),
    "deeplabv3plus_mobilenet_v2": (4, NARROW),
    "segformer_b0": (4, NARROW),
    "setr_naive_small": (16, SHALLOW),
    "setr_pup_small": (2, SHALLOW),
    "setr_mla_small": (4, SHALLOW),
    "nasfpn_efficientnet_b0": (4, {"width": 16, "repeats": 1}),
    "mscan_tiny_upernet": (4, NARROW),
}


def build(name: str, *, num_classes: int = 3, in_channels: int = 3) -> SegmentationModel:
    options = CASES[name][1]
    return create_model(name, num_classes=num_classes, in_channels=in_channels, **options)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(("num_classes", "in_channels"), [(1, 4), (3, 1)])
def test_any_size_classes_and_channels(name: str, num_classes: int, in_channels: int) -> None:
    model = build(name, num_classes=num_classes, in_channels=in_channels)
    stride = CASES[name][0]
    assert model.output_stride == stride
    images = torch.randn(2, in_channels, 65, 97)
    logits, auxiliaries = model.forward_with_auxiliaries(images)
    assert logits.shape == (2, num_classes, -(-65 // stride), -(-97 // stride))
    assert all(auxiliary.shape[:2] == (2, num_classes) for auxiliary in auxiliaries)
    sum((maps * torch.randn_like(maps)).sum() for maps in (logits, *auxiliaries)).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("name", CASES)
def test_evaluation_repeats_and_knows_no_batch(name: str) -> None:
    model = build(name).eval()
    images = torch.randn(2, 3, 64, 80)
    with torch.no_grad():
        logits = model(images)
        assert torch.equal(model(images), logits)
        assert_close(model(images[1:])[0], logits[1])


@pytest.mark.parametrize("name", CASES)
def test_a_sample_s_randomness_knows_no_batch(name: str) -> None:
    model = build(name).train()
    hold_batch_norms(model)
    images, keys = torch.randn(2, 3, 64, 64), sample_keys(3, 4, [7, 8])

    def decode(first: int, seed: int) -> Tensor:
        torch.manual_seed(seed)
        with torch.no_grad(), keyed_randomness(keys[first:]):
            return model(images[first:])

    assert_close(decode(1, 5)[0], decode(0, 6)[1])


def test_logits_of_odd_sizes_stay_where_the_image_is() -> None:
    model = build("setr_pup_small").eval()
    images = torch.randn(1, 3, 50, 70)
    padded = torch.nn.functional.pad(images, (0, 10, 0, 14))
    with torch.no_grad():
        logits, whole = model(images), model(padded)
    assert logits.shape[-2:] == (25, 35)
    assert torch.equal(logits, whole[..., :25, :35])


@pytest.mark.parametrize("name", CASES)
def test_exported_graphs_take_any_size(name: str) -> None:
    network = PlainNetwork(build(name).eval())
    program = export_program(network, channels=3).module()
    with torch.no_grad():
        for size in ((1, 3, 133, 161), (2, 3, 160, 192)):  # NAS-FPN's graph wants more than 128
            images = torch.randn(size)
            assert_close(program(images), network(images))


@pytest.mark.parametrize("name", CASES)
def test_backends_run_the_same_function(name: str) -> None:
    model = build(name).eval()
    images = torch.randn(1, 3, 50, 70)
    with torch.no_grad():
        assert_close(PlainNetwork(model)(images), model(images))


@pytest.mark.parametrize("name", CASES)
def test_costs_can_be_counted(name: str) -> None:
    assert count_costs(build(name).eval(), (64, 65)).macs > 0


@pytest.mark.parametrize("name", CASES)
def test_files_give_the_same_model(name: str) -> None:
    model = build(name).eval()
    with torch.device("meta"):
        empty = ComposedModel(ComposedConfig.from_dict(model.config.to_dict())).eval()
    empty.load_state_dict(model.state_dict(), assign=True)
    images = torch.randn(1, 3, 64, 65)
    with torch.no_grad():
        assert torch.equal(empty(images), model(images))


@pytest.mark.parametrize("name", CASES)
def test_config_round_trip(name: str) -> None:
    config = build(name).config
    assert isinstance(config, ComposedConfig)
    assert ComposedConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_rebuild() -> None:
    model = build("fcn_resnet18")
    other = model.rebuild()
    assert isinstance(other, ComposedModel)
    assert other.config == model.config
    other.load_state_dict(model.state_dict())


def test_auxiliaries_of_the_papers() -> None:
    fcn = build("fcn_resnet18")
    assert [head.stage for head in fcn.auxiliaries] == [3]
    assert fcn.auxiliary_weight == 0.4
    assert [head.stage for head in build("setr_pup_small").auxiliaries] == [1, 2, 3]
    assert [head.stage for head in build("setr_mla_small").auxiliaries] == [1, 2, 3, 4]
    assert build("segformer_b0").auxiliary_weight == 0.0


def test_unknown_parts_and_options() -> None:
    common = {"num_classes": 2, "encoder": "resnet18", "decoder": "fcn"}
    for changed, match in (
        ({"encoder": "resnet19"}, "unknown encoder 'resnet19': did you mean resnet18"),
        ({"decoder": "fnc"}, "unknown decoder 'fnc'"),
        ({"encoder_options": {"depths": (1,)}}, "unknown option of encoder resnet18 'depths'"),
        ({"decoder_options": {"rank": 1}}, "unknown option of decoder fcn 'rank'"),
        ({"auxiliaries": ({"width": 3},)}, "unknown auxiliary decoder ''"),
    ):
        with pytest.raises(UsageError, match=match):
            ComposedConfig(**{**common, **changed})
    with pytest.raises(UsageError, match="unknown model option 'encoders': did you mean encoder"):
        ComposedConfig.from_dict({**common, "encoders": 3})


def test_parts_that_do_not_fit() -> None:
    with pytest.raises(UsageError, match="setr_mla reads maps of one stride"):
        create_model("resnet18_setr_mla", num_classes=2)
    with pytest.raises(UsageError, match="nasfpn reads maps of doubling strides"):
        create_model("vit_small_nasfpn", num_classes=2)


def test_parts_of_the_encoder_can_be_changed_under_any_decoder() -> None:
    plain, narrow, wide = (
        create_model("mscan_tiny_fcn", num_classes=2, **NARROW, **options)
        for options in ({}, {"channel_mixing": False}, {"attention": "large_kernel"})
    )
    name = "stages.0.blocks.0.attention.msca.mix.weight"
    assert name in plain.encoder.state_dict()
    assert name not in narrow.encoder.state_dict()
    assert wide.encoder.stages[0].blocks[0].attention.kind == "large_kernel"


def test_options_by_name() -> None:
    assert list_options(ENCODERS["resnet18"]) == ["output_stride"]
    assert "drop_path_rate" in list_options(ENCODERS["mscan_tiny"])
    assert "embed_dims" not in list_options(ENCODERS["mscan_tiny"])
    assert {"attention", "branches", "gate"} <= set(list_options(ENCODERS["mscan_tiny"]))
    assert "rank" in list_options(DECODERS["ham"])
    for parts in (ENCODERS, DECODERS):
        assert all("dropout" in list_options(b) or parts is ENCODERS for b in parts.values())
