import pytest
import torch
import transformers

from encoder_contract import assert_close, check_contract
from segnext.errors import UsageError
from segnext.models.encoders.vit import ViT

SHALLOW = {"layers": (1, 2, 3, 4), "image_size": 224}


@pytest.mark.parametrize("in_channels", [1, 3, 4])
def test_contract(in_channels: int) -> None:
    encoder = ViT("vit_small", in_channels=in_channels, drop_path_rate=0.5, **SHALLOW)
    assert encoder.strides == (16, 16, 16, 16)
    check_contract(encoder)


def test_layers_read() -> None:
    with torch.device("meta"):
        assert ViT("vit_large").read_layers == (6, 12, 18, 24)
        assert len(ViT("vit_base", layers=(2, 4, 6, 9)).layers) == 9
    for layers in ((1, 2, 3), (2, 1, 3, 4), (9, 10, 11, 13)):
        with pytest.raises(UsageError, match="four ascending numbers from 1 to 12"):
            ViT("vit_small", layers=layers)
    with pytest.raises(UsageError, match="image_size must be a multiple of 16, got 100"):
        ViT("vit_small", image_size=100)


# Table 1 of the paper and of DeiT, in millions, with a classifier of 1000 classes.
@pytest.mark.parametrize(
    ("size", "millions"), [("vit_small", 22), ("vit_base", 86), ("vit_large", 307)]
)
def test_parameters_of_the_paper(size: str, millions: float) -> None:
    with torch.device("meta"):
        encoder = ViT(size, image_size=224)
    assert sum(p.numel() for p in encoder.parameters()) / 1e6 == pytest.approx(millions, rel=0.03)


@pytest.mark.parametrize("size", [(224, 224), (64, 112)])
def test_the_same_function_as_in_transformers(size: tuple[int, int]) -> None:
    encoder = ViT("vit_small", **SHALLOW).eval()
    config = transformers.ViTConfig(
        hidden_size=384, num_hidden_layers=4, num_attention_heads=6, intermediate_size=1536
    )
    other = transformers.ViTModel(config, add_pooling_layer=False).eval()
    with torch.no_grad():
        other.embeddings.cls_token.copy_(encoder.class_token)
        other.embeddings.position_embeddings.copy_(encoder.positions)
    other.embeddings.patch_embeddings.projection.load_state_dict(encoder.patches.state_dict())
    other.layers.load_state_dict(encoder.layers.state_dict())
    images = torch.randn(1, 3, *size)
    with torch.no_grad():
        expected = other(images, interpolate_pos_encoding=True).last_hidden_state[:, 1:]
        found = encoder(images)[-1]
    assert_close(found.flatten(2).transpose(1, 2), expected)


def test_padding_leaves_the_image_where_it_is() -> None:
    encoder = ViT("vit_small", **SHALLOW).eval()
    images = torch.randn(1, 3, 50, 70)
    padded = torch.nn.functional.pad(images, (0, 10, 0, 14))
    with torch.no_grad():
        assert torch.equal(encoder(images)[-1], encoder(padded)[-1])
