import csv

from reports import MadeUp, duel, report
from segnext.report.tables import write_duel_tables, write_report_tables


def read(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(content.decode().splitlines()))


def test_tables_hold_the_figures() -> None:
    found = report()
    tables = {name: read(content) for name, content in write_report_tables(found).items()}
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
    tables = {name: read(content) for name, content in write_duel_tables(found).items()}
    assert set(tables) == {"classes.csv", "pictures.csv"}
    assert float(tables["classes.csv"][1]["difference_low"]) > 0
    assert len(tables["pictures.csv"]) == 24
