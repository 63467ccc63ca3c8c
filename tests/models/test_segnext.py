from pathlib import Path

import numpy as np
import pytest
import torch

from conftest import SMALLEST
from golden import golden_bases, golden_tensor, official_state_dict
from segnext.errors import UsageError
from segnext.models import SegNeXt, SegNeXtConfig, create_model
from segnext.weights import convert_state_dict, describe_model, load_model, save_model


def build(**options: object) -> SegNeXt:
    return SegNeXt(SegNeXtConfig(**{"num_classes": 3, **SMALLEST, **options}))


@pytest.mark.parity
@pytest.mark.parametrize(
    ("size", "batch", "shape"), [("tiny", 2, (64, 96)), ("small", 1, (64, 64))]
)
def test_golden_parity(shared: Path, size: str, batch: int, shape: tuple[int, int]) -> None:
    golden = np.load(shared / "golden" / f"segnext_{size}_{shape[0]}x{shape[1]}.npz")
    model = create_model(f"segnext_{size}", num_classes=150)
    converted = convert_state_dict(official_state_dict(shared, size))
    bases = {"decoder.hamburger.nmf.initial_bases": golden_bases(256, 16)}
    model.load_state_dict({**converted.state_dict, **bases})
    model.eval()
    key = f"image {batch}x3x{shape[0]}x{shape[1]}"
    with torch.no_grad():
        features = model.encoder(golden_tensor(key, (batch, 3, *shape)))
        logits = model.decoder(features)
    for index, feature in enumerate(features, start=1):
        expected = torch.from_numpy(golden[f"stage{index}"])
        torch.testing.assert_close(feature, expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(logits, torch.from_numpy(golden["logits"]), atol=1e-4, rtol=0)


@pytest.mark.parametrize("num_classes", [1, 2, 19])
@pytest.mark.parametrize("in_channels", [1, 3, 5])
def test_any_classes_and_channels(num_classes: int, in_channels: int) -> None:
    model = build(num_classes=num_classes, in_channels=in_channels)
    logits = model(torch.randn(2, in_channels, 45, 70))
    assert logits.shape == (2, num_classes, 6, 9)
    logits.square().mean().backward()
    unused = [name for name, p in model.named_parameters() if p.grad is None]
    assert unused == []


def test_evaluation_repeats_to_the_bit() -> None:
    model = create_model("segnext_tiny", num_classes=5).eval()
    images = torch.randn(1, 3, 65, 97)
    with torch.no_grad():
        assert torch.equal(model(images), model(images))


def test_a_picture_does_not_depend_on_its_batch() -> None:
    model = create_model("segnext_tiny", num_classes=5).eval()
    images = torch.randn(3, 3, 64, 96)
    with torch.no_grad():
        together = model(images)
        for index in range(3):
            alone = model(images[index : index + 1])[0]
            scale = together.abs().max().item()
            torch.testing.assert_close(alone, together[index], atol=1e-5 * scale, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("content", ["up to 100", "constant", "black"])
def test_finite_on_extreme_inputs(dtype: torch.dtype, content: str) -> None:
    images = {
        "up to 100": torch.empty(2, 3, 64, 64).uniform_(-100, 100),
        "constant": torch.full((2, 3, 64, 64), 100.0),
        "black": torch.zeros(2, 3, 64, 64),
    }[content]
    model = create_model("segnext_tiny", num_classes=5).to(dtype)
    assert model(images.to(dtype)).isfinite().all()
    with torch.no_grad():
        assert model.eval()(images.to(dtype)).isfinite().all()
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        assert model.float()(images).isfinite().all()


def test_finite_in_half_precision_on_normalised_images() -> None:
    model = create_model("segnext_tiny", num_classes=5).half().eval()
    with torch.no_grad():
        assert model(torch.empty(2, 3, 64, 64).uniform_(-3, 3).half()).isfinite().all()


def test_channels_last_gives_the_same_logits() -> None:
    model = build().eval()
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = model(images)
        found = model.to(memory_format=torch.channels_last)(
            images.contiguous(memory_format=torch.channels_last)
        )
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("stages", "stride"), [((2, 3, 4), 8), ((1, 2, 3, 4), 4), ((4,), 32), ((3, 4), 16)]
)
def test_decoder_reads_chosen_stages(stages: tuple[int, ...], stride: int) -> None:
    model = build(decoder_stages=stages)
    assert model.output_stride == stride
    assert model(torch.randn(2, 3, 64, 96)).shape[-2:] == (64 // stride, 96 // stride)


def test_rank_and_steps_reach_the_decomposition() -> None:
    nmf = build(rank=9, train_steps=2, eval_steps=3).decoder.hamburger.nmf
    assert nmf.initial_bases.shape == (1, 32, 9)
    assert (nmf.train_steps, nmf.eval_steps) == (2, 3)
    images = torch.randn(1, 3, 64, 64)
    few, many = build(eval_steps=1).eval(), build(eval_steps=9).eval()
    many.load_state_dict(few.state_dict())
    with torch.no_grad():
        assert not torch.equal(few(images), many(images))


ABLATIONS = {
    "attention": "large_kernel",
    "channel_mixing": False,
    "gate": False,
    "decomposition": "cd",
    "decoder_attention": "non_local",
}


@pytest.mark.parametrize("name", ABLATIONS)
def test_ablations_train_and_come_back_from_files(name: str, tmp_path: Path) -> None:
    model = build(**{name: ABLATIONS[name]})
    model(torch.randn(2, 3, 45, 70)).square().mean().backward()
    assert [key for key, p in model.named_parameters() if p.grad is None] == []
    saved = save_model(model, tmp_path / "model.safetensors", describe_model(model, None))
    loaded, images = load_model(saved), torch.randn(1, 3, 64, 64)
    assert loaded.config == model.config
    with torch.no_grad():
        assert torch.equal(loaded.eval()(images), model.eval()(images))


def test_older_descriptions_mean_the_papers_model() -> None:
    config = build().config
    older = {key: value for key, value in config.to_dict().items() if key not in ABLATIONS}
    assert SegNeXtConfig.from_dict(older) == config
    assert not {key for key, value in ABLATIONS.items() if getattr(config, key) == value}


@pytest.mark.parametrize("name", ["attention", "decomposition", "decoder_attention"])
def test_wrong_names_of_ablations_are_one_line(name: str) -> None:
    with pytest.raises(UsageError, match=rf"^unknown {name} 'x': .*valid: [^\n]*$"):
        build(**{name: "x"})


def test_config_round_trip_and_wrong_option() -> None:
    config = build(branches=(7,)).config
    assert SegNeXtConfig.from_dict(config.to_dict()) == config
    with pytest.raises(UsageError, match=r"unknown model option 'ranks': did you mean rank"):
        create_model("segnext_tiny", num_classes=2, ranks=4)
