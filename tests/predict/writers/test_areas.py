import csv
from pathlib import Path

from segnext.predict.writers.areas import write_areas


def test_a_row_for_each_class(tmp_path: Path) -> None:
    areas = {"sky, blue": {"pixels": 3, "share": 0.75}, "road": {"pixels": 0, "share": 0.0}}
    write_areas(tmp_path / "areas.csv", {"a": areas, "sub/b": areas})
    with (tmp_path / "areas.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert rows[2] == {"image": "sub/b", "class": "sky, blue", "pixels": "3", "share": "0.75"}


def test_names_that_are_no_utf8(tmp_path: Path) -> None:
    write_areas(tmp_path / "areas.csv", {"b\udce9": {"sky": {"pixels": 1, "share": 1.0}}})
    assert b"b\xe9,sky,1,1.0" in (tmp_path / "areas.csv").read_bytes()
