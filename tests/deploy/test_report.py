import json
from pathlib import Path

from exports import scene_spec
from segnext import __version__
from segnext.deploy.report import ExportReport, FileScore, list_versions
from segnext.deploy.verify import Latency, Parity
from segnext.inference.description import GraphDescription


def test_everything_is_json_without_paths_of_this_machine() -> None:
    report = ExportReport(
        Path("/somewhere/out.xml"),
        "OpenVINO",
        GraphDescription(scene_spec(), precision="int8"),
        {"out.bin": 30, "out.xml": 12},
        100,
        Parity(4, 1000, 0.25, 0.99),
        Latency(20.0, 5.0, 64, 96, 2, 7),
        FileScore("val", 2, "own size", 0.5, 0.49),
        64,
        Path("/somewhere/bundle"),
    )
    assert report.total_bytes == 42
    text = json.dumps(report.to_dict())
    assert "somewhere" not in text
    told = json.loads(text)
    assert told["score"]["after"] == 0.49
    assert told["parity"]["max_abs_logit_difference"] == 0.25
    assert told["precision"] == "int8"


def test_versions_are_of_what_is_there() -> None:
    found = list_versions()
    assert found["segnext"] == __version__
    assert "torch" in found
