import json
from dataclasses import asdict, replace

import pytest

from segnext import spec
from segnext.errors import UsageError
from segnext.protocol import Protocol

EVERYTHING = Protocol(
    window=64,
    stride=32,
    scales=(0.5, 1.0),
    flip=True,
    box=(2048, 512),
    resize_to_multiple=32,
    rounding="mmcv",
    resample="pixels",
    overlap="probabilities",
    steps=2,
)


def test_protocols_name_every_choice() -> None:
    assert Protocol().describe() == "own size, whole image, single scale"
    protocol = Protocol(short_side=512, window=512, scales=(0.5, 1), flip=True)
    assert protocol.describe() == "short side 512, window 512 stride 341, scales 0.5/1, flip"
    assert EVERYTHING.describe() == (
        "box 2048x512, stretched to multiples of 32, window 64 stride 32 averaging probabilities, "
        "scales 0.5/1, flip, logits in two steps, pixels resized, mmcv's rounding"
    )
    padded = Protocol(pad_to_multiple=32)
    assert padded.describe() == "own size, padded to multiples of 32, whole image, single scale"


def test_every_choice_changes_the_line() -> None:
    lines = {EVERYTHING.describe()}
    for name, value in asdict(Protocol()).items():
        if name not in ("stride", "short_side", "pad_to_multiple"):
            changes = {name: value} if name != "window" else {"window": None, "stride": None}
            lines.add(replace(EVERYTHING, **changes).describe())
    assert len(lines) == 1 + 9


def test_protocols_survive_json() -> None:
    assert Protocol.from_dict(json.loads(json.dumps(asdict(EVERYTHING)))) == EVERYTHING
    assert Protocol.from_dict(json.loads(json.dumps(asdict(Protocol())))) == Protocol()


def test_protocols_of_old_files_are_read() -> None:
    old = {"short_side": 512, "window": None, "stride": None, "scales": [1.0], "flip": False}
    assert Protocol.from_dict(old) == Protocol(short_side=512)
    assert Protocol.from_dict({}) == Protocol()
    with pytest.raises(TypeError, match="zoom"):
        Protocol.from_dict({"zoom": 2})


def test_the_old_home_leads_to_the_same_class() -> None:
    assert spec.Protocol is Protocol


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"short_side": 16}, r"short side 16 px is below the network's least size, 32 px"),
        ({"window": 16}, r"window 16 px is below"),
        ({"stride": 32}, r"stride 32 px needs a window; give --window too"),
        ({"window": 64, "stride": 65}, r"must lie between 1 and the window, 64 px"),
        ({"scales": (0.0,)}, r"scales must be positive numbers, got \(0.0,\)"),
        ({"scales": (1.0, float("nan"))}, r"scales must be positive numbers, got \(1.0, nan\)"),
        ({"scales": (float("inf"),)}, r"scales must be positive numbers, got \(inf,\)"),
        ({"box": (512, 2048)}, r"a long and a short side of 32 px or more, got \(512, 2048\)"),
        ({"box": (512, 16)}, r"a long and a short side of 32 px or more"),
        ({"box": (512,)}, r"a long and a short side"),
        ({"box": (64, 64), "short_side": 64}, r"short side 64 px and box \(64, 64\) exclude"),
        ({"pad_to_multiple": 1}, r"pad_to_multiple must lie between 2 and 1024 px, got 1"),
        ({"resize_to_multiple": 2**40}, r"resize_to_multiple must lie between 2 and 1024 px"),
        (
            {"pad_to_multiple": 32, "resize_to_multiple": 16},
            r"either resized or padded to multiples, got resize_to_multiple 16 and pad_to",
        ),
        ({"steps": 3}, r"steps of a protocol is 1 or 2, got 3"),
        (
            {"overlap": "labels"},
            r"overlap of a protocol is logits or probabilities or blend, got 'labels'",
        ),
        ({"rounding": "down"}, r"rounding of a protocol is nearest or mmcv, got 'down'"),
        ({"resample": "logits"}, r"resample of a protocol is inputs or pixels, got 'logits'"),
    ],
)
def test_wrong_protocols_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Protocol(**options)
