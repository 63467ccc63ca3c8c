"""What every decoder promises, checked on one."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from encoder_contract import assert_close, hold_batch_norms
from segnext.errors import UsageError
from segnext.models.randomness import keyed_randomness, sample_keys

CHANNELS = (8, 12, 16, 20)
PYRAMID = (4, 8, 16, 32)


def draw_features(
    batch: int, strides: Sequence[int] = PYRAMID, size: tuple[int, int] = (65, 97)
) -> list[Tensor]:
    return [
        torch.randn(batch, channels, -(-size[0] // stride), -(-size[1] // stride))
        for channels, stride in zip(CHANNELS, strides, strict=True)
    ]


def check_contract(
    build: Callable[..., Any],
    *,
    strides: Sequence[int] = PYRAMID,
    output_stride: int,
    **options: Any,
) -> None:
    """Check a decoder whose logits must have `output_stride` for maps of these strides."""
    for num_classes in (1, 5):
        decoder = build(CHANNELS, num_classes, **options)
        assert decoder.output_stride(strides) == output_stride
        assert isinstance(decoder.classifier, nn.Conv2d)
        assert decoder.classifier.weight.std() < 0.03
        _check_gradients(decoder, strides)
        _check_evaluation(decoder, strides, num_classes)
        _check_randomness(decoder, strides)
    with pytest.raises(UsageError, match="num_classes must be at least 1, got 0"):
        build(CHANNELS, 0, **options)
    with pytest.raises(UsageError, match=r"dropout must lie in \[0, 1\), got 1.0"):
        build(CHANNELS, 2, **{**options, "dropout": 1.0})


def _check_gradients(decoder: nn.Module, strides: Sequence[int]) -> None:
    logits = decoder.train()(draw_features(2, strides))
    (logits * torch.randn_like(logits)).sum().backward()
    assert [n for n, p in decoder.named_parameters() if p.grad is None or not p.grad.any()] == []


def _check_evaluation(decoder: Any, strides: Sequence[int], num_classes: int) -> None:
    features = draw_features(2, strides)
    with torch.no_grad():
        logits = decoder.eval()(features)
        assert torch.equal(decoder(features), logits)
        assert_close(decoder([feature[1:] for feature in features])[0], logits[1])
    height, width = features[decoder.stage - 1].shape[-2:]
    scale = decoder.scale
    assert logits.shape == (2, num_classes, height * scale, width * scale)


def _check_randomness(decoder: Any, strides: Sequence[int]) -> None:
    decoder.train()
    hold_batch_norms(decoder)
    decoder.dropout.rate = 0.5
    features, keys = draw_features(2, strides), sample_keys(1, 2, [0, 1])
    with torch.no_grad():
        with keyed_randomness(keys):
            together = decoder(features)
        with keyed_randomness(keys[1:]):
            alone = decoder([feature[1:] for feature in features])
    assert_close(alone[0], together[1])
