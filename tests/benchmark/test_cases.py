import pickle
from pathlib import Path

import pytest
import torch

from conftest import SMALLEST
from fake_backends import FAKES
from segnext.benchmark.cases import (
    Case,
    Subject,
    check_options,
    choose_backends,
    find_subjects,
    list_cases,
)
from segnext.data.synthetic import SCENE_CLASSES
from segnext.errors import SegnextError, UsageError, WeightsError
from segnext.models import SegNeXt, SegNeXtConfig, create_model
from segnext.weights import save_model


@pytest.fixture
def exported(tmp_path: Path) -> str:
    path = tmp_path / "roads.onnx"
    path.write_bytes(b"a graph")
    return str(path)


def test_models_weights_and_exported_files_are_told_apart(
    scene_weights: Path, exported: str
) -> None:
    found = find_subjects(["segnext_tiny", str(scene_weights), exported], 7)
    assert found == [
        Subject("segnext_tiny", "segnext_tiny", "model", 7),
        Subject("scenes.safetensors", str(scene_weights), "weights", SCENE_CLASSES.num_classes),
        Subject("roads.onnx", exported, "exported", 7),
    ]


def test_any_combination_of_encoder_and_decoder_is_a_model(tmp_path: Path) -> None:
    (found,) = find_subjects(["mscan_tiny_mlp"], 5)
    assert found == Subject("mscan_tiny_mlp", "mscan_tiny_mlp", "model", 5)
    assert found.count((64, 64)) is not None
    with pytest.raises(UsageError, match="unknown decoder 'mpl': did you mean mlp"):
        find_subjects(["mscan_tiny_mpl"], 5)
    with pytest.raises(WeightsError, match="no such file"):
        find_subjects([str(tmp_path / "mscan_tiny_best.safetensors")], 5)


def test_files_of_one_name_are_told_by_their_paths(tmp_path: Path, scene_weights: Path) -> None:
    other = tmp_path / scene_weights.name
    other.write_bytes(scene_weights.read_bytes())
    labels = [subject.label for subject in find_subjects([str(scene_weights), str(other)], 3)]
    assert labels == [str(scene_weights), str(other)]


def test_a_named_model_has_the_same_weights_each_time() -> None:
    subject = Subject("segnext_tiny", "segnext_tiny", "model", 3)
    state = torch.get_rng_state()
    first, second = subject.build(), subject.build()
    assert isinstance(first, SegNeXt)
    assert isinstance(second, SegNeXt)
    assert not first.training
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)
    assert torch.equal(state, torch.get_rng_state())


def test_weights_know_their_channels_and_classes(tmp_path: Path) -> None:
    model = SegNeXt(SegNeXtConfig(num_classes=4, in_channels=5, **SMALLEST))
    path = save_model(model, tmp_path / "five.safetensors")
    (subject,) = find_subjects([str(path)], 150)
    assert subject.num_classes == 4
    costs = subject.count((64, 64))
    assert costs is not None
    assert costs.parameters == sum(p.numel() for p in model.parameters())


def test_only_exported_files_cannot_be_counted(exported: str) -> None:
    (tiny, file) = find_subjects(["segnext_tiny", exported], 19)
    costs = tiny.count((64, 64))
    assert costs is not None
    expected = create_model("segnext_tiny", num_classes=19)
    assert costs.parameters == sum(p.numel() for p in expected.parameters())
    assert file.count((64, 64)) is None
    assert file.build() == exported


def test_cases_are_every_combination_and_files_keep_their_backend(exported: str) -> None:
    subjects = find_subjects(["segnext_tiny", exported], 3)
    sizes = [(64, 64), (64, 96)]
    cases = list_cases(subjects, sizes, ["folded", "auto"], ["float32", "float16"], threads=1)
    assert len(cases) == 2 * 2 * 2 + 2 * 2
    assert [case.backend for case in cases[:3]] == ["folded", "auto", "folded"]
    assert {case.backend for case in cases[8:]} == {"onnxruntime"}
    assert {(case.batch, case.output, case.threads) for case in cases} == {(1, "labels", 1)}
    assert pickle.loads(pickle.dumps(cases)) == cases


def test_opening_hands_everything_to_the_backend(exported: str) -> None:
    seen = {}
    (subject,) = find_subjects([exported], 3)
    case = Case(
        subject=subject,
        backend="onnxruntime",
        size=(64, 96),
        precision="float16",
        device="cpu",
        threads=3,
    )
    case.open(lambda source, **options: seen.update(options, source=source))
    assert seen == {
        "source": exported,
        "backend": "onnxruntime",
        "device": "cpu",
        "threads": 3,
        "precision": "float16",
    }


def test_images_repeat_and_are_pixels_where_these_are_wanted() -> None:
    (subject,) = find_subjects(["segnext_tiny"], 3)
    case = Case(subject=subject, backend="auto", size=(70, 100), batch=2)
    images = case.draw_images(5, pixels=False)
    assert images.shape == (2, 5, 70, 100)
    assert images.dtype == torch.float32
    assert torch.equal(images, case.draw_images(5, pixels=False))
    assert 0.3 < images.std() < 1.5
    pixels = case.draw_images(3, pixels=True)
    assert pixels.dtype == torch.uint8
    assert 100 < pixels.float().mean() < 160


def test_backends_are_chosen_by_name() -> None:
    assert choose_backends(["failing", "steady", "failing"], FAKES) == ["failing", "steady"]
    assert choose_backends(["steady", "all"], FAKES) == list(FAKES)
    assert choose_backends(["auto"], FAKES) == ["auto"]
    with pytest.raises(UsageError, match="unknown backend 'stedy': did you mean steady"):
        choose_backends(["stedy"], FAKES)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("segnext_tinny", "unknown model 'segnext_tinny': did you mean segnext_tiny"),
        ("nowhere.onnx", "nowhere.onnx: no such file"),
        ("nowhere.safetensors", "nowhere.safetensors: no such file"),
        ("nowhere.pth", "nowhere.pth: .pth files are pickles of other programs"),
    ],
)
def test_unknown_models_are_named(source: str, message: str) -> None:
    with pytest.raises(SegnextError, match=message):
        find_subjects([source], 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sizes": [(512, 16)]}, "size 512x16: at least 32x32 px"),
        ({"precisions": ["float8"]}, "unknown precision 'float8'"),
        ({"output": "masks"}, "unknown output 'masks'"),
        ({"batch": 0}, "batch must be at least 1, got 0"),
    ],
)
def test_options_out_of_range_are_named(options: dict[str, object], message: str) -> None:
    fine = {"sizes": [(32, 32)], "precisions": ["float32"], "output": "logits", "batch": 1}
    check_options(**fine)
    with pytest.raises(UsageError, match=message):
        check_options(**(fine | options))
