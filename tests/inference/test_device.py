import pytest
import torch

from segnext.errors import UsageError
from segnext.inference import choose_device, place_model
from segnext.models import SegNeXt


def test_what_is_asked_for_is_obeyed() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device().type in {"cpu", "cuda", "mps"}


def test_wrong_devices_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="unknown device 'gpu': one of cpu, cuda, mps"):
        choose_device("gpu")
    with pytest.raises(UsageError, match="device 'cuda:1' is not available on this machine"):
        choose_device("cuda:1")


def test_models_lie_with_channels_last(smallest_model: SegNeXt) -> None:
    placed = place_model(smallest_model, torch.device("cpu"))
    assert placed is smallest_model
    weight = placed.encoder.stages[1].downsample[0].weight
    assert weight.is_contiguous(memory_format=torch.channels_last)
