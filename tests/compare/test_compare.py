"""Systems that are really trained, for a few steps."""

import json
from pathlib import Path
from typing import Any

import pytest

from comparisons import SMALL
from segnext.compare import CompareConfig, compare
from segnext.compare.measuring import MEASURED
from segnext.errors import TrainingError, UsageError

OPTIONS: dict[str, Any] = {
    "init": "none",
    "max_steps": 2,
    "validate_every": 1,
    "batch_size": 2,
    "crop_size": [32, 32],
    "learning_rate": 1e-3,
    "num_workers": 0,
}


@pytest.fixture(scope="module")
def config(scenes: Path) -> CompareConfig:
    return CompareConfig(
        title="two",
        data=scenes,
        options=OPTIONS,
        size=(64, 64),
        backends=("eager",),
        systems=[
            {"name": "all", "model": "segnext_tiny", "model_options": SMALL},
            {
                "name": "no gate",
                "model": "segnext_tiny",
                "model_options": {**SMALL, "gate": False},
                "published": {"miou": 40.5},
            },
            {"name": "FCN", "model": "fcn_resnet18", "model_options": {"width": 16}},
            {"name": "published"},
        ],
    )


@pytest.fixture(scope="module")
def out(config: CompareConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("compared")
    result = compare(config, out, quiet=True)
    assert [row.score is not None for row in result.rows] == [True, True, True, False]
    return out


def test_runs_numbers_and_page_are_there(out: Path) -> None:
    told = json.loads((out / "comparison.json").read_text())
    page = (out / "comparison.html").read_text()
    rows = {row["system"]: row for row in told["rows"]}
    for name in ("all", "no gate", "FCN"):
        (run,) = rows[name]["runs"]
        assert (out / run["weights"]).is_file()
        assert (out / run["report"]).is_file()
        explained = json.loads((out / run["report"]).with_name("report.json").read_text())
        assert run["scores"]["miou"] == 100 * explained["miou"]
        assert f'href="{run["report"].replace(" ", "%20")}"' in page
        assert run["steps"] == 2
        assert [step for step, _ in run["curve"]] == [1, 2]
        # The weights are the best validation's, and val is what they are scored on.
        assert run["scores"]["miou"] == pytest.approx(max(score for _, score in run["curve"]))
        assert rows[name]["measured"]["milliseconds"]["eager"] > 0
        assert rows[name]["measured"]["memory_mb"].keys() == {"eager"}
    parameters = {name: rows[name]["measured"]["parameters"] for name in ("all", "no gate")}
    assert parameters["all"] == parameters["no gate"]
    assert rows["published"]["measured"] is None
    assert "no gate" in page
    assert len((out / "comparison.csv").read_text().splitlines()) == 5


def test_a_second_call_keeps_everything(config: CompareConfig, out: Path) -> None:
    before = (out / MEASURED).read_bytes(), (out / "comparison.csv").read_text()
    kept: list[bool] = []
    compare(config, out, quiet=True, on_run=lambda _system, _seed, known: kept.append(known))
    assert kept == [True, True, True]
    assert ((out / MEASURED).read_bytes(), (out / "comparison.csv").read_text()) == before


def test_what_is_there_can_be_put_on_the_page_without_training(
    config: CompareConfig, tmp_path: Path
) -> None:
    result = compare(config, tmp_path, train=False)
    assert result.ranked == []
    assert "published figures alone" in (tmp_path / "comparison.html").read_text()
    assert not (tmp_path / "runs").exists()


def test_training_needs_data(config: CompareConfig, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no data given to train on"):
        compare(config.model_copy(update={"data": None}), tmp_path)
    assert not list(tmp_path.iterdir())


def test_damaged_measurements_are_named(config: CompareConfig, out: Path, tmp_path: Path) -> None:
    (tmp_path / "runs").symlink_to(out / "runs")
    (tmp_path / MEASURED).write_text("[]")
    with pytest.raises(TrainingError, match=r"measured.json: damaged .*; remove it"):
        compare(config, tmp_path, quiet=True)
