import csv
import json
from dataclasses import replace
from typing import Any

import pytest

from reports import MadeUp, duel, report
from segnext.report.tables import DESCRIPTION, write_duel_tables, write_report_tables

KINDS = {"string": str, "integer": int, "number": float}


def read(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(content.decode().splitlines()))


def read_tables(files: dict[str, bytes]) -> dict[str, list[dict[str, str]]]:
    return {name: read(content) for name, content in files.items() if name != DESCRIPTION}


def check_cell(field: dict[str, Any], cell: str) -> None:
    value = KINDS[field["type"]](cell)
    limits = field.get("constraints", {})
    assert value >= limits.get("minimum", value), field
    assert value <= limits.get("maximum", value), field
    assert value in limits.get("enum", [value]), field


def test_tables_hold_the_figures() -> None:
    found = report()
    tables = read_tables(write_report_tables(found))
    tree = tables["classes.csv"][1]
    assert tree["class"] == "<tree> & more"
    assert float(tree["iou"]) == round(found.classes[1].iou or 0, 6)
    assert float(tree["iou_low"]) <= float(tree["iou"]) <= float(tree["iou_high"])
    assert len(tables["pictures.csv"]) == 24
    assert tables["pictures.csv"][19]["picture"] == MadeUp().name(19)
    assert tables["pictures.csv"][19]["wrong"] == "380"
    assert tables["confusion.csv"][1]["sky"] == str(found.confusion[1][2])
    assert tables["sizes.csv"][0]["class"] == "all"
    assert tables["sizes.csv"][2]["found"] == ""  # no large objects
    assert tables["suspects.csv"][0]["truth"] == "<tree> & more"
    assert sum(int(row["pixels"]) for row in tables["reliability.csv"]) == found.pixels
    assert float(tables["coverage.csv"][0]["coverage"]) == 1
    without = write_report_tables(report(confident=False))
    assert not {"reliability.csv", "coverage.csv"} & set(without)


def test_a_comparison_has_two() -> None:
    found = duel(-5)
    tables = read_tables(write_duel_tables(found))
    assert set(tables) == {"classes.csv", "pictures.csv"}
    assert float(tables["classes.csv"][1]["difference_low"]) > 0
    assert len(tables["pictures.csv"]) == 24


@pytest.mark.parametrize(
    "files",
    [
        write_report_tables(report()),
        write_report_tables(report(confident=False)),
        write_duel_tables(duel(-5)),
    ],
    ids=["report", "without confidence", "comparison"],
)
def test_every_column_is_described(files: dict[str, bytes]) -> None:
    package = json.loads(files[DESCRIPTION])
    assert {one["path"] for one in package["resources"]} == {*files} - {DESCRIPTION}
    for resource in package["resources"]:
        fields = resource["schema"]["fields"]
        head, *rows = csv.reader(files[resource["path"]].decode().splitlines())
        assert head == [field["name"] for field in fields]
        assert len({*head}) == len(head)
        assert rows or resource["name"] == "suspects"
        for row in rows:
            for field, cell in zip(fields, row, strict=True):
                assert field["description"]
                if cell not in resource["schema"]["missingValues"]:
                    check_cell(field, cell)


def test_a_class_called_truth_has_a_column_of_its_own() -> None:
    found = report()
    first, *others = found.classes
    found = replace(found, classes=(replace(first, name="truth"), *others))
    table = read(write_report_tables(found)["confusion.csv"])
    assert [row["truth_"] for row in table] == [one.name for one in found.classes]
    assert [row["truth"] for row in table] == [str(row[0]) for row in found.confusion]
