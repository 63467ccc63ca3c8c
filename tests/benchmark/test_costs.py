from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from conftest import SMALLEST
from segnext.benchmark.costs import FLOPS_PER_INPUT, FLOPS_PER_VALUE, ModuleCost, count_costs
from segnext.benchmark.published_costs import AsPublished, count_as_published
from segnext.errors import UsageError
from segnext.inference.fold import fold
from segnext.models import SegNeXt, SegNeXtConfig, create_model
from segnext.models.context import CONTEXTS, SqueezeExcitation
from segnext.models.decompositions import NMF
from segnext.models.layers import depthwise
from segnext.models.mscan import FeedForward


class OnPositions(nn.Module):
    """Give a module of matrices (B, D, N) an image."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, images: Tensor) -> Tensor:
        return self.inner(images.flatten(2))


@pytest.mark.parametrize(
    ("layer", "macs", "others"),
    [
        # By hand, for a 6x8 image of 4 channels; 48 positions.
        (nn.Conv2d(4, 10, 1, bias=False), 48 * 4 * 10, 0),
        (nn.Conv2d(4, 10, 1), 48 * 4 * 10, 48 * 10),
        (nn.Conv2d(4, 10, 3, stride=2, padding=1), 12 * 4 * 10 * 9, 12 * 10),
        (nn.Conv2d(4, 10, 3, groups=2, padding=1), 48 * 2 * 10 * 9, 48 * 10),
        (depthwise(4, 5, 5), 48 * 4 * 25, 48 * 4),
        (depthwise(4, 1, 7), 48 * 4 * 7, 48 * 4),
        (nn.BatchNorm2d(4), 0, 2 * 48 * 4),
        (nn.GroupNorm(2, 4), 0, 7 * 48 * 4),
        (nn.GELU(), 0, 5 * 48 * 4),
        (nn.Upsample(size=(12, 16), mode="bilinear"), 0, 7 * 192 * 4),
        (nn.Upsample(size=(12, 16), mode="bicubic"), 0, 31 * 192 * 4),
        (nn.Upsample(size=(12, 16), mode="nearest"), 0, 0),
        (nn.ReLU6(), 0, 2 * 48 * 4),
        (nn.SiLU(), 0, 4 * 48 * 4),
        (nn.Sigmoid(), 0, 3 * 48 * 4),
        (nn.MaxPool2d(3, stride=2, padding=1), 0, 9 * 12 * 4),
        (nn.AdaptiveAvgPool2d(1), 0, 48 * 4),
        (nn.AdaptiveAvgPool2d(2), 0, 48 * 4),
        # Rows of 8 to 5: 24 of them.
        (nn.Linear(8, 5), 24 * 8 * 5, 24 * 5),
        # 1x1 up to 8, bias; depthwise 3x3, bias; GELU; 1x1 down, bias.
        (FeedForward(4, expansion=2), 48 * (4 * 8 + 8 * 9 + 8 * 4), 48 * (8 + 8 + 5 * 8 + 4)),
    ],
)
def test_layers_cost_what_they_do(layer: nn.Module, macs: int, others: int) -> None:
    costs = count_costs(nn.Sequential(layer).eval(), (6, 8), in_channels=4)
    assert costs.macs == macs
    assert costs.flops == 2 * macs + others
    assert costs.parameters == sum(p.numel() for p in layer.parameters())


def test_attention_costs_two_products_and_what_is_in_between() -> None:
    class Attention(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            tokens = images.flatten(2).transpose(1, 2)[:, None].contiguous()
            keys = tokens[:, :, :12]
            return nn.functional.scaled_dot_product_attention(tokens, keys, keys)

    costs = count_costs(Attention().eval(), (6, 8), in_channels=4)
    assert costs.macs == 48 * 12 * (4 + 4)
    assert costs.flops == 2 * costs.macs + 48 * 12 * (1 + 5)


def test_the_decomposition_costs_its_products() -> None:
    # D = 32 rows, N = 48 positions, R = 4: each update of the coefficients multiplies bases by
    # features (R D N), bases by bases (R D R) and that by coefficients (R R N); of the bases
    # features by coefficients (D N R), coefficients by coefficients (R N R) and bases by that.
    d, n, r, steps = 32, 48, 4, 7
    coefficients = r * d * n + r * d * r + r * r * n
    bases = d * n * r + r * n * r + d * r * r
    macs = r * d * n + steps * (coefficients + bases) + coefficients + d * r * n
    # A softmax (5 per value), then one sum, one product and one quotient for each new value.
    others = 5 * r * n + 3 * ((steps + 1) * r * n + steps * d * r)
    costs = count_costs(OnPositions(NMF(d, r)).eval(), (6, 8), in_channels=d)
    assert costs.modules[1] == ModuleCost("inner", 0, macs, 2 * macs + others)


@pytest.mark.parametrize("folded", [False, True])
def test_macs_agree_with_the_counter_of_torch(smallest_model: SegNeXt, folded: bool) -> None:
    smallest_model.eval()
    model = fold(smallest_model) if folded else smallest_model
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.randn(1, 3, 64, 96))
    # Torch counts the same two operations for each MAC, and nothing else.
    assert count_costs(model, (64, 96)).macs == counter.get_total_flops() / 2


def test_modules_add_up_and_weights_decide_whose_work_it_is(smallest_model: SegNeXt) -> None:
    costs = count_costs(smallest_model.eval(), (64, 96))
    by_name = {module.name: module for module in costs.modules}
    total = by_name[""]
    assert (total.parameters, total.macs) == (costs.parameters, costs.macs)
    assert total.macs == by_name["encoder"].macs + by_name["decoder"].macs
    assert total.flops == sum(operation.flops for operation in costs.operations)
    # The decoder calls the squeeze's kernel in parts: 8x12, 4x6 and 2x3 positions of 32 channels.
    assert by_name["decoder.squeeze.0"].macs == (96 + 24 + 6) * 32 * 32
    inside = ("squeeze", "hamburger", "align", "classifier")
    assert sum(by_name[f"decoder.{part}"].macs for part in inside) == by_name["decoder"].macs
    assert by_name["decoder.hamburger.nmf"].macs > 0
    assert "encoder.stages" not in by_name


def test_counting_computes_nothing_and_leaves_the_model_alone() -> None:
    config = SegNeXtConfig(num_classes=3, **SMALLEST)
    with torch.device("meta"):
        empty = SegNeXt(config).eval()
    model = SegNeXt(config).eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    # A picture of a terapixel: its activations would fill any machine.
    huge = (2**20, 2**20)
    assert count_costs(model, huge).modules == count_costs(empty, huge).modules
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert next(empty.parameters()).is_meta


def test_more_pixels_and_channels_cost_more(smallest_model: SegNeXt) -> None:
    config = SegNeXtConfig(num_classes=3, in_channels=5, **SMALLEST)
    small = count_costs(smallest_model.eval(), (64, 64))
    large = count_costs(smallest_model, (128, 128))
    deep = count_costs(SegNeXt(config).eval(), (64, 64), in_channels=5)
    assert 3.9 < large.macs / small.macs < 4
    # Two more channels for the first convolution: 8 outputs of 3x3 at 32x32 positions.
    assert deep.macs - small.macs == 2 * 8 * 9 * 32 * 32


VARIANTS = (
    {"decomposition": "vq"},
    {"decomposition": "cd"},
    *({"decoder_attention": name} for name in CONTEXTS),
)


def test_no_operation_is_left_out(smallest_model: SegNeXt) -> None:
    called = set()

    class Listener(TorchDispatchMode):
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            called.add(func.overloadpacket.__name__)
            return func(*args, **(kwargs or {}))

    images = torch.randn(1, 3, 64, 64)
    variants = [
        SegNeXt(SegNeXtConfig(num_classes=3, **SMALLEST, **options)).eval() for options in VARIANTS
    ]
    counted = set()
    for model in (smallest_model.eval(), fold(smallest_model), *variants):
        with torch.no_grad(), Listener():
            model(images)
        counted |= {operation.name for operation in count_costs(model, (64, 64)).operations}
    assert counted == called & {"convolution", "bmm", *FLOPS_PER_VALUE, *FLOPS_PER_INPUT}


def test_means_cost_what_goes_in() -> None:
    # 48 positions of 32 channels: their sum, 2 hidden channels and 32 weights with a bias each
    # and a ReLU or sigmoid, and the product with every value.
    costs = count_costs(nn.Sequential(SqueezeExcitation(32)).eval(), (6, 8), in_channels=32)
    assert costs.macs == 32 * 2 + 2 * 32
    assert costs.flops == 2 * costs.macs + 48 * 32 + (2 + 2) + (32 + 3 * 32) + 48 * 32


@pytest.mark.parametrize(
    ("options", "published"),
    [
        # Table 5, Base.
        ({"decoder_attention": "hamburger"}, 34.9),
        ({"decoder_attention": "cc"}, 35.7),
        ({"decoder_attention": "ema"}, 32.3),
        ({"decoder_attention": "non_local"}, 40.9),
        # Table 7 and table 8.
        ({"decoder_stages": (4,)}, 4.9),
        ({"decoder_stages": (2, 3, 4)}, 6.6),
        ({"decoder_stages": (1, 2, 3, 4)}, 12.1),
        ({"attention": "large_kernel"}, 6.5),
    ],
    ids=str,
)
def test_ablations_cost_what_the_paper_says(options: dict[str, Any], published: float) -> None:
    name = "segnext_base" if "decoder_attention" in options else "segnext_tiny"
    with torch.device("meta"):
        model = create_model(name, num_classes=150, **options).eval()
    operations = count_costs(AsPublished(model), (512, 512)).operations
    assert count_as_published(operations) / 1e9 == pytest.approx(published, rel=0.01)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Conv2d(3, 3, 1), r"call model.eval\(\) before counting"),
        (nn.Sequential(nn.Tanh()).eval(), "no rule counts tanh, which 0 calls"),
        (nn.Tanh().eval(), "no rule counts tanh, which the model calls"),
        (nn.ConvTranspose2d(3, 3, 1).eval(), "no rule counts convolution"),
    ],
)
def test_what_cannot_be_counted_is_refused(model: nn.Module, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        count_costs(model, (32, 32))
