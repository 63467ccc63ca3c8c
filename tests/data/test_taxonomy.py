from pathlib import Path

import pytest

from segnext.data.taxonomy import Taxonomy, read_classes
from segnext.errors import DataError


def _read(folder: Path, text: str) -> Taxonomy:
    path = folder / "classes.txt"
    path.write_text(text, encoding="utf-8")
    return read_classes(path)


def test_names_alone(tmp_path: Path) -> None:
    taxonomy = _read(tmp_path, "\ufeff# streets\nroad\n\n  traffic light \nvoid\n")
    assert taxonomy.classes.names == ("road", "traffic light", "void")
    assert not taxonomy.has_colors


@pytest.mark.parametrize(
    "line", ["traffic light 250 170 30", "traffic light,250,170,30", "traffic light #FAAA1E"]
)
def test_colors(tmp_path: Path, line: str) -> None:
    taxonomy = _read(tmp_path, f"road 128 64 128\n{line}\nVoid 0 0 0\n")
    assert taxonomy.classes.names == ("road", "traffic light")
    assert taxonomy.classes.colors == ((128, 64, 128), (250, 170, 30))
    assert taxonomy.has_colors
    assert taxonomy.void_colors == ((0, 0, 0),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("road 1 2 3\n\ncar\n", "line 3: 'car' has no colour, unlike the lines before"),
        ("road\ncar #010203\n", "line 2: 'car #010203' has a colour"),
        ("road 1 2 256\n", "line 1: colour 1 2 256 goes beyond 255"),
        ("road 1 2 3\ncar #010203\n", r"1,2,3 \(#010203\) is given twice"),
        ("road\nroad\n", "class names must differ, given twice: road"),
        ("# nothing\n", "declares no class"),
        ("void 0 0 0\n", "declares no class"),
    ],
)
def test_malformed_files(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=rf"classes\.txt.*{message}"):
        _read(tmp_path, text)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_classes(tmp_path / "absent.txt")
