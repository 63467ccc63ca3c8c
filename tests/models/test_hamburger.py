from pathlib import Path

import numpy as np
import pytest
import torch

from segnext.errors import UsageError
from segnext.models.decompositions import NMF
from segnext.models.hamburger import LightHam
from segnext.models.randomness import keyed_randomness, sample_keys


@pytest.mark.parity
@pytest.mark.parametrize(("training", "array"), [(False, "eval"), (True, "train")])
def test_nmf_matches_golden(shared: Path, training: bool, array: str) -> None:
    golden = np.load(shared / "golden" / "nmf_32x6x9_r8.npz")
    nmf = NMF(32, 8).train(training)
    features = torch.from_numpy(golden["x"]).reshape(-1, 32, 54).requires_grad_()
    bases = torch.from_numpy(golden["initial_bases"])
    found, coefficients = nmf.factorize(features, bases.expand(len(features), -1, -1))
    output = found @ coefficients
    names = [name for name in golden.files if array in name and "grad" not in name]
    assert len(names) == 1
    expected = torch.from_numpy(golden[names[0]]).reshape(output.shape)
    torch.testing.assert_close(output, expected, atol=1e-4, rtol=0)
    if training:
        (output**2).sum().backward()
        gradient = next(golden[name] for name in golden.files if "grad" in name)
        assert features.grad is not None
        torch.testing.assert_close(
            features.grad, torch.from_numpy(gradient).reshape(features.shape), atol=1e-4, rtol=1e-4
        )


def test_factors_are_non_negative_and_error_falls_with_steps() -> None:
    features = torch.rand(2, 32, 40)
    errors = []
    for steps in (0, 2, 8, 32):
        nmf = NMF(32, 6, eval_steps=steps).eval()
        bases, coefficients = nmf.factorize(features, nmf.initial_bases.expand(2, -1, -1))
        assert bases.min() >= 0
        assert coefficients.min() >= 0
        errors.append((features - bases @ coefficients).norm().item())
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.9 * errors[0]


def test_evaluation_repeats_and_training_draws() -> None:
    features = torch.rand(1, 32, 40)
    nmf = NMF(32, 4).eval()
    state = torch.get_rng_state()
    assert torch.equal(nmf(features), nmf(features))
    assert torch.equal(state, torch.get_rng_state())
    nmf.train()
    assert not torch.equal(nmf(features), nmf(features))


def test_training_bases_follow_the_sample_and_the_step() -> None:
    features = torch.rand(1, 32, 40).expand(3, -1, -1)
    nmf = NMF(32, 4)

    def run(step: int, samples: range) -> torch.Tensor:
        with keyed_randomness(sample_keys(0, step, samples)):
            return nmf(features[: len(samples)])

    whole = run(0, range(3))
    torch.testing.assert_close(run(0, range(1, 3)), whole[1:])
    assert not torch.allclose(whole[0], whole[1])
    assert not torch.allclose(run(1, range(3)), whole)


def test_first_bases_do_not_depend_on_the_global_generator() -> None:
    torch.manual_seed(1)
    first = NMF(32, 4).initial_bases
    torch.manual_seed(2)
    assert torch.equal(first, NMF(32, 4).initial_bases)
    torch.testing.assert_close(first.norm(dim=1), torch.ones(1, 4))


@pytest.mark.parametrize("value", [0.0, 1e-12, 1e6])
def test_constant_features_stay_finite(value: float) -> None:
    features = torch.full((1, 32, 40), value, requires_grad=True)
    output = NMF(32, 4)(features)
    output.sum().backward()
    assert output.isfinite().all()
    assert features.grad is not None
    assert features.grad.isfinite().all()


def test_arithmetic_stays_in_float32_under_autocast() -> None:
    nmf = NMF(32, 4).eval()
    features = torch.rand(1, 32, 40)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = nmf(features)
    assert output.dtype == torch.float32
    assert torch.equal(output, nmf(features))


def test_squeeze_before_resizing_equals_the_order_of_the_paper() -> None:
    decoder = LightHam((8, 16, 24, 32), 5, width=32, rank=4)
    features = [
        torch.randn(2, c, *size)
        for c, size in zip((8, 16, 24, 32), ((16, 20), (8, 10), (4, 5), (2, 3)), strict=True)
    ]
    resized = [
        torch.nn.functional.interpolate(f, size=(8, 10), mode="bilinear", align_corners=False)
        for f in features[1:]
    ]
    expected = decoder.squeeze[0](torch.cat(resized, 1))
    torch.testing.assert_close(decoder._squeeze_stages(features), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_classes": 0}, "num_classes must be at least 1, got 0"),
        ({"width": 48}, "decoder_width must be a multiple of 32, got 48"),
        ({"stages": (3, 2)}, r"ascending numbers from 1 to 4, got \(3, 2\)"),
        ({"stages": ()}, "decoder_stages"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 1\), got 1.0"),
        ({"rank": 0}, "rank 0"),
    ],
)
def test_wrong_options_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        LightHam((8, 16, 24, 32), **{"num_classes": 3, **options})
