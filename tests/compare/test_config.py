from pathlib import Path

import pytest

from segnext.compare import list_tables, read_compare_config
from segnext.errors import UsageError
from segnext.models import configure, configure_classifier


def test_the_paper_s_tables_come_with_the_package() -> None:
    assert {f"table{number}" for number in (3, 5, 6, 7, 8, 9)} <= set(list_tables())


@pytest.mark.parametrize("name", list_tables())
def test_every_system_of_a_table_can_be_built(name: str) -> None:
    config = read_compare_config(name, {})
    assert config.systems
    for system in config.trained:
        build = configure if config.task == "segment" else configure_classifier
        build(str(system.model), num_classes=20, **system.model_options)
    assert name == "small_systems" or any(system.published for system in config.systems)


def test_tables_hold_the_paper_s_numbers() -> None:
    rows = {system.name: system for system in read_compare_config("table9", {}).systems}
    assert rows["SegNeXt-B"].published["miou"] == 48.5
    assert rows["SegFormer-B2"].published["gmacs"] == 62.4
    rows = {system.name: system for system in read_compare_config("table3", {}).systems}
    assert rows["MSCAN-L"].published == {"top1": 83.9, "parameters": 45.2}
    six = read_compare_config("table6", {}).systems
    assert [system.published["miou"] for system in six] == [39.6, 39.7, 40.0, 39.1, 40.5, 41.1]


def test_changes_go_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "title: mine\noptions: {max_steps: 10, batch_size: 2}\n"
        "systems: [{name: a, model: segnext_tiny}, {name: b}]\n"
    )
    config = read_compare_config(
        path, {"options": {"max_steps": 20}, "seeds": (3,), "systems": ["b"]}
    )
    assert config.options == {"max_steps": 20, "batch_size": 2}
    assert config.seeds == (3,)
    assert [system.name for system in config.systems] == ["b"]
    assert config.trained == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title: x\nsystems: []\n", "systems: "),
        ("title: x\nsystems: [{name: a}, {name: a}]\n", "two systems are called 'a'"),
        ("title: x\nseeds: [1, 1]\nsystems: [{name: a}]\n", "seeds must be distinct, got"),
        ("titles: x\nsystems: [{name: a}]\n", "unknown entry 'titles': did you mean title"),
        ("title: x\nsystems: [{name: a, modl: b}]\n", "unknown entry 'modl': did you mean model"),
        ("- a\n", "holds list, not names with values"),
        ("a: [\n", "not YAML"),
    ],
)
def test_what_cannot_be_compared_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"wrong\.yaml: ") as caught:
        read_compare_config(path, {})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_names_are_answered_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"unknown comparison 'table66': did you mean .*table6"):
        read_compare_config("table66", {})
    with pytest.raises(UsageError, match="unknown system 'al'"):
        read_compare_config("table6", {"systems": ["al"]})
    with pytest.raises(UsageError, match=r"nowhere.yaml: cannot be read"):
        read_compare_config("nowhere.yaml", {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1: 2\n", "unknown entry '1'"),
        ("title: t\noptions: [1]\n", r"options is \[1\], not a dict"),
        ("title: t\nsystems: 3\n", "systems is 3, not a list"),
    ],
)
def test_entries_of_other_types(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        read_compare_config(path, {"options": {"max_steps": 1}, "systems": ["a"]})
