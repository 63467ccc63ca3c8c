import numpy as np
import pytest
import torch

from segnext.classification.mixing import Mix, MixRule, draw_mix, mix_images, mix_targets
from segnext.errors import UsageError


@pytest.fixture
def images() -> torch.Tensor:
    """Image i is full of i."""
    levels = torch.arange(6.0)[:, None, None, None]
    return levels.expand(6, 3, 8, 8).contiguous(memory_format=torch.channels_last)


def test_mixup_is_a_weighted_mean_of_neighbours(images: torch.Tensor) -> None:
    mixed = mix_images(images, Mix("mixup", 0.75))
    assert mixed[:, 0, 0, 0].tolist() == pytest.approx([0.25, 0.75, 2.25, 2.75, 4.25, 4.75])
    assert mixed.is_contiguous(memory_format=torch.channels_last)


def test_cutmix_pastes_the_neighbours_box(images: torch.Tensor) -> None:
    mixed = mix_images(images, Mix("cutmix", 1 - 6 / 64, (1, 4, 2, 4)))
    inside = torch.zeros(8, 8, dtype=torch.bool)
    inside[1:4, 2:4] = True
    for index, partner in enumerate([1, 0, 3, 2, 5, 4]):
        assert (mixed[index][:, inside] == partner).all()
        assert (mixed[index][:, ~inside] == index).all()
    assert images[0].eq(0).all()  # the batch that came in is left alone


def test_targets_follow_the_images(images: torch.Tensor) -> None:
    labels = torch.tensor([0, 1, 2, 2, 3, 0])
    targets = mix_targets(labels, Mix("mixup", 0.75), 4, 0.0)
    expected = [[0.75, 0.25, 0, 0], [0.25, 0.75, 0, 0], [0, 0, 1, 0]]
    torch.testing.assert_close(targets[:3], torch.tensor(expected))
    smoothed = mix_targets(labels, Mix(), 4, 0.1)
    torch.testing.assert_close(smoothed[0], torch.tensor([0.925, 0.025, 0.025, 0.025]))
    torch.testing.assert_close(
        mix_targets(labels, Mix("cutmix", 0.3), 4, 0.1).sum(1), torch.ones(6)
    )


def test_parts_of_whole_pairs_mix_as_the_whole(images: torch.Tensor) -> None:
    mix = draw_mix(MixRule(), 3, 7, 8)
    whole = mix_images(images, mix)
    parts = torch.cat([mix_images(images[:2], mix), mix_images(images[2:], mix)])
    assert torch.equal(whole, parts)


def test_draws_are_functions_of_seed_and_step() -> None:
    rule = MixRule()
    assert draw_mix(rule, 1, 2, 64) == draw_mix(rule, 1, 2, 64)
    drawn = [draw_mix(rule, 0, step, 64) for step in range(400)]
    assert len({mix.share for mix in drawn}) > 300
    kinds = [mix.kind for mix in drawn]
    assert kinds.count("none") == 0
    assert 160 < kinds.count("cutmix") < 240
    for mix in drawn:
        assert 0.0 <= mix.share <= 1.0
        top, bottom, left, right = mix.box
        if mix.kind == "cutmix":
            assert mix.share == pytest.approx(1 - (bottom - top) * (right - left) / 64**2)
    # Beta(0.8, 0.8) has mean 0.5 and variance 1 / (4 * 2.6).
    shares = np.array([mix.share for mix in drawn if mix.kind == "mixup"])
    assert shares.mean() == pytest.approx(0.5, abs=0.07)
    assert shares.var() == pytest.approx(1 / 10.4, abs=0.02)


def test_each_kind_can_be_switched_off() -> None:
    def kinds(rule: MixRule) -> set[str]:
        return {draw_mix(rule, 0, step, 32).kind for step in range(60)}

    assert kinds(MixRule(cutmix=0.0)) == {"mixup"}
    assert kinds(MixRule(mixup=0.0)) == {"cutmix"}
    assert kinds(MixRule(mixup=0.0, cutmix=0.0)) == {"none"}
    assert kinds(MixRule(probability=0.5)) == {"none", "mixup", "cutmix"}
    assert not MixRule(probability=0.0).active
    with pytest.raises(UsageError, match="mixup is the parameter of a Beta distribution"):
        MixRule(mixup=-1.0)
