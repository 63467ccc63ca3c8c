import pytest
import torch
from torch import Tensor, nn

from segnext.benchmark.costs import count_costs
from segnext.errors import UsageError
from segnext.models import BASELINES, DECODERS, ENCODERS, create_model
from segnext.models.baselines import find_parts
from segnext.models.decoders.decoder import resize_to

# In millions, auxiliaries included. FCN, DeepLabV3+ and SegFormer: arXiv 2105.15203, table 2, with
# 150 classes; SETR: arXiv 2012.15840, table 2; NAS-FPN: arXiv 2006.06882, with 21 classes.
PARAMETERS = {
    "fcn_resnet101": 68.6,
    "deeplabv3plus_resnet101": 62.7,
    "segformer_b0": 3.8,
    "segformer_b1": 13.7,
    "segformer_b2": 27.5,
    "segformer_b3": 47.3,
    "segformer_b4": 64.1,
    "segformer_b5": 84.7,
    "setr_naive": 305.67,
    "setr_pup": 318.31,
    "setr_mla": 310.57,
    "nasfpn_efficientnet_l2": 485.0,
}

# "GFLOPs" of arXiv 2105.15203, table 2: multiply-accumulates, logits at full resolution.
GMACS = [
    ("fcn_resnet101", 512, 275.7),
    ("deeplabv3plus_resnet101", 512, 255.1),
    ("segformer_b0", 512, 8.4),
    ("segformer_b1", 512, 15.9),
    ("segformer_b2", 512, 62.4),
    ("segformer_b3", 512, 79.0),
    ("segformer_b4", 512, 95.7),
    ("segformer_b5", 640, 183.3),
]


class AtFullResolution(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.train(model.training)

    def forward(self, images: Tensor) -> Tensor:
        return resize_to(self.model(images), images)


@pytest.mark.parametrize(("name", "millions"), PARAMETERS.items())
def test_published_parameters(name: str, millions: float) -> None:
    with torch.device("meta"):
        model = create_model(name, num_classes=21 if name.startswith("nasfpn") else 150)
    parameters = sum(p.numel() for p in model.parameters()) / 1e6
    assert parameters == pytest.approx(millions, rel=0.03)


@pytest.mark.parametrize(("name", "size", "gmacs"), GMACS)
def test_published_costs(name: str, size: int, gmacs: float) -> None:
    with torch.device("meta"):
        model = AtFullResolution(create_model(name, num_classes=150).eval())
    assert count_costs(model, (size, size)).macs / 1e9 == pytest.approx(gmacs, rel=0.01)


def test_published_costs_on_cityscapes_count_150_classes() -> None:
    # 125.5 is printed for 1024x2048; with Cityscapes' 19 classes it is 121.0.
    with torch.device("meta"):
        model = create_model("segformer_b0", num_classes=150).eval()
    assert count_costs(model, (1024, 2048)).macs / 1e9 == pytest.approx(125.5, rel=0.01)


@pytest.mark.parametrize(
    ("name", "stride"),
    [
        # The huge ones, which the contract of tests/models/test_composed.py has small.
        ("deeplabv3_resnet101", 8),
        ("deeplabv3plus_resnet101", 4),
        ("segformer_b5", 4),
        ("setr_naive", 16),
        ("setr_pup", 2),
        ("setr_mla", 4),
        ("nasfpn_efficientnet_b7", 4),
        ("nasfpn_efficientnet_l2", 4),
        # Cross combinations.
        ("mscan_base_upernet", 4),
        ("mscan_base_deeplabv3", 32),
        ("mscan_base_deeplabv3plus", 4),
        ("mscan_base_mlp", 4),
        ("mscan_base_fcn", 32),
        ("mscan_base_nasfpn", 4),
        ("resnet101_ham", 8),
        ("mobilenet_v2_ham", 8),
        ("mit_b0_ham", 8),
        ("vit_small_ham", 16),
        ("efficientnet_b0_ham", 8),
        ("mscan_large_ham", 8),
    ],
)
def test_shapes_on_the_meta_device(name: str, stride: int) -> None:
    with torch.device("meta"):
        # LightHam's first bases are numbers that no weights file need hold, so not made on meta.
        model = create_model(name, num_classes=7, in_channels=4).eval().to("meta")
        logits, auxiliaries = model.forward_with_auxiliaries(torch.empty(2, 4, 65, 97))
    assert logits.is_meta
    assert model.output_stride == stride
    assert logits.shape == (2, 7, -(-65 // stride), -(-97 // stride))
    assert all(auxiliary.shape[:2] == (2, 7) for auxiliary in auxiliaries)


def test_every_baseline_can_be_composed() -> None:
    for name, parts in BASELINES.items():
        assert find_parts(name) == parts
        assert parts["encoder"] in ENCODERS
        assert parts["decoder"] in DECODERS


def test_other_combinations() -> None:
    assert find_parts("mit_b0_fcn") == {
        "encoder": "mit_b0",
        "decoder": "fcn",
        "encoder_options": {},
    }
    parts = find_parts("resnet50_deeplabv3plus")
    assert parts is not None
    assert parts["encoder_options"] == {"output_stride": 8}
    assert find_parts("segnext_tiny") is None


def test_half_known_names() -> None:
    with pytest.raises(UsageError, match="unknown decoder 'hamm': did you mean ham"):
        find_parts("resnet50_hamm")
    with pytest.raises(UsageError, match="unknown encoder 'resnet51': did you mean resnet50"):
        find_parts("resnet51_fcn")
