import pytest

from segnext.errors import UsageError
from segnext.models import (
    BASELINES,
    ComposedConfig,
    ComposedModel,
    SegNeXt,
    SegNeXtConfig,
    build_from_config,
    config_from_dict,
    configure,
    create_encoder,
    create_model,
    list_baselines,
    list_models,
)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("segnext_tiny", 4_263_414),
        ("segnext_small", 13_932_886),
        ("segnext_base", 27_636_310),
        ("segnext_large", 48_926_550),
    ],
)
def test_parameter_counts_of_the_paper(name: str, parameters: int) -> None:
    model = create_model(name, num_classes=150)
    assert sum(p.numel() for p in model.parameters()) == parameters


def test_names_are_answered_with_the_nearest() -> None:
    sizes = ["segnext_tiny", "segnext_small", "segnext_base", "segnext_large"]
    assert list_models() == [*sizes, *list_baselines()]
    assert list_baselines() == list(BASELINES)
    with pytest.raises(UsageError, match="unknown model 'segformer-b2': did you mean segformer_b2"):
        create_model("segformer-b2", num_classes=2)
    with pytest.raises(UsageError, match="unknown decoder 'hamm': did you mean ham"):
        create_model("resnet50_hamm", num_classes=2)
    with pytest.raises(
        UsageError, match="unknown model 'segnext_tinny': did you mean segnext_tiny"
    ):
        create_model("segnext_tinny", num_classes=2)
    with pytest.raises(UsageError, match="unknown encoder 'segnext_tiny'"):
        create_encoder("segnext_tiny")
    with pytest.raises(UsageError, match="unknown encoder option 'rank'"):
        create_encoder("mscan_tiny", rank=3)


def test_encoder_alone() -> None:
    encoder = create_encoder("mscan_tiny", in_channels=4)
    assert encoder.out_channels == (32, 64, 160, 256)
    assert encoder.stages[0].downsample[0].in_channels == 4


def test_options_go_where_they_belong() -> None:
    config = configure(
        "fcn_resnet18",
        num_classes=2,
        output_stride=16,
        width=32,
        decoder_options={"convs": 1},
        auxiliary_weight=0.1,
    )
    assert isinstance(config, ComposedConfig)
    assert config.encoder_options == {"output_stride": 16}
    assert config.decoder_options == {"width": 32, "convs": 1}
    assert config.auxiliary_weight == 0.1
    assert BASELINES["fcn_resnet18"]["encoder_options"] == {"output_stride": 8}
    ham = {"attention": "large_kernel", "decoder_attention": "cc", "decoder_width": 32}
    config = configure("mscan_tiny_ham", num_classes=2, **ham)
    assert isinstance(config, ComposedConfig)
    assert config.encoder_options == {"attention": "large_kernel"}
    assert config.decoder_options == {"attention": "cc", "width": 32}
    with pytest.raises(UsageError, match="unknown model option 'widths': did you mean width"):
        configure("fcn_resnet18", num_classes=2, widths=3)


@pytest.mark.parametrize(
    ("name", "kind", "built"),
    [("segnext_tiny", SegNeXtConfig, SegNeXt), ("fcn_resnet18", ComposedConfig, ComposedModel)],
)
def test_models_are_rebuilt_from_what_files_keep(name: str, kind: type, built: type) -> None:
    config = configure(name, num_classes=2)
    assert type(config) is kind
    assert config_from_dict(config.to_dict()) == config
    model = build_from_config(config_from_dict(config.to_dict()))
    assert type(model) is built
    assert model.config == config
    with pytest.raises(TypeError, match="no model is built from dict"):
        build_from_config({})


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("segnext_tiny", {"rank": 2**50}, "segnext_tiny cannot be built with the options .*rank"),
        ("segnext_tiny", {"depths": (10**9, 1, 1, 1)}, "depths must lie between 1 and 100 blocks"),
        ("segnext_tiny", {"depths": "abcd"}, "cannot be built with the options"),
        ("segnext_tiny", {"eval_steps": 10**9}, "0 to 1000 steps, got rank 16"),
        ("mscan_tiny_upernet", {"grids": (1, 10**6)}, "grids must lie between 1 and 64 cells"),
        ("mscan_tiny_deeplabv3", {"rates": (1, 10**6)}, "rates must lie between 1 and 256"),
        ("mscan_tiny_fcn", {"convs": 10**9}, "convs must lie between 1 and 100"),
        ("mscan_tiny_nasfpn", {"repeats": 10**9}, "repeats must lie between 1 and 100"),
    ],
)
def test_sizes_without_end_are_refused(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        create_model(name, num_classes=2, **options)
