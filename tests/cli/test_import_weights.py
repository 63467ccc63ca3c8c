from pathlib import Path

import pytest
import torch
import typer
from typer.testing import CliRunner, Result

from segnext.cli.import_weights import import_weights
from segnext.errors import DataError, SegnextError, UsageError, WeightsError
from segnext.models import create_model
from segnext.protocol import Protocol
from segnext.weights import load_model, load_tensors, read_spec

app = typer.Typer()
app.command()(import_weights)


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, SegnextError):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole model in another program's wrapping, without bases and with a stray tensor."""
    tensors = create_model("segnext_tiny", num_classes=3).state_dict()
    del tensors["decoder.hamburger.nmf.initial_bases"]
    path = tmp_path_factory.mktemp("foreign") / "tiny.pth"
    extra = {"auxiliary_head.conv_seg.bias": torch.zeros(3)}
    torch.save({"state_dict": {f"module.{n}": t for n, t in (tensors | extra).items()}}, path)
    return path


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tensors = create_model("segnext_tiny", num_classes=1).encoder.state_dict()
    path = tmp_path_factory.mktemp("foreign") / "mscan_t.pth"
    torch.save({"state_dict": tensors | {"head.bias": torch.zeros(1000)}}, path)
    return path


def test_whole_model(checkpoint: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.safetensors"
    result = run(checkpoint, output, "--classes", "road, car,sky", "--license", "MIT")
    assert result.exit_code == 0, result.output
    said = " ".join(result.output.split())
    assert "model segnext_tiny, 3 classes" in said
    assert "missing 1: decoder.hamburger.nmf.initial_bases" in said
    assert "left over 1: auxiliary_head.conv_seg.bias" in said
    assert "first bases of the decomposition are made anew" in said
    model = load_model(output)
    assert model.spec is not None
    assert model.spec.classes.names == ("road", "car", "sky")
    assert model.spec.license == "MIT"
    assert "protocol own size, stretched to multiples of 32" in said
    assert model.spec.protocol == Protocol(resize_to_multiple=32)


def test_terms_are_unstated_by_default(checkpoint: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.safetensors"
    run(checkpoint, output)
    assert read_spec(output).license == "unstated (imported from tiny.pth; see its source)"
    assert read_spec(output).classes.names == ("class_0", "class_1", "class_2")


def test_encoder_alone(encoder: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.safetensors"
    said = run(encoder, output).output
    assert "encoder only" in said
    assert "the ImageNet classifier" in said
    assert read_spec(output).encoder_only
    assert all(name.startswith("encoder.") for name in load_tensors(output))


def test_encoder_with_classes_from_a_file(encoder: Path, tmp_path: Path) -> None:
    names = tmp_path / "names.txt"
    names.write_text("crop\nweed\n\n", encoding="utf-8")
    output = tmp_path / "out.safetensors"
    said = run(encoder, output, "--classes", names, "--in-channels", 4).output
    assert "the decoder starts untrained" in said
    assert "adapted to 4" in said
    spec = read_spec(output)
    assert not spec.encoder_only
    assert spec.classes.names == ("crop", "weed")
    assert any("untrained" in note for note in spec.notes)
    assert load_model(output).config.in_channels == 4


def test_errors_name_the_file_and_write_nothing(encoder: Path, tmp_path: Path) -> None:
    torch.save({"fc.weight": torch.ones(1)}, tmp_path / "resnet.pth")
    with pytest.raises(WeightsError, match=r"resnet\.pth: found no tensors of a SegNeXt"):
        run(tmp_path / "resnet.pth", tmp_path / "out.safetensors")
    with pytest.raises(WeightsError, match=r"gone\.pth: no such file"):
        run(tmp_path / "gone.pth", tmp_path / "out.safetensors")
    with pytest.raises(DataError, match=r"gone\.txt"):
        run(encoder, tmp_path / "out.safetensors", "--classes", "gone.txt")
    with pytest.raises(UsageError, match=r"end in \.safetensors"):
        run(encoder, tmp_path / "out.pth")
    assert [entry.name for entry in tmp_path.iterdir()] == ["resnet.pth"]


def test_long_lists_of_classes_are_no_file_name(encoder: Path, tmp_path: Path) -> None:
    names = tuple(f"a class with a long name {index}" for index in range(300))
    run(encoder, tmp_path / "out.safetensors", "--classes", ",".join(names))
    assert read_spec(tmp_path / "out.safetensors").classes.names == names


def test_our_own_files_are_not_imported(checkpoint: Path, tmp_path: Path) -> None:
    output = tmp_path / "out.safetensors"
    run(checkpoint, output)
    with pytest.raises(UsageError, match="is a segnext weights file already"):
        run(output, tmp_path / "again.safetensors")


def test_help_shows_an_example() -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert "Example: segnext import-weights" in " ".join(result.output.split())
