import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from segnext.classes import Classes
from segnext.errors import SegnextError, UsageError, WeightsError
from segnext.models import SegNeXt, create_model
from segnext.spec import Protocol
from segnext.weights import describe_model, load_model, load_tensors, read_spec, save_model


def edit_spec(path: Path, **changes: Any) -> None:
    data = describe_of(path)
    data.update(changes)
    save_file(load_file(path), path, {"segnext": json.dumps(data)})


def describe_of(path: Path) -> dict[str, Any]:
    return read_spec(path).to_dict()


@pytest.fixture
def saved(smallest_model: SegNeXt, tmp_path: Path) -> Path:
    return save_model(smallest_model, tmp_path / "model.safetensors")


def test_round_trip_keeps_logits_and_spec(smallest_model: SegNeXt, tmp_path: Path) -> None:
    spec = replace(
        describe_model(smallest_model, Classes(("road", "car", "sky"))),
        protocol=Protocol(window=256, stride=128, scales=(0.5, 1.0)),
        score={"miou": 0.5, "split": "val"},
        license="mit",
        notes=("one", "two"),
    )
    path = save_model(smallest_model, tmp_path / "deep" / "er" / "model.safetensors", spec)
    loaded = load_model(path)
    images = torch.randn(1, 3, 40, 48)
    smallest_model.eval()
    assert torch.equal(loaded(images), smallest_model(images))
    assert loaded.spec == read_spec(path)
    assert replace(loaded.spec, config=spec.config) == spec
    assert loaded.config == smallest_model.config
    assert not loaded.training
    assert all(parameter.requires_grad for parameter in loaded.parameters())


def test_loaded_spec_is_saved_again(saved: Path, tmp_path: Path) -> None:
    edit_spec(saved, license="apache-2.0")
    again = save_model(load_model(saved), tmp_path / "again.safetensors")
    assert read_spec(again).license == "apache-2.0"


def test_saves_channels_last_models(smallest_model: SegNeXt, tmp_path: Path) -> None:
    model = smallest_model.to(memory_format=torch.channels_last)
    assert not model.encoder.stages[0].downsample[0].weight.is_contiguous()
    tensors = load_tensors(save_model(model, tmp_path / "model.safetensors"))
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensors[name], tensor)


def test_half_stores_float16_but_not_bases_and_integers(
    smallest_model: SegNeXt, saved: Path, tmp_path: Path
) -> None:
    path = save_model(smallest_model, tmp_path / "half.safetensors", half=True)
    kinds = {name: tensor.dtype for name, tensor in load_file(path).items()}
    assert kinds.pop("decoder.hamburger.nmf.initial_bases") == torch.float32
    counters = {name for name in kinds if name.endswith("num_batches_tracked")}
    assert counters
    assert {kinds.pop(name) for name in counters} == {torch.int64}
    assert set(kinds.values()) == {torch.float16}
    assert path.stat().st_size < 0.75 * saved.stat().st_size
    loaded = load_model(path)
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    images = torch.randn(1, 3, 32, 32)
    torch.testing.assert_close(loaded(images), smallest_model.eval()(images), atol=1e-2, rtol=0)


def test_half_refuses_values_beyond_float16(smallest_model: SegNeXt, tmp_path: Path) -> None:
    smallest_model.encoder.stages[1].blocks[0].norm1.running_var.fill_(1e6)
    with pytest.raises(WeightsError, match=r"not written, NaN or infinite .*1\.blocks\.0\.norm1"):
        save_model(smallest_model, tmp_path / "model.safetensors", half=True)
    assert list(tmp_path.iterdir()) == []
    assert load_model(save_model(smallest_model, tmp_path / "model.safetensors"))


def test_encoder_only_file(smallest_model: SegNeXt, tmp_path: Path) -> None:
    spec = replace(describe_model(smallest_model), encoder_only=True)
    path = save_model(smallest_model, tmp_path / "encoder.safetensors", spec)
    assert all(name.startswith("encoder.") for name in load_tensors(path))
    with pytest.raises(WeightsError, match=r"encoder only.*segnext train DIR --init"):
        load_model(path)


def test_loading_draws_nothing_from_the_global_generator(saved: Path) -> None:
    before = torch.get_rng_state()
    load_model(saved)
    assert torch.equal(torch.get_rng_state(), before)


def test_file_can_be_replaced_while_its_model_lives(saved: Path, smallest_model: SegNeXt) -> None:
    loaded = load_model(saved)
    before = loaded.decoder.classifier.bias.clone()
    with torch.no_grad():
        smallest_model.decoder.classifier.bias.fill_(7)
    save_model(smallest_model, saved)
    assert torch.equal(loaded.decoder.classifier.bias, before)
    assert load_model(saved).decoder.classifier.bias[0] == 7


def test_interrupted_write_leaves_the_old_file(
    saved: Path, smallest_model: SegNeXt, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = saved.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(
        SegnextError, match=r"model\.safetensors: cannot be written \(No space left"
    ):
        save_model(smallest_model, saved)
    assert saved.read_bytes() == before
    assert list(saved.parent.iterdir()) == [saved]


def test_folder_that_is_a_file(smallest_model: SegNeXt, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("kept")
    with pytest.raises(SegnextError, match="cannot be written"):
        save_model(smallest_model, tmp_path / "notes" / "model.safetensors")
    assert (tmp_path / "notes").read_text() == "kept"


@pytest.mark.parametrize("name", ["model.pth", "model", "model.safetensors.bak"])
def test_other_suffixes_are_refused_on_saving(
    smallest_model: SegNeXt, tmp_path: Path, name: str
) -> None:
    with pytest.raises(UsageError, match=r"end in \.safetensors"):
        save_model(smallest_model, tmp_path / name)


def test_spec_for_other_classes_is_refused_on_saving(
    smallest_model: SegNeXt, tmp_path: Path
) -> None:
    spec = describe_model(smallest_model, Classes(("road", "sky")))
    with pytest.raises(UsageError, match="describes 2 classes, the model has 3"):
        save_model(smallest_model, tmp_path / "model.safetensors", spec)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("segnext_tinny", "unknown weights 'segnext_tinny': did you mean segnext_tiny_"),
        ("segnext_tiny", "unknown weights 'segnext_tiny': did you mean .*segnext_tiny_ade20k"),
        ("gone/model.safetensors", "model.safetensors: no such file"),
        ("model.pth", r"pickles.*segnext import-weights model\.pth model\.safetensors"),
        (".", "is a folder"),
    ],
)
def test_paths_that_are_no_weights_file(
    name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError, match=message):
        load_model(name)


def test_safetensors_of_others_are_referred_to_import(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"a": torch.ones(1)}, path)
    with pytest.raises(WeightsError, match=r"which model.*segnext import-weights"):
        load_model(path)


@pytest.mark.parametrize("size", [0, 5, 2000, -1])
def test_truncated_file(saved: Path, size: int) -> None:
    saved.write_bytes(saved.read_bytes()[:size])
    with pytest.raises(WeightsError, match="not a whole safetensors file") as caught:
        load_model(saved)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "null", '"text"', "{}", '{"version": "x"}', '{"version": "0.1"}', "[" * 100_000],
)
def test_broken_description(saved: Path, text: str) -> None:
    save_file(load_file(saved), saved, {"segnext": text})
    with pytest.raises(WeightsError, match="description is broken"):
        read_spec(saved)


def test_newer_major_version_is_refused(saved: Path) -> None:
    edit_spec(saved, version="7.2.0", something_new=1)
    with pytest.raises(WeightsError, match=r"written by segnext 7\.2\.0.*pip install --upgrade"):
        load_model(saved)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"embed_dim": [1]}, "unknown model option 'embed_dim': did you mean embed_dims"),
        ({"num_classes": 4}, "describes 3 classes, the model has 4"),
        ({"in_channels": 4}, "describes 3 image channels, the model has 4"),
        ({"depths": [10**9, 1, 1, 1]}, "too few tensors"),
        ({"depths": [10**9, 1 - 10**9, 1, 1]}, "too few tensors"),
        ({"depths": "many"}, "cannot be built"),
        ({"rank": -1}, "cannot be built.*rank"),
        ({"embed_dims": [0.5, 1, 2, 3]}, "cannot be built"),
        ({"embed_dims": [10**9] * 4}, "cannot be built"),
        ({"decoder_width": 32 * 10**6}, "too few tensors"),
        ({"branches": [7, 11]}, "unknown tensors"),
        ({"depths": [1, 1, 1, 2]}, r"misses.*encoder\.stages\.3\.blocks\.1"),
        ({"rank": 5}, r"misshapen tensors.*initial_bases"),
    ],
)
def test_configuration_that_is_not_the_tensors(
    saved: Path, changes: dict[str, Any], message: str
) -> None:
    edit_spec(saved, config={**describe_of(saved)["config"], **changes})
    with pytest.raises(WeightsError, match=message):
        load_model(saved)


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = create_model("fcn_resnet18", num_classes=3, width=16)
    return save_model(model, tmp_path_factory.mktemp("composed") / "model.safetensors")


@pytest.mark.parametrize(
    ("name", "options", "described"),
    [
        ("segformer_b0", {"width": 16}, "segformer_b0"),
        ("fcn_resnet18", {"width": 16}, "fcn_resnet18"),
        ("resnet18_ham", {"width": 32, "rank": 4}, "resnet18_ham"),
        ("setr_pup_small", {"layers": (1, 2, 3, 4), "width": 16}, "setr_pup_small"),
        ("nasfpn_efficientnet_b0", {"width": 16, "repeats": 1}, "nasfpn_efficientnet_b0"),
    ],
)
def test_composed_models_are_kept(
    name: str, options: dict[str, Any], described: str, tmp_path: Path
) -> None:
    model = create_model(name, num_classes=3, in_channels=4, **options).eval()
    path = save_model(model, tmp_path / "model.safetensors")
    state = torch.get_rng_state()
    loaded = load_model(path)
    assert torch.equal(torch.get_rng_state(), state)
    assert read_spec(path).model == described
    assert loaded.config == model.config
    assert len(loaded.auxiliaries) == len(model.auxiliaries)
    images = torch.randn(1, 4, 50, 70)
    with torch.no_grad():
        assert torch.equal(loaded(images), model(images))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"encoder": "resnet19"}, "unknown encoder 'resnet19': did you mean resnet18"),
        ({"encoder": ["resnet18"]}, "cannot be built"),
        ({"encoder": "resnet34"}, "misses tensors"),
        ({"encoder_options": 5}, "cannot be built"),
        ({"encoder_options": {"output_stride": 7}}, "cannot be built.*output_stride"),
        ({"decoder_options": {"convs": 10**9}}, "too few tensors"),
        ({"decoder_options": {"convs": "many"}}, "cannot be built"),
        ({"decoder_options": {"width": 0.5}}, "cannot be built"),
        ({"decoder_options": {"width": 10**9}}, "cannot be built|misshapen"),
        ({"decoder_options": {"width": 24}}, "misshapen tensors"),
        ({"decoder": "nasfpn", "decoder_options": {"repeats": 10**9}}, "too few tensors"),
        ({"decoder": "ham", "decoder_options": {"rank": 10**9}}, "too few tensors"),
        ({"decoder": "ham", "decoder_options": {"width": 32 * 10**6}}, "too few tensors"),
        ({"auxiliaries": ["fcn"]}, "cannot be built"),
        ({"auxiliaries": [{"decoder": "fcn", "convs": 10**9}]}, "too few tensors"),
        ({"auxiliaries": []}, r"unknown tensors.*auxiliaries\.0"),
        ({"num_classes": 4}, "describes 3 classes, the model has 4"),
    ],
)
def test_composed_configuration_that_is_not_the_tensors(
    composed: Path, changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(composed.read_bytes())
    edit_spec(path, config={**describe_of(path)["config"], **changes})
    with pytest.raises(WeightsError, match=message):
        load_model(path)


def test_values_that_are_not_finite(saved: Path) -> None:
    tensors = load_file(saved)
    tensors["decoder.align.0.weight"][0, 0] = torch.nan
    spec = json.dumps(describe_of(saved))
    save_file(tensors, saved, {"segnext": spec})
    with pytest.raises(WeightsError, match=r"NaN or infinite values in decoder\.align\.0\.weight"):
        load_model(saved)


def test_tensors_of_many_dimensions(saved: Path) -> None:
    tensors = load_file(saved)
    tensors["decoder.align.0.weight"] = torch.zeros((1,) * 65)
    save_file(tensors, saved, {"segnext": json.dumps(describe_of(saved))})
    message = r"unusable, more than 8 dimensions in decoder\.align\.0\.weight"
    with pytest.raises(WeightsError, match=message):
        load_model(saved)


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ("CC-BY-NC-4.0 (non-commercial)", True),
        ("research only", True),
        ("Apache-2.0", False),
        ("unstated", False),
    ],
)
def test_terms_are_said_when_loaded(
    saved: Path, caplog: pytest.LogCaptureFixture, terms: str, said: bool
) -> None:
    edit_spec(saved, license=terms)
    with caplog.at_level(logging.WARNING, logger="segnext"):
        load_model(saved)
    assert [terms in record.getMessage() for record in caplog.records] == [True] * said


def test_sizes_are_named_and_others_are_custom(smallest_model: SegNeXt) -> None:
    assert describe_model(smallest_model).model == "custom"
    spec = describe_model(smallest_model)
    assert spec.classes.names == ("class_0", "class_1", "class_2")
