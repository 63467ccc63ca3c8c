import pytest
import torch

from class_photos import SMALLEST
from segnext.errors import UsageError
from segnext.models import (
    CLASSIFIERS,
    Classifier,
    ClassifierConfig,
    create_classifier,
    create_encoder,
    create_model,
)
from segnext.models.randomness import keyed_randomness, sample_keys


@pytest.mark.parametrize(
    # Parameters in millions from table 3 of the paper (arXiv 2209.08575).
    ("name", "millions"),
    [("mscan_tiny", 4.2), ("mscan_small", 14.0), ("mscan_base", 26.8), ("mscan_large", 45.2)],
)
def test_parameters_are_the_papers(name: str, millions: float) -> None:
    with torch.device("meta"):
        model = create_classifier(name)
    count = sum(parameter.numel() for parameter in model.parameters())
    assert count / 1e6 == pytest.approx(millions, abs=0.06)
    assert model.head.weight.shape[0] == 1000


def test_drop_path_grows_for_the_largest_alone() -> None:
    rates = {name: preset["drop_path_rate"] for name, preset in CLASSIFIERS.items()}
    assert list(rates.values()) == [0.1, 0.1, 0.1, 0.2]


@pytest.mark.parametrize("stride", [4, 2, 1])
def test_logits_of_any_stem(stride: int) -> None:
    model = Classifier(ClassifierConfig(num_classes=7, stem_stride=stride, **SMALLEST))
    logits = model(torch.randn(2, 3, 8 * stride + 1, 8 * stride + 8))
    assert logits.shape == (2, 7)
    logits.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_the_head_reads_the_mean_of_stage_4() -> None:
    model = Classifier(ClassifierConfig(num_classes=3, **SMALLEST)).eval()
    images = torch.randn(2, 3, 64, 64)
    pooled = model.encoder(images)[-1].mean((2, 3))
    expected = pooled @ model.head.weight.T + model.head.bias
    torch.testing.assert_close(model(images), expected)
    assert model.head.weight.std().item() == pytest.approx(0.02, rel=0.25)
    assert not model.head.bias.any()


def test_the_encoder_has_the_names_of_a_segmentation_models() -> None:
    with torch.device("meta"):
        classifier, model = (
            create_classifier("mscan_tiny"),
            create_model("segnext_tiny", num_classes=5),
        )
        encoder = create_encoder("mscan_tiny")
    names = {n for n in classifier.state_dict() if not n.startswith("head.")}
    assert names == {n for n in model.state_dict() if n.startswith("encoder.")}
    assert names == {f"encoder.{n}" for n in encoder.state_dict()}


def test_dropout_depends_on_the_sample_alone() -> None:
    model = Classifier(ClassifierConfig(num_classes=3, dropout=0.5, **SMALLEST))
    features = torch.ones(4, 32, 1, 1)
    keys = sample_keys(0, 0, range(4))
    with keyed_randomness(keys):
        whole = model.dropout(features)
    with keyed_randomness(keys[2:]):
        part = model.dropout(features[2:])
    assert torch.equal(whole[2:], part)
    assert set(whole.unique().tolist()) == {0.0, 2.0}


def test_wrong_options_are_refused() -> None:
    with pytest.raises(
        UsageError, match="unknown classifier 'mscan_tinny': did you mean mscan_tin"
    ):
        create_classifier("mscan_tinny")
    with pytest.raises(
        UsageError, match="unknown classifier option 'stem_strid': did you mean stem"
    ):
        create_classifier("mscan_tiny", stem_strid=2)
    with pytest.raises(UsageError, match="at least 2 classes apart, got num_classes 1"):
        create_classifier("mscan_tiny", num_classes=1)
    with pytest.raises(UsageError, match=r"dropout must lie in \[0, 1\), got 1.0"):
        create_classifier("mscan_tiny", dropout=1.0)


def test_a_configuration_survives_json() -> None:
    config = ClassifierConfig(num_classes=3, stem_stride=2, **SMALLEST)
    lists = {n: list(v) if isinstance(v, tuple) else v for n, v in config.to_dict().items()}
    assert ClassifierConfig.from_dict(lists) == config
