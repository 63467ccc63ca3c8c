from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from segnext.classes import Classes
from segnext.errors import UsageError, WeightsError
from segnext.models import SegNeXt, create_model
from segnext.weights import (
    describe_model,
    initialize,
    read_spec,
    save_model,
    start_encoder,
    start_from_model,
)

OLD = Classes(("road", "Car", "bus", "sky"))

Save = Callable[..., Path]


def built(smallest_model: SegNeXt, classes: Classes, **options: int) -> SegNeXt:
    return SegNeXt(replace(smallest_model.config, num_classes=classes.num_classes, **options))


@pytest.fixture
def save(smallest_model: SegNeXt, tmp_path: Path) -> Save:
    def save(classes: Classes = OLD, *, encoder_only: bool = False, license_: str = "mit") -> Path:
        model = built(smallest_model, classes)
        torch.nn.init.normal_(model.decoder.classifier.bias)
        spec = replace(describe_model(model, classes), encoder_only=encoder_only, license=license_)
        return save_model(model, tmp_path / "source.safetensors", spec)

    return save


def rows(model: SegNeXt) -> torch.Tensor:
    """Weights and bias of every class, (K, D + 1)."""
    classifier = model.decoder.classifier
    assert classifier.bias is not None
    return torch.cat([classifier.weight.detach().flatten(1), classifier.bias.detach()[:, None]], 1)


def rows_in(path: Path) -> torch.Tensor:
    tensors = load_file(path)
    weight, bias = tensors["decoder.classifier.weight"], tensors["decoder.classifier.bias"]
    return torch.cat([weight.flatten(1), bias[:, None]], 1)


def test_same_classes_keep_everything(smallest_model: SegNeXt, save: Save) -> None:
    path = save()
    model = built(smallest_model, OLD)
    assert initialize(model, OLD, path) == ()
    for name, tensor in load_file(path).items():
        assert torch.equal(model.state_dict()[name], tensor)


def test_classes_are_kept_by_name(smallest_model: SegNeXt, save: Save) -> None:
    path = save()
    classes = Classes(("sky", "fence", "car", "pole", "road"))
    model = built(smallest_model, classes)
    before = rows(model).clone()
    notes = initialize(model, classes, str(path))
    assert notes == ("classifier: 3 of 5 classes kept by name; new: fence, pole",)
    old, new = rows_in(path), rows(model)
    for index, origin in ((0, 3), (2, 1), (4, 0)):
        assert torch.equal(new[index], old[origin])
    for index in (1, 3):
        assert torch.equal(new[index], before[index])
    align = "decoder.align.0.weight"
    assert torch.equal(model.state_dict()[align], load_file(path)[align])


def test_another_order_is_said(smallest_model: SegNeXt, save: Save) -> None:
    path = save()
    classes = Classes(OLD.names[::-1])
    model = built(smallest_model, classes)
    assert initialize(model, classes, path) == ("classifier: 4 of 4 classes kept by name",)
    assert torch.equal(rows(model), rows_in(path).flip(0))


def test_exact_names_go_before_other_cases(smallest_model: SegNeXt, save: Save) -> None:
    path = save(Classes(("Car", "car", "CAR")))
    classes = Classes(("car", "Car"))
    model = built(smallest_model, classes)
    initialize(model, classes, path)
    assert torch.equal(rows(model), rows_in(path)[[1, 0]])


def test_merged_classes_get_the_mean_of_their_rows(smallest_model: SegNeXt, save: Save) -> None:
    path = save()
    classes = Classes(("sky", "vehicle"))
    model = built(smallest_model, classes)
    notes = initialize(model, classes, path, merged={"vehicle": ["Car", "bus"]})
    assert notes == ("classifier: 2 of 2 classes kept by name",)
    old = rows_in(path)
    torch.testing.assert_close(rows(model), torch.stack([old[3], (old[1] + old[2]) / 2]))


@pytest.mark.parametrize(
    ("merged", "message"),
    [
        ({"vehicles": ["bus"]}, "unknown class to merge into 'vehicles': did you mean vehicle"),
        ({"vehicle": ["truck"]}, r"unknown class of the weights 'truck': .*valid: Car, bus, road"),
    ],
)
def test_merging_of_unknown_classes(
    smallest_model: SegNeXt, save: Save, merged: dict[str, list[str]], message: str
) -> None:
    classes = Classes(("sky", "vehicle"))
    with pytest.raises(UsageError, match=message):
        initialize(built(smallest_model, classes), classes, save(), merged=merged)


@pytest.mark.parametrize(
    ("old", "new", "kept"),
    [
        (("crack",), ("Crack",), True),
        (("crack",), ("rust",), False),
        (("crack", "rust"), ("crack",), False),
        (("crack",), ("crack", "rust"), False),
    ],
)
def test_single_classes_keep_only_the_same(
    smallest_model: SegNeXt, save: Save, old: tuple[str, ...], new: tuple[str, ...], kept: bool
) -> None:
    path, classes = save(Classes(old)), Classes(new)
    model = built(smallest_model, classes)
    before = rows(model).clone()
    notes = start_from_model(model, classes, path)
    assert torch.equal(rows(model), rows_in(path) if kept else before)
    assert notes[-1].startswith(f"classifier: {int(kept)} of {len(new)} classes kept")


def test_single_classes_are_not_merged(smallest_model: SegNeXt, save: Save) -> None:
    classes = Classes(("vehicle",))
    with pytest.raises(UsageError, match="cannot be merged from or into a single class"):
        initialize(
            built(smallest_model, classes), classes, save(), merged={"vehicle": ["Car", "bus"]}
        )


def test_decoder_of_another_width_starts_anew(smallest_model: SegNeXt, save: Save) -> None:
    model = built(smallest_model, OLD, decoder_width=64)
    before = rows(model).clone()
    notes = initialize(model, OLD, save())
    assert notes[0] == "the classifier starts anew: 4 classes in the file, 4 in the model"
    assert torch.equal(rows(model), before)


def test_encoder_files(smallest_model: SegNeXt, save: Save) -> None:
    path = save(encoder_only=True, license_="research only")
    model = built(smallest_model, OLD)
    assert initialize(model, OLD, path) == (
        "the file holds an encoder alone: the decoder starts untrained",
        "terms of source.safetensors: research only",
    )
    name = "encoder.stages.3.norm.weight"
    assert torch.equal(model.state_dict()[name], load_file(path)[name])


@pytest.mark.parametrize("suffix", [".pth", ".safetensors", ".weird"])
def test_checkpoints_of_other_programs_lose_their_classifier(
    smallest_model: SegNeXt, tmp_path: Path, suffix: str
) -> None:
    source = built(smallest_model, OLD)
    path = tmp_path / f"other{suffix}"
    if suffix == ".safetensors":
        save_file(source.state_dict(), path)
    else:
        torch.save({"state_dict": source.state_dict()}, path)
    model = built(smallest_model, OLD)
    torch.nn.init.normal_(model.encoder.stages[0].norm.weight)
    before = rows(model).clone()
    notes = initialize(model, OLD, path)
    assert notes == ("the classifier starts anew: 4 classes in the file, 4 in the model",)
    assert torch.equal(rows(model), before)
    assert torch.equal(model.encoder.stages[0].norm.weight, source.encoder.stages[0].norm.weight)
    with pytest.raises(UsageError, match="names no classes that could be merged"):
        initialize(model, OLD, path, merged={"road": ["sky"]})


def test_files_that_cannot_be_started_from(
    smallest_model: SegNeXt, save: Save, tmp_path: Path
) -> None:
    model = built(smallest_model, OLD)
    with pytest.raises(WeightsError, match=r"gone\.pth: no such file"):
        initialize(model, OLD, "gone.pth")
    with pytest.raises(WeightsError, match=r"unknown weights 'mscan_tinny'"):
        initialize(model, OLD, "mscan_tinny")
    (tmp_path / "cut.safetensors").write_bytes(save().read_bytes()[:100])
    with pytest.raises(WeightsError, match=r"cut\.safetensors: not a whole safetensors file"):
        initialize(model, OLD, tmp_path / "cut.safetensors")
    deeper = SegNeXt(replace(model.config, embed_dims=(32, 32, 32, 32)))
    with pytest.raises(WeightsError, match=r"source\.safetensors: only \d+ of the encoder's"):
        initialize(deeper, OLD, save())


def test_names_that_are_not_the_rows(smallest_model: SegNeXt, save: Save, tmp_path: Path) -> None:
    path = save()
    tensors = load_file(path)
    for name in ("weight", "bias"):
        key = f"decoder.classifier.{name}"
        tensors[key] = tensors[key][:2].clone()
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    save_file(tensors, tmp_path / "odd.safetensors", metadata)
    assert read_spec(tmp_path / "odd.safetensors").classes == OLD
    with pytest.raises(WeightsError, match="names 4 classes, but predicts 2"):
        initialize(built(smallest_model, OLD), OLD, tmp_path / "odd.safetensors")


def test_an_encoder_alone_leaves_everything_else(smallest_model: SegNeXt, save: Save) -> None:
    path = save(license_="research only")
    model = built(smallest_model, Classes(("a", "b")), stem_stride=2)
    before = {name: value.clone() for name, value in model.decoder.state_dict().items()}
    notes, content = start_encoder(model, path)
    assert notes == (
        f"{path.name} was trained with stem_stride 4, this model has 2",
        f"terms of {path.name}: research only",
    )
    for name, value in model.encoder.state_dict().items():
        assert torch.equal(value, content[f"encoder.{name}"])
    assert all(torch.equal(v, before[n]) for n, v in model.decoder.state_dict().items())


def test_an_encoder_that_does_not_fit_is_refused(save: Save) -> None:
    model = create_model("segnext_tiny", num_classes=2)
    with pytest.raises(WeightsError, match="only 0 of the encoder's"):
        start_encoder(model, save())


@pytest.mark.parametrize("as_folder", [True, False])
def test_baselines_start_from_what_transformers_saves(tmp_path: Path, as_folder: bool) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.MobileNetV2Config(image_size=32, depth_multiplier=1.0)
    theirs = transformers.MobileNetV2ForImageClassification(config)
    theirs.save_pretrained(tmp_path)
    path = tmp_path if as_folder else tmp_path / "model.safetensors"
    model = create_model("deeplabv3plus_mobilenet_v2", num_classes=4)
    decoder = {name: value.clone() for name, value in model.decoder.state_dict().items()}
    stem = theirs.mobilenet_v2.conv_stem.first_conv.convolution.weight
    for start in (lambda: initialize(model, OLD, path), lambda: start_encoder(model, path)[0]):
        torch.nn.init.zeros_(next(model.encoder.parameters()))
        assert not start()
        assert torch.equal(next(model.encoder.parameters()), stem)
    found = model.decoder.state_dict()
    assert all(torch.equal(found[name], value) for name, value in decoder.items())


def test_what_is_no_checkpoint_of_transformers_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    model = create_model("deeplabv3plus_mobilenet_v2", num_classes=4)
    with pytest.raises(WeightsError, match=r"has no model\.safetensors; files of other kinds"):
        initialize(model, OLD, tmp_path)
    save_file({"a": torch.zeros(2)}, tmp_path / "a.safetensors")
    with pytest.raises(WeightsError, match=r"lacks .* tensors of the encoder"):
        start_encoder(model, tmp_path / "a.safetensors")
