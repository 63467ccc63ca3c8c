import pytest
import torch
from torch.nn import functional

from decoder_contract import CHANNELS, check_contract, draw_features
from segnext.errors import UsageError
from segnext.models.decoders.setr import SETRMLA, SETRPUP, SETRNaive

PLAIN = (16, 16, 16, 16)


def test_contract_of_naive() -> None:
    check_contract(SETRNaive, strides=PLAIN, output_stride=16, width=16)
    check_contract(SETRNaive, strides=PLAIN, output_stride=16, width=16, stage=2)


def test_contract_of_pup() -> None:
    check_contract(SETRPUP, strides=PLAIN, output_stride=2, width=16)


def test_contract_of_mla() -> None:
    check_contract(SETRMLA, strides=PLAIN, output_stride=4, width=16, stream_width=8)


def test_the_last_doubling_commutes_with_the_classifier() -> None:
    decoder = SETRPUP(CHANNELS, 3, width=16).eval()
    features = torch.randn(1, 16, 6, 7)
    with torch.no_grad():
        doubled = functional.interpolate(features, scale_factor=2.0, mode="bilinear")
        expected = decoder.classifier(doubled)
        found = functional.interpolate(
            decoder.classifier(features), scale_factor=2.0, mode="bilinear"
        )
    torch.testing.assert_close(found, expected)


def test_deep_maps_reach_shallow_streams_and_not_the_reverse() -> None:
    decoder = SETRMLA(CHANNELS, 2, width=16, stream_width=8).eval()
    streams: list[torch.Tensor] = []
    for stream in decoder.streams:
        stream.register_forward_hook(lambda _module, _inputs, output: streams.append(output))
    features = draw_features(1, PLAIN)
    changed = [*features[:2], features[2] + 1, features[3]]
    with torch.no_grad():
        decoder(features)
        decoder(changed)
    same = [torch.equal(a, b) for a, b in zip(streams[:4], streams[4:], strict=True)]
    assert same == [False, False, False, True]


def test_aggregation_needs_one_stride() -> None:
    with pytest.raises(UsageError, match=r"maps of one stride, the encoder has \(4, 8, 16, 32\)"):
        SETRMLA(CHANNELS, 2).output_stride((4, 8, 16, 32))
