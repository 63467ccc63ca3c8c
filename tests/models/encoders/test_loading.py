from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from encoder_contract import assert_close
from segnext.errors import WeightsError
from segnext.models.encoders.efficientnet import EfficientNet
from segnext.models.encoders.encoder import Encoder
from segnext.models.encoders.loading import load_pretrained_encoder
from segnext.models.encoders.mit import MiT
from segnext.models.encoders.mobilenet import MobileNetV2
from segnext.models.encoders.resnet import ResNet
from segnext.models.encoders.vit import ViT

VIT: dict[str, Any] = {
    "hidden_size": 384,
    "num_hidden_layers": 4,
    "num_attention_heads": 6,
    "intermediate_size": 1536,
}
RESNET: dict[str, Any] = {
    "hidden_sizes": [64, 128, 256, 512],
    "depths": [2, 2, 2, 2],
    "layer_type": "basic",
}


def shallow_vit(**options: Any) -> ViT:
    return ViT("vit_small", layers=(1, 2, 3, 4), **options)


@pytest.fixture
def resnet_folder(tmp_path: Path) -> Path:
    config = transformers.ResNetConfig(**RESNET)
    transformers.ResNetForImageClassification(config).save_pretrained(tmp_path)
    return tmp_path


# `save_pretrained` writes the names of published files, heads and prefixes included.
@pytest.mark.parametrize(
    ("build", "theirs"),
    [
        (
            lambda: ResNet("resnet18"),
            lambda: transformers.ResNetForImageClassification(transformers.ResNetConfig(**RESNET)),
        ),
        (
            MobileNetV2,
            lambda: transformers.MobileNetV2ForImageClassification(
                transformers.MobileNetV2Config()
            ),
        ),
        (
            lambda: MiT("mit_b0"),
            lambda: transformers.SegformerForImageClassification(transformers.SegformerConfig()),
        ),
        (
            lambda: MiT("mit_b0"),
            lambda: transformers.SegformerForSemanticSegmentation(transformers.SegformerConfig()),
        ),
        (
            lambda: EfficientNet("efficientnet_b0"),
            lambda: transformers.EfficientNetForImageClassification(
                transformers.EfficientNetConfig(
                    width_coefficient=1.0, depth_coefficient=1.0, hidden_dim=1280
                )
            ),
        ),
        (
            lambda: shallow_vit(image_size=224),
            lambda: transformers.ViTForImageClassification(transformers.ViTConfig(**VIT)),
        ),
    ],
    ids=["resnet", "mobilenet_v2", "mit", "segformer", "efficientnet", "vit"],
)
def test_checkpoints_of_transformers(
    build: Callable[[], Encoder], theirs: Callable[[], Any], tmp_path: Path
) -> None:
    model = theirs().eval()
    model.save_pretrained(tmp_path)
    encoder = build().eval()
    assert load_pretrained_encoder(encoder, tmp_path) == ()
    images = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        body = getattr(model, encoder.checkpoint_prefix.rstrip("."))
        outputs = body(images, output_hidden_states=True)
        found = encoder(images)[-1]
    last = outputs.last_hidden_state
    if isinstance(encoder, ViT):
        last, found = last[:, 1:], found.flatten(2).transpose(1, 2)
    if isinstance(encoder, MobileNetV2 | EfficientNet):
        # Another 1x1 follows, which the encoder leaves out.
        last = outputs.hidden_states[-1]
    assert_close(found, last)


def test_names_without_prefix_and_newer_names(tmp_path: Path) -> None:
    model = transformers.SegformerModel(transformers.SegformerConfig())
    save_file(model.state_dict(), tmp_path / "new.safetensors")
    encoder = MiT("mit_b0")
    assert load_pretrained_encoder(encoder, tmp_path / "new.safetensors") == ()
    for name, tensor in model.state_dict().items():
        assert torch.equal(encoder.state_dict()[name], tensor)


@pytest.mark.parametrize("in_channels", [1, 5])
def test_other_image_channels(in_channels: int, resnet_folder: Path) -> None:
    colour, other = ResNet("resnet18").eval(), ResNet("resnet18", in_channels=in_channels).eval()
    load_pretrained_encoder(colour, resnet_folder)
    notes = load_pretrained_encoder(other, resnet_folder)
    assert notes == (f"the stem was made for 3 image channels and is adapted to {in_channels}",)
    grey = torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        expected = colour(grey.expand(-1, 3, -1, -1))[0]
        found = other(grey.expand(-1, in_channels, -1, -1))[0]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_positions_are_resized(tmp_path: Path) -> None:
    model = transformers.ViTModel(transformers.ViTConfig(**VIT), add_pooling_layer=False)
    model.save_pretrained(tmp_path)
    notes = load_pretrained_encoder(shallow_vit(image_size=384), tmp_path)
    assert notes == ("the position embedding was resized from 14x14 to 24x24 patches",)


def test_refusals_name_tensors_and_change_nothing(resnet_folder: Path) -> None:
    file = resnet_folder / "model.safetensors"
    tensors = load_file(file)
    encoder = ResNet("resnet18")
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    stem = "resnet.embedder.embedder.convolution.weight"

    def refuse(changed: dict[str, torch.Tensor], match: str) -> None:
        save_file(changed, file)
        with pytest.raises(WeightsError, match=match):
            load_pretrained_encoder(encoder, file)

    refuse(
        {name: tensor for name, tensor in tensors.items() if name != stem},
        r"model.safetensors: lacks 1 tensors of the encoder: stem.embedder.convolution.weight",
    )
    refuse(
        {**tensors, stem: torch.zeros(64, 3, 3, 3)}, "another size of encoder, differing in stem"
    )
    refuse(
        {**tensors, stem: torch.full((64, 3, 7, 7), torch.nan)}, "NaN or infinite values in stem"
    )
    file.write_bytes(b"short")
    with pytest.raises(WeightsError, match="not a whole safetensors file"):
        load_pretrained_encoder(encoder, file)
    assert all(torch.equal(before[name], t) for name, t in encoder.state_dict().items())


def test_what_is_left_over_is_said(resnet_folder: Path) -> None:
    file = resnet_folder / "model.safetensors"
    save_file({**load_file(file), "resnet.extra": torch.zeros(1), "odd": torch.zeros(1)}, file)
    notes = load_pretrained_encoder(ResNet("resnet18"), file)
    assert notes == ("2 tensors were not used: odd, extra",)


def test_wrong_paths(tmp_path: Path) -> None:
    encoder = ResNet("resnet18")
    with pytest.raises(WeightsError, match=r"has no model\.safetensors"):
        load_pretrained_encoder(encoder, tmp_path)
    with pytest.raises(WeightsError, match="no such file"):
        load_pretrained_encoder(encoder, tmp_path / "model.safetensors")
    (tmp_path / "pytorch_model.bin").touch()
    with pytest.raises(WeightsError, match=r"is no .safetensors file; save it with"):
        load_pretrained_encoder(encoder, tmp_path / "pytorch_model.bin")
