import pytest
import torch
from torch import Tensor, nn

from segnext.models import SegNeXt, create_model


@pytest.fixture
def model() -> SegNeXt:
    torch.manual_seed(0)
    return create_model("segnext_tiny", num_classes=3, depths=(1, 1, 1, 1))


def test_rebuild_gives_the_same_architecture_with_other_weights(model: SegNeXt) -> None:
    other = model.rebuild()
    assert type(other) is SegNeXt
    assert other.config == model.config
    shapes = {name: value.shape for name, value in model.state_dict().items()}
    assert {name: value.shape for name, value in other.state_dict().items()} == shapes
    assert not torch.equal(other.classifier.weight, model.classifier.weight)


def test_auxiliary_decoders_read_the_same_features(model: SegNeXt) -> None:
    class Auxiliary(nn.Module):
        def forward(self, features: list[Tensor]) -> Tensor:
            return features[2].mean(1, keepdim=True)

    model.eval()
    model.auxiliaries.append(Auxiliary())
    images = torch.rand(2, 3, 64, 64)
    logits, (auxiliary,) = model.forward_with_auxiliaries(images)
    assert torch.equal(logits, model(images))
    assert torch.equal(auxiliary, model.encoder(images)[2].mean(1, keepdim=True))


def test_classifier_is_the_decoder_s_last_convolution(model: SegNeXt) -> None:
    assert model.classifier is model.decoder.classifier
    assert model.classifier.out_channels == 3
