"""Readers that do what none may, for the test of the driver."""

import os
from pathlib import Path

from fuzz.target import Target
from segnext.errors import DataError


def _raise(folder: Path) -> None:
    if (folder / "x").read_bytes() != b"seed":
        raise KeyError("x")


def _hang(folder: Path) -> None:
    while (folder / "x").read_bytes() != b"seed":
        pass


def _die(folder: Path) -> None:
    if (folder / "x").read_bytes() != b"seed":
        os._exit(3)


def _grow(folder: Path) -> None:
    if (folder / "x").read_bytes() != b"seed":
        bytes(b"x" * (200 << 20))


def _refuse(folder: Path) -> None:
    if (folder / "x").read_bytes() != b"seed":
        raise DataError("x: is no seed")


TARGETS = tuple(
    Target(read.__name__.strip("_"), "x", read, lambda: [b"seed"])
    for read in (_raise, _hang, _die, _grow, _refuse)
)
