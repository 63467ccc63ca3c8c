from pathlib import Path

import numpy as np
import pytest
import torch

from segnext.errors import UsageError
from segnext.models.decompositions import (
    CD,
    DECOMPOSITIONS,
    NMF,
    VQ,
    Decomposition,
    build_decomposition,
    count_inverse_steps,
    solve,
)
from segnext.models.randomness import keyed_randomness, sample_keys

every = pytest.mark.parametrize("name", DECOMPOSITIONS)


def build(name: str, **options: int) -> Decomposition:
    steps = {"train_steps": 6, "eval_steps": 7, **options}
    return build_decomposition(name, 32, 4, **steps)


def make_features(name: str, batch: int) -> torch.Tensor:
    """Positions of four kinds, of which decompositions find something."""
    kinds = torch.randn(batch, 32, 4)
    which = torch.randint(4, (batch, 1, 40)).expand(-1, 32, -1)
    features = kinds.gather(2, which) + 0.3 * torch.randn(batch, 32, 40)
    return features.abs() if DECOMPOSITIONS[name].non_negative else features


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


@every
def test_evaluation_repeats_and_training_draws(name: str) -> None:
    features = make_features(name, 1)
    decomposition = build(name).eval()
    state = torch.get_rng_state()
    assert torch.equal(decomposition(features), decomposition(features))
    assert torch.equal(state, torch.get_rng_state())
    decomposition.train()
    assert not torch.equal(decomposition(features), decomposition(features))


@every
def test_training_bases_follow_the_sample_and_the_step(name: str) -> None:
    # Without kinds among the positions, which k-means would find from any start.
    features = torch.rand(1, 32, 40).expand(3, -1, -1)
    nmf = build(name)

    def run(step: int, samples: range) -> torch.Tensor:
        with keyed_randomness(sample_keys(0, step, samples)):
            return nmf(features[: len(samples)])

    whole = run(0, range(3))
    torch.testing.assert_close(run(0, range(1, 3)), whole[1:])
    assert not torch.allclose(whole[0], whole[1])
    assert not torch.allclose(run(1, range(3)), whole)


@every
def test_first_bases_do_not_depend_on_the_global_generator(name: str) -> None:
    torch.manual_seed(1)
    first = build(name).initial_bases
    torch.manual_seed(2)
    assert torch.equal(first, build(name).initial_bases)
    torch.testing.assert_close(first.norm(dim=1), torch.ones(1, 4))


@every
@pytest.mark.parametrize("value", [0.0, 1e-12, 1e6])
def test_constant_features_stay_finite(name: str, value: float) -> None:
    features = torch.full((1, 32, 40), value, requires_grad=True)
    output = build(name)(features)
    output.sum().backward()
    assert output.isfinite().all()
    assert features.grad is not None
    assert features.grad.isfinite().all()


@every
def test_arithmetic_stays_in_float32_under_autocast(name: str) -> None:
    nmf = build(name).eval()
    features = make_features(name, 1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = nmf(features)
    assert output.dtype == torch.float32
    assert torch.equal(output, nmf(features))


def unit(matrix: np.ndarray) -> np.ndarray:
    return matrix / np.linalg.norm(matrix, axis=0, keepdims=True)


def assign(features: np.ndarray, bases: np.ndarray) -> np.ndarray:
    energies = unit(bases).T @ unit(features) / 0.01
    powers = np.exp(energies - energies.max(axis=0, keepdims=True))
    return powers / powers.sum(axis=0, keepdims=True)


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_vq_is_soft_k_means(steps: int) -> None:
    features, vq = make_features("vq", 1), VQ(32, 4, eval_steps=steps).eval()
    matrix, bases = features[0].double().numpy(), vq.initial_bases[0].double().numpy()
    for _ in range(steps):
        shares = assign(matrix, bases)
        bases = np.stack([(matrix * row).sum(1) / row.sum() for row in shares], axis=1)
    expected = torch.from_numpy(bases @ assign(matrix, bases)).float()
    torch.testing.assert_close(vq(features)[0], expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_cd_is_spherical_k_means_and_ridge_regression(steps: int) -> None:
    features, cd = make_features("cd", 1), CD(32, 4, eval_steps=steps).eval()
    matrix, bases = features[0].double().numpy(), cd.initial_bases[0].double().numpy()
    for _ in range(steps):
        bases = unit(matrix @ assign(matrix, bases).T)
    coefficients = np.linalg.solve(bases.T @ bases + 0.1 * np.eye(4), bases.T @ matrix)
    expected = torch.from_numpy(bases @ coefficients).float()
    torch.testing.assert_close(cd(features)[0], expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ["vq", "cd"])
def test_more_steps_describe_the_features_better(name: str) -> None:
    features = make_features(name, 3)
    errors = [
        (build(name, eval_steps=steps).eval()(features) - features).norm().item()
        for steps in (0, 8)
    ]
    assert errors[1] < 0.9 * errors[0]


@every
def test_results_do_not_depend_on_the_batch(name: str) -> None:
    features, decomposition = make_features(name, 3), build(name).eval()
    together = decomposition(features)
    for index in range(3):
        alone = decomposition(features[index : index + 1])[0]
        torch.testing.assert_close(alone, together[index], atol=1e-5, rtol=1e-4)


@every
def test_gradients_are_those_of_all_steps(name: str) -> None:
    """Against differences, in float64 and through every update."""
    decomposition = build(name, train_steps=2).double()
    features = make_features(name, 1)[:, :, :6].double().requires_grad_()
    bases = decomposition.make_bases(torch.rand(1, 32, 4).double())

    def reconstruct(features: torch.Tensor) -> torch.Tensor:
        found, coefficients = decomposition.factorize(features, bases)
        return found @ coefficients

    assert torch.autograd.gradcheck(reconstruct, (features,), fast_mode=True)


@pytest.mark.parametrize("rank", [1, 4, 16, 64, 128])
@pytest.mark.parametrize("kind", ["spread", "alike", "almost alike", "zero"])
def test_the_ridge_solution_is_as_good_as_a_solvers(rank: int, kind: str) -> None:
    alike = torch.randn(2, 256, 1).expand(-1, -1, rank)  # the greatest eigenvalue there is: R
    bases = {
        "spread": torch.randn(2, 256, rank),
        "alike": alike,
        "almost alike": alike + 1e-3 * torch.randn(2, 256, rank),
        "zero": torch.zeros(2, 256, rank),
    }[kind]
    bases = torch.nn.functional.normalize(bases, dim=1)
    matrix = bases.transpose(1, 2) @ bases + 0.1 * torch.eye(rank)
    right = bases.transpose(1, 2) @ torch.randn(2, 256, 20)
    steps = count_inverse_steps(0.1, rank + 0.1)
    found = solve(matrix, right, bounds=(0.1, rank + 0.1), steps=steps)
    expected = torch.linalg.solve(matrix.double(), right.double()).float()
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_steps_of_the_inverse_bound_its_residual() -> None:
    for rank in (1, 4, 16, 64, 256):
        first = rank / (rank + 0.2)
        steps = count_inverse_steps(0.1, rank + 0.1)
        assert first ** (2**steps) <= 1e-7 < first ** (2 ** (steps - 1))


@every
def test_exports_with_any_number_of_positions(name: str) -> None:
    decomposition = build(name).eval()
    positions = torch.export.Dim("positions", min=4, max=4096)
    exported = torch.export.export(
        decomposition, (make_features(name, 1),), dynamic_shapes=({2: positions},)
    )
    called = {str(node.target) for node in exported.graph.nodes}
    assert not [name for name in called if "linalg" in name or "inverse" in name]
    features = make_features(name, 1)[:, :, :23]
    torch.testing.assert_close(exported.module()(features), decomposition(features))


def test_wrong_options_are_named() -> None:
    with pytest.raises(UsageError, match="unknown decomposition 'nfm': did you mean nmf"):
        build("nfm")
    with pytest.raises(UsageError, match="rank >= 1 and 0 to 1000 steps, got rank 4, -1 train"):
        build("cd", train_steps=-1)
