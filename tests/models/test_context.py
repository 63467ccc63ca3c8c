import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from segnext.errors import UsageError
from segnext.models import create_model
from segnext.models.context import (
    CONTEXTS,
    ChannelSpatialAttention,
    ContextOptions,
    CrissCross,
    ExpectationMaximization,
    NonLocal,
    SqueezeExcitation,
    attend_criss_cross,
    build_context,
    maximize_expectation,
)

every = pytest.mark.parametrize("name", CONTEXTS)


def build(name: str, width: int = 32, **options: str) -> nn.Module:
    return build_context(name, ContextOptions(width, rank=4, **options))


def make_features(batch: int = 2, width: int = 32, size: tuple[int, int] = (6, 9)) -> torch.Tensor:
    return torch.randn(batch, width, *size).relu()


def softmax(energies: np.ndarray) -> np.ndarray:
    powers = np.exp(energies - energies.max())
    return powers / powers.sum()


def convolve(layer: nn.Conv2d, matrix: np.ndarray) -> np.ndarray:
    """A 1x1 convolution of (D, N)."""
    result = layer.weight.detach().numpy()[:, :, 0, 0] @ matrix
    return result if layer.bias is None else result + layer.bias.detach().numpy()[:, None]


def add_normalized(
    layer: nn.GroupNorm, features: torch.Tensor, context: np.ndarray
) -> torch.Tensor:
    """ReLU(features + GroupNorm(context)) for features (1, D, h, w) and context (D, N)."""
    groups = context.reshape(layer.num_groups, -1)
    normalized = (groups - groups.mean(1, keepdims=True)) / np.sqrt(
        groups.var(1, keepdims=True) + layer.eps
    )
    return (features + torch.from_numpy(normalized.reshape(features.shape)).float()).relu()


@every
@pytest.mark.parametrize("size", [(6, 9), (1, 5), (7, 1)])
def test_shapes_stay(name: str, size: tuple[int, int]) -> None:
    features = make_features(size=size)
    for module in (build(name).train(), build(name).eval()):
        output = module(features)
        assert output.shape == features.shape
        assert output.isfinite().all()


@every
@pytest.mark.parametrize("decomposition", ["nmf", "vq", "cd"])
def test_gradients_reach_all_parameters(name: str, decomposition: str) -> None:
    if name != "hamburger" and decomposition != "nmf":
        pytest.skip("no decomposition inside")
    module, features = build(name, decomposition=decomposition), make_features().requires_grad_()
    module(features).square().sum().backward()
    assert features.grad is not None
    assert features.grad.abs().sum() > 0
    for parameter_name, parameter in module.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.isfinite().all(), parameter_name
        # A key's bias adds the same to all energies of a position, which the softmax ignores.
        if parameter_name != "key.bias" or name == "msca":
            assert parameter.grad.abs().max() > 0, parameter_name


@every
@torch.no_grad()
def test_evaluation_repeats_and_does_not_depend_on_the_batch(name: str) -> None:
    module, features = build(name).eval(), make_features(3)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    state = torch.get_rng_state()
    together = module(features)
    assert torch.equal(together, module(features))
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
    for index in range(3):
        alone = module(features[index : index + 1])[0]
        torch.testing.assert_close(alone, together[index], atol=1e-4, rtol=1e-4)


@every
def test_runs_under_autocast_and_in_half(name: str) -> None:
    module, features = build(name), make_features()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        trained = module(features.bfloat16())
        if trained.requires_grad:  # `none` has no parameters
            trained.float().sum().backward()
        with torch.no_grad():
            found = module.eval()(features.bfloat16())
    with torch.no_grad():
        expected = module(features)
        half = module.bfloat16()(features.bfloat16())
    assert half.dtype == torch.bfloat16
    assert trained.isfinite().all()
    for output in (found, half):
        assert (output.float() - expected).abs().mean() < 0.1 * expected.std()


@every
@torch.no_grad()
def test_exports_with_any_size(name: str) -> None:
    module = build(name).eval()
    height, width = torch.export.Dim("height", min=2, max=512), torch.export.Dim("width", min=2)
    exported = torch.export.export(
        module, (make_features(1),), dynamic_shapes=({2: height, 3: width},)
    )
    features = make_features(1, size=(11, 4))
    torch.testing.assert_close(exported.module()(features), module(features))


@torch.no_grad()
def test_criss_cross_is_a_softmax_over_row_and_column() -> None:
    query, key, value = (torch.randn(1, channels, 4, 5) for channels in (3, 3, 6))
    expected = torch.empty(1, 6, 4, 5)
    for row in range(4):
        for column in range(5):
            seen = [(row, other) for other in range(5)]
            seen += [(other, column) for other in range(4) if other != row]
            energies = [float(query[0, :, row, column] @ key[0, :, i, j]) for i, j in seen]
            weights = softmax(np.array(energies))
            expected[0, :, row, column] = sum(
                float(weight) * value[0, :, i, j]
                for weight, (i, j) in zip(weights, seen, strict=True)
            )
    found = attend_criss_cross(query, key, value)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_criss_cross_goes_round_twice_and_sees_everything() -> None:
    module, features = CrissCross(32).eval(), make_features(1)
    context = module.proj_in(features)
    for _ in range(2):
        context = context + attend_criss_cross(
            module.query(context), module.key(context), module.value(context)
        )
    expected = functional.relu(features + module.norm(module.proj_out(context)))
    torch.testing.assert_close(module(features), expected)
    # Without the norm, which looks everywhere too: the far corner reaches the near one.
    module.norm = nn.Identity()
    changed = features.clone()
    changed[:, :, -1, -1] += 1
    assert not torch.equal(module(changed)[:, :, 0, 0], module(features)[:, :, 0, 0])


@torch.no_grad()
def test_non_local_is_a_dense_softmax() -> None:
    module, features = NonLocal(32).eval(), make_features(1, size=(4, 5))
    matrix = features[0].flatten(1).numpy()
    query, key, value = (
        convolve(layer, matrix) for layer in (module.query, module.key, module.value)
    )
    context = np.stack([value @ softmax(query[:, n] @ key) for n in range(20)], axis=1)
    assert context.shape == (16, 20)
    expected = add_normalized(module.norm, features, convolve(module.proj_out, context))
    torch.testing.assert_close(module(features), expected, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_one_iteration_of_expectation_maximisation_by_hand() -> None:
    matrix, bases = np.random.default_rng(0).normal(size=(2, 8, 12))
    bases = bases[:, :3] / np.linalg.norm(bases[:, :3], axis=0)
    shares = np.stack([softmax(bases.T @ matrix[:, n]) for n in range(12)], axis=1)
    moved = np.stack([(row * matrix).sum(1) / row.sum() for row in shares], axis=1)
    moved /= np.linalg.norm(moved, axis=0)
    found, found_shares = maximize_expectation(
        torch.from_numpy(matrix)[None], torch.from_numpy(bases)[None], 1
    )
    torch.testing.assert_close(found_shares[0], torch.from_numpy(shares))
    torch.testing.assert_close(found[0], torch.from_numpy(moved), atol=1e-5, rtol=1e-5)


def test_bases_of_expectation_maximisation_follow_in_training_alone() -> None:
    module, features = ExpectationMaximization(32, 4), make_features()
    first = module.initial_bases.clone()
    with torch.no_grad():
        matrix = module.proj_in(features).flatten(2)
        moved, shares = maximize_expectation(matrix, first.expand(2, -1, -1), 3)
        expected = functional.relu(features + module.norm((moved @ shares).view_as(features)))
        torch.testing.assert_close(module(features), expected)
    following = 0.9 * first + 0.1 * moved.mean(0, keepdim=True)
    torch.testing.assert_close(module.initial_bases, following)
    module.eval()(features)
    torch.testing.assert_close(module.initial_bases, following)
    assert not module.initial_bases.requires_grad


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


@torch.no_grad()
def test_squeeze_excitation_by_hand() -> None:
    module, features = SqueezeExcitation(32).eval(), make_features(1)
    matrix = features[0].flatten(1).numpy()
    means = matrix.mean(1, keepdims=True)
    hidden = np.maximum(convolve(module.reduce, means), 0)
    assert hidden.shape == (2, 1)
    expected = torch.from_numpy(matrix * sigmoid(convolve(module.expand, hidden)))
    torch.testing.assert_close(module(features)[0].flatten(1), expected, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_cbam_by_hand() -> None:
    module, features = ChannelSpatialAttention(32).eval(), make_features(1)
    cube = features[0].numpy()

    def mix(pooled: np.ndarray) -> np.ndarray:
        hidden = np.maximum(convolve(module.reduce, pooled[:, None]), 0)
        return convolve(module.expand, hidden)

    weights = sigmoid(mix(cube.mean((1, 2))) + mix(cube.max((1, 2))))
    cube = cube * weights[:, :, None]
    planes = np.pad(np.stack([cube.mean(0), cube.max(0)]), ((0, 0), (3, 3), (3, 3)))
    kernel, bias = module.spatial.weight.numpy()[0], module.spatial.bias.item()
    mask = np.array(
        [
            [(planes[:, i : i + 7, j : j + 7] * kernel).sum() + bias for j in range(9)]
            for i in range(6)
        ]
    )
    expected = torch.from_numpy(cube * sigmoid(mask)).float()
    torch.testing.assert_close(module(features)[0], expected, atol=1e-5, rtol=1e-5)


def test_the_hamburger_clips_features_for_nmf_alone() -> None:
    for decomposition, least in (("nmf", 0.0), ("vq", None), ("cd", None)):
        module, seen = build("hamburger", decomposition=decomposition), []
        module.get_submodule(decomposition).register_forward_pre_hook(
            lambda _, inputs, seen=seen: seen.append(inputs[0].min().item())
        )
        module(make_features())
        assert seen == [least] if least is not None else seen[0] < 0


@pytest.mark.parametrize(
    ("name", "millions", "options"),
    [
        # Table 5: Base, ADE20K.
        ("segnext_base", 27.6, {"decoder_attention": "hamburger"}),
        ("segnext_base", 27.8, {"decoder_attention": "cc"}),
        ("segnext_base", 27.4, {"decoder_attention": "ema"}),
        ("segnext_base", 27.6, {"decoder_attention": "non_local"}),
        # The supplement's MSCA head.
        ("segnext_tiny", 4.4, {"decoder_attention": "msca"}),
        ("segnext_small", 14.0, {"decoder_attention": "msca"}),
        ("segnext_base", 28.0, {"decoder_attention": "msca"}),
        ("segnext_large", 50.1, {"decoder_attention": "msca"}),
    ],
)
def test_parameters_are_near_the_papers(
    name: str, millions: float, options: dict[str, str]
) -> None:
    with torch.device("meta"):
        model = create_model(name, num_classes=150, **options)
    found = sum(parameter.numel() for parameter in model.parameters()) / 1e6
    assert found == pytest.approx(millions, rel=0.03)


def test_an_unknown_context_is_answered_with_the_nearest() -> None:
    with pytest.raises(
        UsageError, match="unknown decoder_attention 'nonlocal': did you mean non_local"
    ):
        build("nonlocal")


def test_bases_of_expectation_maximisation_follow_all_processes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images = torch.randn(3, 32, 4, 5)
    alone, shared = (ExpectationMaximization(32, 4) for _ in range(2))
    shared.load_state_dict(alone.state_dict())
    alone(images)
    sums: list[torch.Tensor] = []
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda given: sums.append(given.clone()))
    first = copy.deepcopy(shared)
    first(images[:1])  # the part of another process, which is noted
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda given: given.add_(sums[0]))
    shared(images[1:])
    torch.testing.assert_close(shared.initial_bases, alone.initial_bases)
