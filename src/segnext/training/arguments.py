"""How words become options: durations, sizes, YAML files and `name=value`."""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from segnext.errors import UsageError
from segnext.parsing import parse_yaml

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"MB": 10**6, "GB": 10**9, "TB": 10**12}


def parse_duration(value: object) -> object:
    """Turn `90s`, `30m`, `1h30m` or `2h` into seconds; numbers are seconds already.

    Raises:
        ValueError: The text is none of these.
    """
    if not isinstance(value, str):
        return value
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", value)
    if not parts or "".join(number + unit for number, unit in parts) != value.strip():
        msg = f"{value!r} is no duration; write 90s, 30m, 1h30m or 2h"
        raise ValueError(msg)
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def parse_bytes(value: object) -> object:
    """Turn `500MB` or `8GB` into bytes; numbers are bytes already.

    Raises:
        ValueError: The text is neither.
    """
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([MGT]B)", value.strip(), re.IGNORECASE)
    if not match:
        msg = f"{value!r} is no amount of memory; write 500MB or 8GB"
        raise ValueError(msg)
    amount = float(match[1]) * _BYTES[match[2].upper()]
    if math.isinf(amount):
        msg = "more memory than there are numbers; write 500MB or 8GB"
        raise ValueError(msg)
    return int(amount)


def read_config(path: Path) -> dict[str, Any]:
    """Read a YAML file of options, such as a plan.yaml or the config.yaml of an earlier run.

    Raises:
        UsageError: The file is missing or is not a YAML mapping.
    """
    try:
        values = parse_yaml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{path}: cannot be read as YAML: {error}"
        raise UsageError(msg) from error
    if not isinstance(values, dict):
        msg = f"{path}: should hold `option: value` lines"
        raise UsageError(msg)
    return values


def parse_overrides(overrides: Sequence[str]) -> dict[str, Any]:
    """Read `name=value` and `name.entry=value` words; values are YAML.

    Raises:
        UsageError: A word has no `=`, or its value is not YAML.
    """
    values: dict[str, Any] = {}
    for override in overrides:
        name, equals, text = override.partition("=")
        if not equals:
            msg = f"override {override!r} should read name=value, such as batch_size=4"
            raise UsageError(msg)
        try:
            value = parse_yaml(text)
        except ValueError as error:
            msg = f"override {override!r}: the value is not YAML"
            raise UsageError(msg) from error
        first, *rest = name.strip().split(".")
        place = values
        for part in rest:
            place = place.setdefault(first, {})
            first = part
        place[first] = value
    return values
