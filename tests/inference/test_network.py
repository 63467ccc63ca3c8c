import pytest
import torch
from torch import Tensor, nn

from segnext.inference.fold import can_fold, prepare_network
from segnext.inference.network import PlainNetwork
from segnext.models import SegmentationModel, create_model
from segnext.models.decompositions import NMF


class Encoder(nn.Module):
    out_channels = (8,)
    strides = (2,)

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(8)

    def forward(self, images: Tensor) -> list[Tensor]:
        return [self.norm(self.convolution(images)).relu()]


class Decoder(nn.Module):
    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.nmf = NMF(8, 2)
        self.classifier = nn.Conv2d(8, num_classes, 1)

    def forward(self, features: list[Tensor]) -> Tensor:
        (feature,) = features
        context = self.nmf(feature.flatten(2)).to(feature.dtype).view_as(feature)
        return self.classifier(feature + context)  # type: ignore[no-any-return]


class Small(SegmentationModel):
    """What folding knows nothing of."""

    def __init__(self) -> None:
        config = create_model("segnext_tiny", num_classes=4).config
        super().__init__(config, encoder=Encoder(), decoder=Decoder(4), output_stride=2)


@pytest.fixture
def model() -> Small:
    torch.manual_seed(0)
    return Small().eval()


def test_a_model_that_cannot_be_folded_is_copied(model: Small) -> None:
    assert not can_fold(model)
    network = prepare_network(model)
    images = torch.rand(2, 3, 34, 41)
    assert isinstance(network, PlainNetwork)
    assert (network.in_channels, network.num_classes, network.output_stride) == (3, 4, 2)
    torch.testing.assert_close(network(images), model(images))
    with torch.no_grad():
        model.classifier.weight.zero_()
    assert network(images).std() > 0.01


def test_a_copy_has_no_gradients_and_trains_no_statistics(model: Small) -> None:
    network = prepare_network(model.train())
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    before = model.encoder.norm.running_mean.clone()  # type: ignore[union-attr,operator]
    network(torch.rand(2, 3, 32, 32))
    assert torch.equal(before, model.encoder.norm.running_mean)  # type: ignore[union-attr,arg-type]


def test_bases_stay_in_single_precision(model: Small) -> None:
    network = prepare_network(model, torch.bfloat16)
    assert network.decoder.classifier.weight.dtype == torch.bfloat16  # type: ignore[union-attr]
    assert network.decoder.nmf.initial_bases.dtype == torch.float32  # type: ignore[union-attr]
    images = torch.rand(1, 3, 32, 32)
    difference = network(images).float() - model(images)
    assert difference.abs().max() < 0.05


def test_other_memory_order_gives_the_same(model: Small) -> None:
    images = torch.rand(1, 3, 32, 48)
    network = prepare_network(model)
    expected = network(images)
    network.lay_out_plainly()
    result = network(images)
    torch.testing.assert_close(result, expected)
    assert result.is_contiguous()
