import json
import math
from dataclasses import asdict

import pytest

from segnext.classes import Classes
from segnext.errors import UsageError
from segnext.spec import ModelSpec, Normalization, Protocol


def test_spec_survives_json() -> None:
    spec = ModelSpec(
        model="segnext_tiny",
        config={"num_classes": 2, "embed_dims": [1, 2]},
        classes=Classes(("a", "b"), ((1, 2, 3), (4, 5, 6)), ((0, 1), (9, None), (255, 0))),
        normalization=Normalization((0.1, 0.2), (0.3, 0.4)),
        protocol=Protocol(window=64, stride=32, scales=(0.5, 1.0), flip=True),
        score={"miou": 0.5},
        license="MIT",
        notes=("one", "two"),
        encoder_only=True,
    )
    assert ModelSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


@pytest.mark.parametrize(
    "normalization",
    [
        Normalization((0.1, 0.2), (0.3, 0.4)),
        Normalization((0.1, 0.2), (0.3, 0.4), low=(0.0, 0.1), high=(0.5, 1.0), nodata=0),
        Normalization((0.1,), (0.3,), nodata=-9999.0),
    ],
)
def test_normalisations_survive_json(normalization: Normalization) -> None:
    assert Normalization.from_dict(json.loads(json.dumps(asdict(normalization)))) == normalization


def test_normalisations_of_old_files_are_read() -> None:
    expected = Normalization((0.1,), (0.3,))
    assert Normalization.from_dict({"mean": [0.1], "std": [0.3]}) == expected
    assert (expected.low, expected.high, expected.nodata) == (None, None, None)


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [((0.5,), (0.1, 0.2), "as many means as stds"), ((0.5,), (0.0,), "must be positive")],
)
def test_wrong_normalisations_are_named(mean: tuple, std: tuple, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Normalization(mean, std)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"low": (0.1, 0.1)}, r"needs both low and high, got \(0.1, 0.1\) and None"),
        ({"high": (0.1, 0.1)}, r"needs both low and high, got None and \(0.1, 0.1\)"),
        ({"low": (0.1,), "high": (0.2,)}, r"one low and one high for each of 2 channels"),
        ({"low": (0.1, 0.5), "high": (0.2, 0.5)}, r"every low below its high, got \(0.1, 0.5\)"),
        ({"low": (0.1, float("nan")), "high": (0.2, 0.5)}, r"every low below its high"),
        ({"nodata": float("nan")}, r"nodata must be a number that a pixel can have, got nan"),
        ({"nodata": float("inf")}, r"nodata must be a number that a pixel can have, got inf"),
    ],
)
def test_wrong_clipping_and_nodata_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Normalization((0.5, 0.5), (0.1, 0.1), **options)


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [((0.5,), (math.nan,), "stds must be positive"), ((math.inf,), (1.0,), "means must be num")],
)
def test_normalisations_that_are_no_numbers(mean: tuple, std: tuple, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Normalization(mean, std)
