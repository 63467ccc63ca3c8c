import pytest

from segnext.errors import UsageError
from segnext.inference.backends.extras import import_extra, missing_extra


def test_an_installed_package_is_imported() -> None:
    assert missing_extra("torch", "export") is None
    assert import_extra("torch.nn", "export").Module


def test_a_missing_package_names_its_extra() -> None:
    with pytest.raises(
        UsageError, match=r'this needs no_such_package: pip install "segnext\[mobile\]"'
    ):
        import_extra("no_such_package", "mobile")
