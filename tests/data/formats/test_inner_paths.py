from pathlib import PurePosixPath

import pytest

from segnext.data.formats.inner_paths import inner_path
from segnext.errors import DataError


def test_paths_below_the_root() -> None:
    assert inner_path("a\\b/c.json", "here") == PurePosixPath("a/b/c.json")
    assert inner_path("./a..b", "here") == PurePosixPath("a..b")


@pytest.mark.parametrize("text", ["/etc/a", "C:\\a", "C:a", "../a", "a/../../b", "\\\\host\\a"])
def test_paths_that_lead_out(text: str) -> None:
    with pytest.raises(DataError, match=r"here: .* leads out of the data set"):
        inner_path(text, "here")


@pytest.mark.parametrize("text", ["", None, 3, ["a"], "a\0b"])
def test_what_is_no_path(text: object) -> None:
    with pytest.raises(DataError, match=r"here: must name a path, not "):
        inner_path(text, "here")
