from pathlib import Path

import pytest

from segnext.errors import UsageError
from segnext.training.arguments import parse_bytes, parse_overrides, read_config
from segnext.training.config import build_config


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("1h30m", 5400), ("1.5h", 5400), (60, 60)]
)
def test_budgets(text: str | int, seconds: float) -> None:
    assert build_config({"data": "x", "budget": text}).budget == seconds


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"batchsize": 4}, "unknown training option 'batchsize': did you mean batch_size"),
        ({"budget": "soon"}, "training option budget: 'soon' is no duration; write 90s, 30m"),
        ({"batch_size": 0}, r"training option batch_size: .*greater than or equal to 1 \(got 0\)"),
        ({"crop_size": (16, 64)}, r"training option crop_size.0: .*32 \(got 16\)"),
        ({"precision": "fp8"}, "training option precision: .*'fp32', 'bf16' or 'fp16'"),
        ({"device": "tpu"}, "training option device"),
        ({"flip": 2}, "training option flip"),
    ],
)
def test_wrong_options_are_named(values: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build_config({"data": "x", **values})


def test_numbers_that_yaml_reads_as_text() -> None:
    overrides = parse_overrides(["learning_rate=6e-5", "crop_size=[64, 96]"])
    config = build_config({"data": "x", **overrides})
    assert config.learning_rate == 6e-5
    assert config.crop_size == (64, 96)


def test_dotted_overrides() -> None:
    values = parse_overrides(["model_options.rank=8", "model_options.branches=[7]", "seed=3"])
    assert values == {"model_options": {"rank": 8, "branches": [7]}, "seed": 3}
    with pytest.raises(UsageError, match="override 'seed' should read name=value"):
        parse_overrides(["seed"])


def test_config_files(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("seed: 4\nbatch_size: 2  # because\n")
    assert read_config(path) == {"seed": 4, "batch_size": 2}
    path.write_text("- a\n- b\n")
    with pytest.raises(UsageError, match="should hold `option: value` lines"):
        read_config(path)
    with pytest.raises(UsageError, match=r"nowhere.yaml: cannot be read"):
        read_config(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize(
    ("text", "count"), [("8GB", 8 * 10**9), ("1.5 gb", 1_500_000_000), ("500MB", 5 * 10**8), (7, 7)]
)
def test_amounts_of_memory(text: str | int, count: int) -> None:
    assert parse_bytes(text) == count
    assert build_config({"data": "x", "memory": text}).memory == count
    with pytest.raises(UsageError, match=r"memory: 'much' is no amount of memory; write 500MB"):
        build_config({"data": "x", "memory": "much"})


def test_more_memory_than_there_are_numbers() -> None:
    with pytest.raises(UsageError, match="training option memory: more memory than"):
        build_config({"data": "x", "memory": "9" * 400 + "GB"})


@pytest.mark.parametrize("text", ["[" * 100_000, "2001-99-99", "0x" + "f" * 5000])
def test_hostile_config_files(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(f"data: {text}")
    with pytest.raises(UsageError, match=r"plan.yaml: cannot be read as YAML"):
        read_config(path)


def test_names_of_options_are_texts() -> None:
    with pytest.raises(UsageError, match="unknown training option '1'"):
        build_config({1: 2})  # type: ignore[dict-item]
