import zipfile
from pathlib import Path

import pytest

from segnext.data.formats import json_files
from segnext.data.formats.json_files import read_head, read_json
from segnext.errors import DataError


def test_reads_on_disk_and_in_archives(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf{"a": [1, 2.5]}')
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.write(tmp_path / "a.json", "in/a.json")
    for path in (tmp_path / "a.json", tmp_path / "b.zip/in/a.json"):
        assert read_json(path) == {"a": [1, 2.5]}
        assert read_head(path, 8) == '{"a":'
        assert read_head(path) == '{"a": [1, 2.5]}'


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"a": 1', r"a\.json: is no valid JSON \(Expecting .*\); copy or export it again"),
        (b"[" * 100_000, r"a\.json: is no valid JSON .nested too deeply"),
        (b"9" * 5000, r"a\.json: is no valid JSON \(Exceeds the limit"),
        (b"\xff\xfe", r"a\.json: is not UTF-8 text"),
    ],
)
def test_broken_files(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(data)
    with pytest.raises(DataError, match=message):
        read_json(path)


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.json: cannot be read \(No such file"):
        read_json(tmp_path / "a.json")
    assert read_head(tmp_path / "a.json") == ""
    assert read_head(tmp_path) == ""


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.json").write_text("[1, 2, 3]")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.write(tmp_path / "a.json", "a.json")
    monkeypatch.setattr(json_files, "MAX_FILE_BYTES", 8)
    monkeypatch.setattr(json_files, "_MOST_PACKED", 8)
    with pytest.raises(DataError, match=r"a\.json: 9 bytes are more than a JSON file may have, 8"):
        read_json(tmp_path / "a.json")
    assert read_head(tmp_path / "b.zip/a.json") == ""
