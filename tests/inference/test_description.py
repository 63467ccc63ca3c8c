import json

import pytest

from segnext.classes import Classes
from segnext.errors import WeightsError
from segnext.inference.description import KEY, GraphDescription, parse_description
from segnext.spec import ModelSpec

SPEC = ModelSpec("segnext_tiny", {"num_classes": 2}, Classes(("sky", "road")), license="MIT")


@pytest.mark.parametrize("size", [None, (64, 96)])
def test_round_trip(size: tuple[int, int] | None) -> None:
    description = GraphDescription(SPEC, "labels", pixels=True, size=size, batch=1)
    properties = description.to_properties()
    assert parse_description(properties[KEY], "a.onnx") == description
    assert json.loads(properties["class_names"]) == ["sky", "road"]
    assert len(json.loads(properties["palette"])) == 2
    assert json.loads(properties["mean"]) == [0.485, 0.456, 0.406]
    assert properties["license"] == "MIT"


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"size": 3}', '{"spec": {}, "size": null}'])
def test_damaged_descriptions_are_refused(text: str) -> None:
    with pytest.raises(WeightsError, match=r"a\.onnx: its description is damaged \("):
        parse_description(text, "a.onnx")


def test_files_of_others_are_refused() -> None:
    with pytest.raises(
        WeightsError, match=r"a\.onnx: does not say which classes .* segnext export"
    ):
        parse_description(None, "a.onnx")


@pytest.mark.parametrize(
    "values", [{"output": "x"}, {"multiple": 0}, {"batch": "3"}, {"size": [0, 64]}]
)
def test_values_that_no_export_writes(values: dict[str, object]) -> None:
    spec = ModelSpec("segnext_tiny", {}, Classes(("a", "b")))
    described = json.loads(GraphDescription(spec).to_json()) | values
    with pytest.raises(WeightsError, match=r"a.onnx: its description is damaged \(ValueError"):
        parse_description(json.dumps(described), "a.onnx")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"size": [1e999, 2], "spec": {}}'])
def test_hostile_descriptions_are_refused(text: str) -> None:
    with pytest.raises(WeightsError, match="its description is damaged"):
        parse_description(text, "a.onnx")
