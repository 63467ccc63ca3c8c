from pathlib import Path

import pytest
import torch

from segnext.compare import list_tables, read_compare_config
from segnext.errors import UsageError
from segnext.models import configure, configure_classifier, create_classifier, create_model


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


def published(table: str) -> dict[str, dict[str, float]]:
    systems = read_compare_config(table, {}).systems
    return {system.name: system.published for system in systems if system.published}


def test_tables_hold_the_paper_s_numbers() -> None:
    three = published("table3")
    assert len(three) == 16
    assert three["MSCAN-L"] == {"top1": 83.9, "parameters": 45.2}
    assert three["MiT-B3"] == {"top1": 83.1, "parameters": 45.2}
    five = published("table5")
    assert [five[name]["miou"] for name in list(five)[:4]] == [47.3, 48.0, 48.6, 48.5]
    assert five["MSCA head"]["coco_stuff_miou"] == 45.1
    six = published("table6")
    assert [one["miou"] for one in six.values()] == [39.6, 39.7, 40.0, 39.1, 40.5, 41.1]
    assert [one["top1"] for one in six.values()] == [74.7, 75.2, 75.3, 74.8, 75.5, 75.9]
    assert [one["top1"] for one in published("table6_imagenet").values()] == [
        one["top1"] for one in six.values()
    ]
    seven, eight = published("table7"), published("table8")
    assert [one["gmacs"] for one in seven.values()] == [10.0, 4.9, 6.6, 12.1]
    assert [one["miou_multi_scale"] for one in seven.values()] == [41.1, 40.6, 42.2, 42.2]
    assert [one["miou"] for one in eight.values()] == [39.5, 41.0, 43.5, 44.3]
    nine = published("table9")
    assert len(nine) == 15
    assert nine["SegNeXt-L"] == {
        **{"parameters": 48.9, "gmacs": 70.0, "miou": 51.0, "miou_multi_scale": 52.1},
        **{"cityscapes_gmacs": 577.5, "cityscapes_miou": 83.2},
        **{"cityscapes_miou_multi_scale": 83.9},
        **{"coco_stuff_miou": 46.5, "coco_stuff_miou_multi_scale": 47.2},
    }
    assert nine["SegFormer-B2"]["cityscapes_gmacs"] == 717.1


@pytest.mark.parametrize("name", ["table5", "table7", "table8", "table9"])
def test_systems_have_the_sizes_printed_beside_them(name: str) -> None:
    for system in read_compare_config(name, {}).trained:
        if "parameters" in system.published:
            with torch.device("meta"):
                model = create_model(str(system.model), num_classes=150, **system.model_options)
            millions = sum(parameter.numel() for parameter in model.parameters()) / 1e6
            expected = pytest.approx(system.published["parameters"], rel=0.03)
            assert millions == expected, system.name


def test_encoders_have_the_sizes_printed_beside_them() -> None:
    for system in read_compare_config("table3", {}).trained:
        with torch.device("meta"):
            model = create_classifier(str(system.model))
        millions = sum(parameter.numel() for parameter in model.parameters()) / 1e6
        assert millions == pytest.approx(system.published["parameters"], rel=0.03), system.name


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
        (
            "title: x\nsystems: [{name: a b, model: m}, {name: a_b, model: m}]\n",
            "'a b' and 'a_b' would share the folder a_b",
        ),
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
