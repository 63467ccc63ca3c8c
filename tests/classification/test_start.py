import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from class_photos import FOLDERS, SMALLEST, write_classifier
from segnext.classification.start import start_classifier
from segnext.errors import WeightsError
from segnext.models import Classifier, ClassifierConfig, SegNeXt, create_classifier, create_model
from segnext.weights import save_model

# The names of the smallest classifier do not say its size; files of other programs need a real one.
TINY = {"embed_dims": (32, 64, 160, 256), "depths": (3, 3, 5, 2), "mlp_ratios": (8, 8, 4, 4)}


def build_tiny(classes: int = 3, **options: int) -> Classifier:
    torch.manual_seed(1)
    return create_classifier("mscan_tiny", num_classes=classes, **options)


@pytest.fixture
def published(shared: Path, tmp_path: Path) -> Path:
    """A file with the names and shapes of the published ImageNet encoder."""
    listed = json.loads((shared / "golden" / "official_state_dict_keys.json").read_text())["tiny"]
    torch.manual_seed(0)
    tensors = {
        name.removeprefix("backbone."): torch.rand(shape)
        for name, shape in listed.items()
        if name.startswith("backbone.")
    }
    tensors |= {"head.weight": torch.rand(3, 256), "head.bias": torch.rand(3)}
    path = tmp_path / "mscan_t.pth"
    torch.save({"state_dict": tensors}, path)
    return path


def test_published_files_are_loaded_whole(published: Path) -> None:
    model, stored = build_tiny(), torch.load(published)["state_dict"]
    notes = start_classifier(model, FOLDERS, published)
    assert notes == ("head: 3 of 3 classes kept",)
    state = model.state_dict()
    assert torch.equal(state["head.weight"], stored["head.weight"])
    assert torch.equal(
        state["encoder.stages.0.downsample.0.weight"], stored["patch_embed1.proj.0.weight"]
    )
    assert torch.equal(state["encoder.stages.3.blocks.1.scale2"], stored["block4.1.layer_scale_2"])


def test_another_number_of_classes_starts_the_head_anew(published: Path) -> None:
    model = build_tiny(5)
    before = model.head.weight.clone()
    notes = start_classifier(model, tuple("abcde"), published)
    assert notes == ("the head starts anew: 3 classes in the file, 5 here",)
    assert torch.equal(model.head.weight, before)


def test_our_classes_are_kept_by_folder(tmp_path: Path) -> None:
    path = write_classifier(tmp_path / "a.safetensors", stem_stride=2, **TINY)
    model = build_tiny(stem_stride=1)
    before = model.head.weight.detach().clone()
    notes = start_classifier(model, (FOLDERS[2], "new", FOLDERS[0]), path)
    theirs = load_file(path)["head.weight"]
    assert torch.equal(model.head.weight[0], theirs[2])
    assert torch.equal(model.head.weight[1], before[1])
    assert torch.equal(model.head.weight[2], theirs[0])
    assert notes == (
        "a.safetensors was trained with stem_stride 2, this model has 1",
        "head: 2 of 3 classes kept",
    )


def test_a_segmentation_model_gives_its_encoder(tmp_path: Path) -> None:
    path = save_model(create_model("segnext_tiny", num_classes=4), tmp_path / "a.safetensors")
    model = build_tiny()
    notes = start_classifier(model, FOLDERS, path)
    assert notes == ("the head starts anew: the file has none for this encoder",)
    name = "encoder.stages.2.blocks.4.ffn.project.weight"
    assert torch.equal(model.state_dict()[name], load_file(path)[name])


def test_an_encoder_of_another_size_is_refused(smallest_model: SegNeXt, tmp_path: Path) -> None:
    path = save_model(smallest_model, tmp_path / "a.safetensors")
    with pytest.raises(WeightsError, match=r"safetensors: only \d+ of the encoder's \d+ ten"):
        start_classifier(build_tiny(), FOLDERS, path)
    other = Classifier(ClassifierConfig(num_classes=3, **SMALLEST))
    with pytest.raises(WeightsError, match="no such file"):
        start_classifier(other, FOLDERS, tmp_path / "no.safetensors")
