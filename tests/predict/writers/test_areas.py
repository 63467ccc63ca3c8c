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
