import copy

import pytest
import torch

from segnext.errors import UsageError
from segnext.models.attention import MSCA, AttentionOptions
from segnext.models.mscan import MSCAN, Block
from segnext.models.randomness import keyed_randomness, sample_keys


def build(**options: object) -> MSCAN:
    defaults = {"embed_dims": (8, 16, 16, 24), "depths": (1, 1, 2, 1), "mlp_ratios": (2, 2, 2, 2)}
    return MSCAN(**{**defaults, **options})


@pytest.mark.parametrize("size", [(32, 32), (64, 96), (33, 47), (61, 35)])
def test_stages_round_odd_sizes_up(size: tuple[int, int]) -> None:
    encoder = build().eval()
    features = encoder(torch.randn(1, 3, *size))
    for feature, channels, stride in zip(features, (8, 16, 16, 24), (4, 8, 16, 32), strict=True):
        assert feature.shape == (1, channels, -(-size[0] // stride), -(-size[1] // stride))


def test_drop_path_grows_linearly_to_the_last_block() -> None:
    encoder = build(drop_path_rate=0.4)
    rates = [m.drop_path_rate for m in encoder.modules() if isinstance(m, Block)]
    assert rates == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])


def test_drop_path_one_sample_may_skip_a_branch() -> None:
    block = Block(8, expansion=2, attention=AttentionOptions(branches=(7,)), drop_path_rate=0.5)
    images = torch.randn(64, 8, 5, 5)
    keep1, keep2 = block.draw(images)
    assert keep1 is not None
    assert keep2 is not None
    output = block(images, keep1, keep2)
    skipped = (keep1.flatten() == 0) & (keep2.flatten() == 0)
    assert 4 <= skipped.sum() <= 32
    assert torch.equal(output[skipped], images[skipped])
    assert not torch.equal(output[~skipped], images[~skipped])
    assert block.eval().draw(images) == (None, None)


def test_checkpointing_gives_the_same_gradients_as_without() -> None:
    plain = build(drop_path_rate=0.5).train()
    saving = build(drop_path_rate=0.5, activation_checkpointing=True).train()
    saving.load_state_dict(plain.state_dict())
    images = torch.randn(4, 3, 40, 40)
    gradients = []
    for encoder in (plain, saving):
        torch.manual_seed(3)
        sum(f.square().mean() for f in encoder(images)).backward()
        gradients.append([p.grad for p in encoder.parameters()])
    for expected, found in zip(*gradients, strict=True):
        torch.testing.assert_close(found, expected)


def test_checkpointing_counts_each_batch_once_in_running_statistics() -> None:
    plain = build(drop_path_rate=0.0).train()
    saving = build(drop_path_rate=0.0, activation_checkpointing=True).train()
    saving.load_state_dict(plain.state_dict())
    for encoder in (plain, saving):
        for step in range(2):
            images = torch.randn(4, 3, 40, 40, generator=torch.Generator().manual_seed(step))
            sum(f.square().mean() for f in encoder(images)).backward()
    for (name, expected), found in zip(plain.named_buffers(), saving.buffers(), strict=True):
        torch.testing.assert_close(found, expected, msg=name)


@pytest.mark.parametrize("activation_checkpointing", [False, True])
def test_drop_path_of_a_sample_does_not_depend_on_its_batch(activation_checkpointing: bool) -> None:
    block = {"drop_path_rate": 0.5, "activation_checkpointing": activation_checkpointing}
    encoder = build(**block).train().apply(_stop_batch_statistics)
    images = torch.randn(4, 3, 40, 40)
    whole, parts = copy.deepcopy(encoder), copy.deepcopy(encoder)
    for copied, splits in ((whole, [range(4)]), (parts, [range(1), range(1, 4)])):
        for samples in splits:
            with keyed_randomness(sample_keys(0, 5, samples)):
                features = copied(images[list(samples)])
            # Backward outside of the context, as it may be in another thread.
            sum(f.square().sum() for f in features).backward()
    for expected, found in zip(whole.parameters(), parts.parameters(), strict=True):
        assert expected.grad is not None
        torch.testing.assert_close(found.grad, expected.grad, rtol=1e-3, atol=1e-3)


def _stop_batch_statistics(module: torch.nn.Module) -> None:
    if isinstance(module, torch.nn.BatchNorm2d):
        module.eval()


@pytest.mark.parametrize("branches", [(), (7,), (3, 21), (7, 11, 21)])
def test_branches_are_an_option(branches: tuple[int, ...]) -> None:
    msca = MSCA(8, branches=branches)
    assert len(msca.branches) == len(branches)
    for k, branch in zip(branches, msca.branches, strict=True):
        assert [tuple(conv.kernel_size) for conv in branch] == [(1, k), (k, 1)]
    assert msca(torch.randn(1, 8, 9, 11)).shape == (1, 8, 9, 11)


def test_attention_multiplies_its_input() -> None:
    msca = MSCA(4).eval()
    images = torch.randn(1, 4, 12, 12)
    # Linear context times linear input: doubling the input quadruples the output, biases aside.
    for module in msca.modules():
        if isinstance(module, torch.nn.Conv2d) and module.bias is not None:
            torch.nn.init.zeros_(module.bias)
    torch.testing.assert_close(msca(2 * images), 4 * msca(images))


def test_any_channel_count() -> None:
    assert len(build(in_channels=7)(torch.randn(2, 7, 40, 40))) == 4


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(1, 4, 64, 64), "4 channels, the model was built for 3"),
        (torch.zeros(1, 3, 31, 64), "31x64 px are too small: at least 32x32"),
        (torch.zeros(1, 3, 32, 32), "use a larger crop or batch"),
    ],
)
def test_wrong_images_are_named(images: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build().train()(images)


@pytest.mark.parametrize("size", [(32, 33), (33, 32), (64, 64)])
def test_batch_of_one_trains_at_any_larger_crop(size: tuple[int, int]) -> None:
    encoder = build().train()
    features = encoder(torch.randn(1, 3, *size))
    assert all(feature.isfinite().all() for feature in features)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"in_channels": 0}, "in_channels must be at least 1, got 0"),
        ({"drop_path_rate": 1.0}, r"drop_path_rate must lie in \[0, 1\), got 1.0"),
        ({"branches": (4,)}, r"odd strip lengths, got \(4,\)"),
    ],
)
def test_wrong_options_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build(**options)
