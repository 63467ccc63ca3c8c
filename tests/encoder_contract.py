"""What every encoder promises, checked on one."""

import pytest
import torch
from torch import Tensor, nn

from segnext.models.encoders.encoder import Encoder
from segnext.models.randomness import keyed_randomness, sample_keys


def check_contract(encoder: Encoder) -> None:
    check_maps(encoder)
    check_evaluation(encoder)
    check_gradients(encoder)
    check_refusals(encoder)
    check_randomness(encoder)


def check_maps(encoder: Encoder) -> None:
    encoder.eval()
    for height, width in ((32, 32), (65, 97), (64, 48)):
        with torch.no_grad():
            features = encoder(torch.randn(1, encoder.in_channels, height, width))
        assert [tuple(feature.shape) for feature in features] == [
            (1, channels, -(-height // stride), -(-width // stride))
            for channels, stride in zip(encoder.out_channels, encoder.strides, strict=True)
        ]


def check_evaluation(encoder: Encoder) -> None:
    """Evaluation repeats to the bit, and a picture does not depend on its batch."""
    encoder.eval()
    images = torch.randn(2, encoder.in_channels, 33, 64)
    with torch.no_grad():
        together, again, alone = encoder(images), encoder(images), encoder(images[1:])
    for first, second, third in zip(together, again, alone, strict=True):
        assert torch.equal(first, second)
        assert_close(third[0], first[1])


def check_gradients(encoder: Encoder) -> None:
    encoder.train()
    features = encoder(torch.randn(2, encoder.in_channels, 64, 64))
    torch.stack([(f * torch.randn_like(f)).sum() for f in features]).sum().backward()
    assert [name for name, p in encoder.named_parameters() if p.grad is None] == []
    encoder.zero_grad()


def check_refusals(encoder: Encoder) -> None:
    channels = encoder.in_channels
    wrong = f"images have {channels + 1} channels, the model was built for {channels}"
    with pytest.raises(ValueError, match=wrong):
        encoder(torch.randn(1, channels + 1, 64, 64))
    with pytest.raises(ValueError, match="images of 31x64 px are too small: at least 32x32"):
        encoder(torch.randn(1, channels, 31, 64))


def check_randomness(encoder: Encoder) -> None:
    """In training a sample's numbers follow from its key alone."""
    hold_batch_norms(encoder.train())
    images = torch.randn(3, encoder.in_channels, 64, 48)
    keys = sample_keys(1, 2, [0, 1, 2])
    together = _encode(encoder, images, keys, seed=0)
    alone = _encode(encoder, images[2:], keys[2:], seed=1)
    for one, all_of_them in zip(alone, together, strict=True):
        assert_close(one[0], all_of_them[2])


def hold_batch_norms(module: nn.Module) -> None:
    """Batch statistics tie samples together, which is not what is tested."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eval()


def _encode(encoder: Encoder, images: Tensor, keys: Tensor, *, seed: int) -> list[Tensor]:
    torch.manual_seed(seed)
    with torch.no_grad(), keyed_randomness(keys):
        return encoder(images)


def assert_close(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, atol=1e-5 * expected.abs().max().item(), rtol=0)
