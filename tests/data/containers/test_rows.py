import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pictures import PHOTO
from rows import cell, columns, photo, png, write_arrow
from segnext.data.containers import rows
from segnext.data.containers.paths import file_size, is_file, is_folder, list_folder, read_bytes
from segnext.data.containers.rows import ArrowRows, copy_parquet, list_columns
from segnext.data.images import read_image
from segnext.errors import DataError, UsageError


def test_a_row_is_a_folder_and_its_pictures_are_files(tmp_path: Path) -> None:
    path = write_arrow(tmp_path / "data.arrow", {**columns(5), "id": [*range(5)]}, batch=2)
    assert is_folder(path)
    assert list_folder(path / "3") == [path / "3/image", path / "3/label"]
    assert is_file(path / "4/label")
    assert not is_file(path / "5/label")
    for row in range(5):
        assert read_bytes(path / str(row) / "image") == png(photo(row))
        np.testing.assert_array_equal(read_image(path / str(row) / "image"), photo(row))
    assert file_size(path / "0/image") == len(png(photo(0)))


@pytest.mark.parametrize(
    "name", ["5/image", "-1/image", "0/id", "01/image", "0", "x/image", "²/image"]
)
def test_what_is_no_row_is_not_there(tmp_path: Path, name: str) -> None:
    found = ArrowRows(write_arrow(tmp_path / "a.arrow", {**columns(5), "id": [*range(5)]}))
    for read in (found.read, found.size):
        with pytest.raises(KeyError):
            read(name)
    found.prefetch()


def test_columns_of_plain_bytes_are_pictures_too(tmp_path: Path) -> None:
    path = write_arrow(tmp_path / "a.arrow", {"image": [b"one", b"two", None]})
    found = ArrowRows(path)
    assert found.columns == ["image"]
    assert found.read("1/image") == b"two"
    assert found.holds("image").tolist() == [True, True, False]
    assert found.file_names("image") == [None] * 3
    with pytest.raises(KeyError):
        found.read("2/image")


def test_missing_pictures_and_paths_are_told(tmp_path: Path) -> None:
    cells = [cell(PHOTO, "a.jpg"), None, {"bytes": None, "path": "/far/away.jpg"}]
    found = ArrowRows(write_arrow(tmp_path / "a.arrow", {"image": cells}, batch=2))
    assert found.holds("image").tolist() == [True, False, False]
    assert found.file_names("image") == ["a.jpg", None, "/far/away.jpg"]


def test_a_file_without_rows_is_empty(tmp_path: Path) -> None:
    schema = pa.table(columns(1)).schema
    with (tmp_path / "a.arrow").open("wb") as file, pa.ipc.new_stream(file, schema):
        pass
    found = ArrowRows(tmp_path / "a.arrow")
    assert len(found) == 0
    assert found.names() == ()
    assert found.holds("image").tolist() == []


@pytest.mark.parametrize("damage", ["cut off", "no arrow", "empty"])
def test_a_damaged_file_is_one_line(tmp_path: Path, damage: str) -> None:
    path = write_arrow(tmp_path / "a.arrow", columns(5))
    content = path.read_bytes()
    broken = {"cut off": content[: len(content) // 2], "no arrow": b"no rows" * 99, "empty": b""}
    path.write_bytes(broken[damage])
    with pytest.raises(DataError, match=r"a\.arrow: is no Arrow file, or damaged .*copy it again"):
        read_bytes(path / "0/image")


def test_positions_that_lead_out_of_the_file_are_refused(tmp_path: Path) -> None:
    path = write_arrow(tmp_path / "a.arrow", {"image": [b"x" * 7919, b"y"]})
    content = path.read_bytes()
    place = content.index((7919).to_bytes(4, "little") + (7920).to_bytes(4, "little"))
    path.write_bytes(content[: place + 4] + (1 << 30).to_bytes(4, "little") + content[place + 8 :])
    with pytest.raises(DataError, match=r"is no Arrow file, or damaged"):
        read_bytes(path / "1/image")


def test_parquet_is_copied_once_with_the_columns_wanted(tmp_path: Path) -> None:
    source, target = tmp_path / "a.parquet", tmp_path / "cache/a.arrow"
    pq.write_table(pa.table({"id": [*range(200)], **columns(200)}), source)
    assert list_columns(source) == ["image", "label"]
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda _: copy_parquet(source, ["label", "image"], target), range(3)))
    found = ArrowRows(target)
    assert len(found) == 200
    assert found.columns == list_columns(target) == ["label", "image"]
    assert found.read("150/image") == png(photo(150))
    assert [path.name for path in target.parent.iterdir() if path.suffix != ".lock"] == ["a.arrow"]
    changed = target.stat().st_mtime_ns
    copy_parquet(source, ["label", "image"], target)
    assert target.stat().st_mtime_ns == changed


def test_a_damaged_parquet_file_leaves_no_copy(tmp_path: Path) -> None:
    source, target = tmp_path / "a.parquet", tmp_path / "a.arrow"
    pq.write_table(pa.table(columns(300)), source)
    content = bytearray(source.read_bytes())
    content[len(content) // 4 : len(content) // 2] = bytes(len(content) // 2 - len(content) // 4)
    source.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.parquet: (is no Parquet file|cannot be copied)"):
        copy_parquet(source, ["image"], target)
    assert not target.exists()
    source.write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"a\.parquet: holds no rows, or is damaged"):
        list_columns(source)


def test_one_picture_named_a_million_times_does_not_fill_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "_MOST_COPIED_BYTES", 100_000)
    source, target = tmp_path / "a.parquet", tmp_path / "a.arrow"
    pq.write_table(pa.table({"image": [png(PHOTO)] * 5000}), source)
    with pytest.raises(DataError, match=r"unpacks to more than [\d,]+ bytes"):
        copy_parquet(source, ["image"], target)
    assert not list(tmp_path.glob("a.arrow*"))


def test_without_pyarrow_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_arrow(tmp_path / "a.arrow", columns(1))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r'pip install "segnext\[hub\]"'):
        read_bytes(path / "0/image")
