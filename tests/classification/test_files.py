import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from class_photos import FOLDERS, write_classifier
from conftest import SMALLEST as SMALLEST_SEGNEXT
from segnext.classes import Classes
from segnext.classification.augmentation import EvaluationView
from segnext.classification.files import (
    is_classifier,
    load_classifier,
    read_classifier_spec,
)
from segnext.errors import WeightsError
from segnext.models import SegNeXt, SegNeXtConfig
from segnext.weights import initialize, load_model, read_spec, save_model


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = write_classifier(tmp_path / "a.safetensors", stem_stride=2)
    model, spec = load_classifier(path)
    assert (spec.folders, spec.names[1], spec.license) == (FOLDERS, "tabby", "CC0-1.0")
    assert spec.view == EvaluationView(48, None)
    assert model.config.stem_stride == 2
    assert not model.training
    stored = load_file(path)
    assert all(torch.equal(value, stored[name]) for name, value in model.state_dict().items())
    assert is_classifier(path)


def test_others_see_an_encoder(tmp_path: Path) -> None:
    path = write_classifier(tmp_path / "a.safetensors")
    about = read_spec(path)
    assert (about.encoder_only, about.model) == (True, "segnext_tiny")
    with pytest.raises(WeightsError, match="holds an encoder only, which cannot predict"):
        load_model(path)


def test_a_segmentation_starts_from_it(tmp_path: Path) -> None:
    sizes = {**SMALLEST_SEGNEXT, "depths": (3, 3, 5, 2), "embed_dims": (32, 64, 160, 256)}
    sizes["mlp_ratios"] = (8, 8, 4, 4)
    encoder = {name: sizes[name] for name in ("embed_dims", "depths", "mlp_ratios")}
    path = write_classifier(tmp_path / "a.safetensors", stem_stride=2, **encoder)
    model = SegNeXt(SegNeXtConfig(num_classes=2, **sizes))
    notes = initialize(model, Classes(("tabby", "sky")), path)
    theirs = load_file(path)
    for name, value in model.encoder.state_dict().items():
        assert torch.equal(value, theirs[f"encoder.{name}"])
    assert "a.safetensors was trained with stem_stride 2, this model has 4" in notes
    assert any("not used: head.bias, head.weight" in note for note in notes)


def test_other_files_are_refused(tmp_path: Path, smallest_model: SegNeXt) -> None:
    whole = save_model(smallest_model, tmp_path / "whole.safetensors")
    assert not is_classifier(whole)
    with pytest.raises(WeightsError, match="holds a segmentation model, no classifier; segnext cl"):
        read_classifier_spec(whole)
    with pytest.raises(WeightsError, match="no such file"):
        load_classifier(tmp_path / "no.safetensors")
    path = write_classifier(tmp_path / "a.safetensors")
    tensors = load_file(path)
    head = tensors.pop("head.bias")
    rewrite(path, tensors)
    with pytest.raises(WeightsError, match=r"lacks, or has in excess .*: head\.bias"):
        load_classifier(path)
    rewrite(path, {**tensors, "head.bias": head}, folders=["a", "b"])
    with pytest.raises(WeightsError, match="cannot be built, it names 2 classes, the model has 3"):
        load_classifier(path)
    rewrite(path, {**tensors, "head.bias": head}, view={"size": "big", "shape": 1})
    with pytest.raises(WeightsError, match="its description is broken"):
        load_classifier(path)


def rewrite(path: Path, tensors: dict[str, torch.Tensor], **changes: object) -> None:
    """Write the file again with other tensors or another description."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    about = json.loads(metadata["segnext_classifier"])
    metadata["segnext_classifier"] = json.dumps({**about, **changes})
    save_file(tensors, path, metadata)
