import importlib

import pytest
import torch

from segnext.errors import UsageError
from segnext.models.encoders import encoder
from segnext.models.encoders.encoder import check_options, import_transformers
from segnext.models.encoders.resnet import ResNet


def test_a_missing_package_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r'needs transformers: pip install "segnext\[baselines\]"'):
        ResNet("resnet18")


def test_an_old_package_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_transformers(), "__version__", "4.57.1")
    least = r"transformers 5\.9 or newer, found 4\.57\.1: pip install"
    with pytest.raises(UsageError, match=least):
        import_transformers()


def test_the_least_version_is_that_of_the_extra(request: pytest.FixtureRequest) -> None:
    declared = (request.config.rootpath / "pyproject.toml").read_text()
    least = ".".join(map(str, encoder.LEAST_TRANSFORMERS))
    assert f'{encoder.EXTRA} = ["transformers>={least}"]' in declared


def test_options_are_checked() -> None:
    with pytest.raises(UsageError, match="in_channels must be at least 1, got 0"):
        check_options(0)
    with pytest.raises(UsageError, match=r"drop_path_rate must lie in \[0, 1\), got 1.0"):
        check_options(3, drop_path_rate=1.0)
    with pytest.raises(UsageError, match="output_stride must be 8, 16 or 32, got 4"):
        check_options(3, output_stride=4)


def test_a_single_position_has_no_batch_statistics() -> None:
    resnet = ResNet("resnet18")
    with pytest.raises(ValueError, match="one 32x32 image leaves stage 4 a single position"):
        resnet(torch.randn(1, 3, 32, 32))
    assert len(resnet(torch.randn(2, 3, 32, 32))) == 4
