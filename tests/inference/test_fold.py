from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from conftest import SMALLEST
from lively_models import enliven
from segnext import load_model
from segnext.data.synthetic import write_scenes
from segnext.errors import UsageError
from segnext.inference import compute_logits, fold
from segnext.inference.fold import HIDDEN_PARTS, LEAST_GAIN, can_fold, prepare_network
from segnext.inference.network import PlainNetwork
from segnext.models import SegNeXt, SegNeXtConfig, create_model
from segnext.models.context import CONTEXTS
from segnext.protocol import Protocol

WEIGHTS = Path(__file__).parents[2] / "weights" / "segnext_tiny_camvid.safetensors"


def build(**options: object) -> SegNeXt:
    return enliven(SegNeXt(SegNeXtConfig(**{"num_classes": 5, **SMALLEST, **options})))


@torch.no_grad()
def assert_same(model: SegNeXt, images: torch.Tensor) -> None:
    """Logits within 1e-3 and labels equal on more than 99.99 % of positions: the issue's limits."""
    expected, found = model(images), fold(model)(images)
    assert found.shape == expected.shape
    assert (found - expected).abs().max() < 1e-3
    if expected.shape[1] > 1:
        assert (found.argmax(1) == expected.argmax(1)).float().mean() > 0.9999


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"num_classes": 1},
        {"in_channels": 6},
        {"branches": ()},
        {"branches": (3, 9)},
        {"depths": (2, 1, 3, 1)},
        {"decoder_stages": (1, 2, 3, 4)},
        {"decoder_stages": (4,)},
        {"mlp_ratios": (1, 3, 1, 2)},
        {"eval_steps": 0},
    ],
    ids=str,
)
def test_folding_changes_nothing(options: dict[str, object]) -> None:
    model = build(**options)
    assert_same(model, torch.randn(2, model.config.in_channels, 70, 101))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["segnext_tiny", "segnext_small", "segnext_base"])
def test_folding_the_papers_sizes_changes_nothing(name: str) -> None:
    assert_same(enliven(create_model(name, num_classes=150)), torch.randn(1, 3, 128, 160))


@pytest.mark.skipif(not WEIGHTS.is_file(), reason="needs the weights that come with a clone")
@pytest.mark.filterwarnings("ignore")
def test_folding_trained_weights_changes_nothing(tmp_path: Path) -> None:
    from PIL import Image

    model = load_model(WEIGHTS)
    scenes = write_scenes(tmp_path / "scenes", train=1, val=1, test=4, width=320, height=256)
    for path in sorted((scenes / "test" / "images").iterdir()):
        pixels = torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1)[None]
        assert_same(model, (pixels / 255 - 0.45) / 0.225)


@pytest.mark.parametrize("gain", [0.0, 1e-6, -1.0, 1e4, LEAST_GAIN])
def test_a_shortcut_that_is_cancelled_or_blown_up_is_not_divided_by(gain: float) -> None:
    model = build(depths=(3, 1, 2, 1))
    block = model.encoder.stages[0].blocks[1]
    with torch.no_grad():
        # 1 + s a: what the block's shortcut and the inner one make of a channel.
        scale = block.norm1.weight / torch.sqrt(block.norm1.running_var + block.norm1.eps)
        block.scale1[:4] = ((gain - 1) / scale)[:4]
    assert_same(model, torch.randn(1, 3, 64, 64))


def test_the_model_is_left_as_it_is() -> None:
    model = build()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    folded = fold(model, torch.bfloat16)
    assert folded.decoder.nmf.initial_bases.dtype == torch.float32
    with torch.no_grad():
        folded(torch.randn(1, 3, 64, 64))
        for value in folded.state_dict().values():
            value.zero_()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_nothing_is_left_to_normalise_by_batch_or_to_learn() -> None:
    folded = fold(build(depths=(2, 1, 1, 1)))
    kinds = {type(module) for module in folded.modules()}
    assert nn.BatchNorm2d not in kinds
    assert not folded.training
    assert not any(parameter.requires_grad for parameter in folded.parameters())
    for stage, parts in zip(folded.stages, HIDDEN_PARTS, strict=True):
        assert {len(block.parts) for block in stage.blocks} == {parts}


def test_half_precision_stays_near() -> None:
    model, images = build(), torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        exact, half = fold(model)(images), fold(model, torch.bfloat16)(images)
    assert half.dtype == torch.bfloat16
    assert (half.float() - exact).abs().mean() < 0.1 * exact.std()


def test_folded_results_do_not_depend_on_the_batch() -> None:
    folded, images = fold(build()), torch.randn(3, 3, 64, 64)
    with torch.no_grad():
        together = folded(images)
        for index in range(3):
            alone = folded(images[index : index + 1])[0]
            torch.testing.assert_close(alone, together[index], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "options",
    [
        {"attention": "large_kernel"},
        {"channel_mixing": False},
        {"gate": False},
        {"decomposition": "vq"},
        {"decomposition": "cd"},
        *({"decoder_attention": name} for name in CONTEXTS if name != "hamburger"),
    ],
    ids=str,
)
def test_what_no_rewrite_is_known_for_is_not_folded(options: dict[str, object]) -> None:
    model = build(**options)
    assert not can_fold(model)
    ((name, value),) = options.items()
    with pytest.raises(UsageError, match=f"^a SegNeXt with {name} {value!r} cannot be folded"):
        fold(model)
    network, images = prepare_network(model), torch.randn(2, 3, 64, 96)
    assert isinstance(network, PlainNetwork)
    with torch.no_grad():
        expected = model(images)
        # Rounding in another memory order, which sharp assignments and energies enlarge.
        torch.testing.assert_close(network(images), expected, atol=5e-3, rtol=0)
        network.lay_out_plainly()
        assert torch.equal(network(images), expected)
        assert prepare_network(model, torch.bfloat16)(images).isfinite().all()


def test_what_is_no_segnext_is_not_folded() -> None:
    with pytest.raises(UsageError, match=r"^a Linear cannot be folded: only SegNeXt can"):
        fold(nn.Linear(2, 2))


def test_the_reference_path_does_not_fold() -> None:
    model, images = build(), torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        picture = compute_logits(model, images, Protocol())
        assert torch.equal(picture.views[0].tiles[0].logits, model(images)[0])
