from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from golden import golden_bases, golden_tensor, official_state_dict
from segnext.classes import Classes
from segnext.errors import UsageError, WeightsError
from segnext.models import SegNeXt, SegNeXtConfig, create_model
from segnext.weights import (
    ConvertedStateDict,
    build_from_state_dict,
    convert_state_dict,
    load_model,
    read_spec,
    save_model,
    start_from,
)

STEM = "encoder.stages.0.downsample.0.weight"
BASES = "decoder.hamburger.nmf.initial_bases"


@pytest.fixture(scope="module")
def tiny() -> ConvertedStateDict:
    return convert_state_dict(create_model("segnext_tiny", num_classes=5).state_dict())


@pytest.fixture
def smallest(smallest_model: SegNeXt) -> ConvertedStateDict:
    return convert_state_dict(smallest_model.state_dict())


def another(model: SegNeXt, **options: int) -> SegNeXt:
    return SegNeXt(replace(model.config, **options))


def without(converted: ConvertedStateDict, *prefixes: str) -> ConvertedStateDict:
    kept = {n: t for n, t in converted.state_dict.items() if not n.startswith(prefixes)}
    return convert_state_dict(kept)


@pytest.mark.parity
@pytest.mark.parametrize("size", ["tiny", "small"])
def test_imported_weights_give_the_reference_logits(shared: Path, size: str) -> None:
    shape = {"tiny": (2, 3, 64, 96), "small": (1, 3, 64, 64)}[size]
    golden = np.load(shared / "golden" / f"segnext_{size}_{shape[2]}x{shape[3]}.npz")
    converted = convert_state_dict({"state_dict": official_state_dict(shared, size)})
    model, _ = build_from_state_dict(converted)
    model.decoder.hamburger.nmf.initial_bases.copy_(golden_bases(256, 16))
    images = golden_tensor("image {}x3x{}x{}".format(*np.take(shape, [0, 2, 3])), shape)
    with torch.no_grad():
        logits = model(images)
    torch.testing.assert_close(logits, torch.from_numpy(golden["logits"]), atol=1e-4, rtol=0)


def test_whole_file_is_taken_as_it_is(tiny: ConvertedStateDict) -> None:
    model, notes = build_from_state_dict(tiny)
    assert notes == ()
    assert not model.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, tiny.state_dict[name])
    assert model.spec is not None
    assert model.spec.model == "segnext_tiny"
    assert model.spec.classes == Classes.numbered(5)
    assert not model.spec.encoder_only


@pytest.mark.parametrize(
    ("meta", "options", "names"),
    [
        ({"CLASSES": ("a", "bed ", "c", "d", "e")}, {}, ("a", "bed", "c", "d", "e")),
        ({"dataset_meta": {"classes": list("abcde")}}, {}, tuple("abcde")),
        ({"CLASSES": tuple("abcde")}, {"classes": Classes(tuple("vwxyz"))}, tuple("vwxyz")),
        ({"CLASSES": tuple("abcde")}, {"num_classes": 2}, ("class_0", "class_1")),
        ({"CLASSES": tuple("abcd")}, {}, Classes.numbered(5).names),
        ({"CLASSES": tuple("aacde")}, {}, Classes.numbered(5).names),
        ({"CLASSES": ("a", "b", "c", "d", " ")}, {}, Classes.numbered(5).names),
        ({"CLASSES": 5}, {}, Classes.numbered(5).names),
    ],
)
def test_class_names_of_the_file(
    tiny: ConvertedStateDict, meta: dict[str, Any], options: dict[str, Any], names: tuple[str, ...]
) -> None:
    converted = convert_state_dict({"meta": meta, "state_dict": tiny.state_dict})
    model, _ = build_from_state_dict(converted, **options)
    assert model.spec is not None
    assert model.spec.classes.names == names


def test_missing_bases_are_made_anew(tiny: ConvertedStateDict) -> None:
    model, notes = build_from_state_dict(without(tiny, BASES))
    assert notes == ("the first bases of the decomposition are made anew: the file has none",)
    assert torch.equal(model.state_dict()[BASES], tiny.state_dict[BASES])


def test_other_classes_start_a_new_classifier(tiny: ConvertedStateDict) -> None:
    classes = Classes(("road", "sky"))
    model, notes = build_from_state_dict(tiny, classes=classes)
    assert notes == ("the classifier starts anew: 5 classes in the file, 2 in the model",)
    assert model.spec is not None
    assert model.spec.classes == classes
    assert model.spec.notes == notes
    assert model.config.num_classes == 2
    assert torch.equal(model.decoder.align[0].weight, tiny.state_dict["decoder.align.0.weight"])


def test_encoder_file_stays_an_encoder(tiny: ConvertedStateDict, tmp_path: Path) -> None:
    model, notes = build_from_state_dict(without(tiny, "decoder."))
    assert notes == ("the file holds an encoder alone: the decoder starts untrained",)
    path = save_model(model, tmp_path / "encoder.safetensors")
    assert read_spec(path).encoder_only
    with pytest.raises(WeightsError, match="encoder only"):
        load_model(path)


def test_encoder_file_with_classes_becomes_a_model(
    tiny: ConvertedStateDict, tmp_path: Path
) -> None:
    model, _ = build_from_state_dict(without(tiny, "decoder."), num_classes=2)
    loaded = load_model(save_model(model, tmp_path / "model.safetensors"))
    assert loaded.spec is not None
    assert not loaded.spec.encoder_only
    assert loaded.spec.notes == ("the file holds an encoder alone: the decoder starts untrained",)


def test_class_counts_must_agree(tiny: ConvertedStateDict) -> None:
    with pytest.raises(UsageError, match="num_classes is 3, but 2 classes are named"):
        build_from_state_dict(tiny, num_classes=3, classes=Classes(("road", "sky")))
    with pytest.raises(UsageError, match="num_classes must be at least 1, got 0"):
        build_from_state_dict(tiny, num_classes=0)
    with pytest.raises(UsageError, match="in_channels must be at least 1, got 0"):
        build_from_state_dict(tiny, in_channels=0)


def test_unknown_sizes_cannot_be_built_but_can_be_started_from(
    smallest: ConvertedStateDict, smallest_model: SegNeXt
) -> None:
    with pytest.raises(WeightsError, match=r"fit no size of SegNeXt; known sizes: segnext_tiny"):
        build_from_state_dict(smallest)
    model = another(smallest_model)
    assert start_from(model, smallest) == ()
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, smallest.state_dict[name])


@pytest.mark.parametrize("channels", [1, 4, 13])
def test_stem_for_other_channels_keeps_the_scale_of_activations(
    smallest: ConvertedStateDict, smallest_model: SegNeXt, channels: int
) -> None:
    model = another(smallest_model, in_channels=channels)
    notes = start_from(model, smallest)
    assert notes == (f"the stem was made for 3 image channels and is adapted to {channels}",)
    grey = torch.randn(1, 1, 40, 40)
    adapted = model.encoder.stages[0].downsample[0](grey.expand(-1, channels, -1, -1))
    original = smallest_model.encoder.stages[0].downsample[0](grey.expand(-1, 3, -1, -1))
    torch.testing.assert_close(adapted, original, atol=1e-5, rtol=1e-5)


def test_other_channels_get_their_own_normalization(tiny: ConvertedStateDict) -> None:
    model, _ = build_from_state_dict(tiny, in_channels=4)
    assert model.spec is not None
    assert model.spec.normalization.mean == (0.449,) * 4
    assert model.spec.normalization.std == (0.226,) * 4


def test_too_little_of_an_encoder_is_refused(
    smallest: ConvertedStateDict, smallest_model: SegNeXt
) -> None:
    model = another(smallest_model)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    few = without(smallest, "encoder.stages.3.")
    with pytest.raises(
        WeightsError, match=r"only \d+ of the encoder's \d+ .*stages\.3\.down.*more"
    ):
        start_from(model, few)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])


def test_few_missing_tensors_of_the_encoder_are_said(
    smallest: ConvertedStateDict, smallest_model: SegNeXt
) -> None:
    notes = start_from(another(smallest_model), without(smallest, "encoder.stages.3.norm"))
    assert notes == (
        "2 tensors of the encoder start anew: encoder.stages.3.norm.weight, "
        "encoder.stages.3.norm.bias",
    )


def test_decoder_of_another_width_starts_anew(
    smallest: ConvertedStateDict, smallest_model: SegNeXt
) -> None:
    notes = start_from(another(smallest_model, decoder_width=64, rank=8), smallest)
    assert notes[0].startswith("the classifier starts anew: 3 classes")
    assert notes[-1].startswith("11 tensors of the decoder start anew: decoder.squeeze.0.weight")


def test_values_that_are_not_finite_are_refused(
    smallest: ConvertedStateDict, smallest_model: SegNeXt
) -> None:
    name = "encoder.stages.2.norm.weight"
    broken = {**smallest.state_dict, name: torch.full((32,), torch.inf)}
    with pytest.raises(WeightsError, match=f"infinite values in {name}"):
        start_from(another(smallest_model), convert_state_dict(broken))


def test_half_precision_files_fill_float32_models(
    smallest: ConvertedStateDict, smallest_model: SegNeXt
) -> None:
    halves = {n: t.half() if t.is_floating_point() else t for n, t in smallest.state_dict.items()}
    model = another(smallest_model, in_channels=4)
    start_from(model, convert_state_dict(halves))
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert isinstance(model.config, SegNeXtConfig)
    torch.testing.assert_close(
        model.encoder.stages[1].norm.weight, smallest_model.encoder.stages[1].norm.weight
    )
