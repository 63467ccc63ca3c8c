"""The README and the pages of docs/: their fenced code blocks, and how these are run."""

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import environ, pathsep
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from segnext.cli.main import app

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS, PYTHON = {"bash", "sh", "console"}, {"python"}

# Stands before a block that is not run, with the reason.
_EXCEPTION = re.compile(r"<!-- not run: (?P<reason>[^>]+) -->\s*\Z")
_BLOCK = re.compile(r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<code>.*?)^ *```$", re.M | re.S)
# What pages call the files that readers have.
_NAMES = {
    "WEIGHTS": "best.safetensors",
    "OTHERS": "old.safetensors",
    "DATA": "roads",
    "PHOTOS": "photos",
    "RUN": "runs/roads",
}
# Further words of a command, so that it takes a second; where both are given, the last one holds.
_SMALLER = {
    ("data", "synthetic"): ["--train", "6", "--val", "2", "--test", "2", "--size", "96x64"],
    ("data", "prepare"): ["--partial", "--workers", "1"],
    ("benchmark",): ["--rounds", "1", "--sizes", "64x64", "--no-memory", "--threads", "1"],
    ("predict",): ["--threads", "1"],
    ("evaluate",): ["--threads", "1"],
}


@dataclass(frozen=True)
class Block:
    """A fenced block: its page, the line of its fence, and why it is not run, if it is not."""

    page: Path
    line: int
    language: str
    code: str
    exception: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def read_blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page in their order."""
    return [*_find_blocks(page, page.read_text(encoding="utf-8"))]


def _find_blocks(page: Path, text: str) -> Iterator[Block]:
    for match in _BLOCK.finditer(text):
        before = text[: match.start()]
        exception = _EXCEPTION.search(before)
        code = re.sub(f"^{match['indent']}", "", match["code"], flags=re.MULTILINE)
        reason = exception["reason"] if exception else ""
        yield Block(page, before.count("\n") + 1, match["language"], code, reason)


def is_run(block: Block) -> bool:
    """Whether a block is code, and not excepted."""
    return block.language in COMMANDS | PYTHON and not block.exception


def logical_lines(code: str) -> list[str]:
    """Return commands without comments and blank lines, continued lines as one."""
    lines = code.replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def run_block(block: Block, names: dict[str, Any]) -> None:
    """Run a block in the current folder.

    Commands of segnext run in this process. What pip would install is only looked up. A block with
    anything else is a script of bash.

    Args:
        block: Code that `is_run`.
        names: What earlier blocks of Python on the page defined; the block adds to it.
    """
    if block.language in PYTHON:
        exec(compile("\n" * block.line + block.code, str(block), "exec"), names)
        return
    lines = logical_lines(block.code)
    if all(line.startswith(("segnext ", "pip install ")) for line in lines):
        for line in lines:
            program, *words = shlex.split(line, comments=True)
            (_run_segnext if program == "segnext" else _check_pip)(words, f"{block}: {line}")
    else:
        _run_bash(block)


def _run_segnext(words: Sequence[str], where: str) -> None:
    words = [_NAMES.get(word, word) for word in words]
    for command, further in _SMALLER.items():
        if tuple(words[: len(command)]) == command:
            words = [*words, *further]
    result = CliRunner().invoke(app, words)
    if result.exit_code:
        pytest.fail(f"{where}\n{result.output}\n{result.exception!r}")


def _check_pip(words: Sequence[str], where: str) -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for word in words:
        for extra in re.findall(r"\[(.*)\]", word):
            unknown = {*extra.split(",")} - {*declared["optional-dependencies"]}
            assert not unknown, f"{where}: no extra {unknown}"
    options = [word for word in words if word.startswith("-")]
    assert {*options} <= {"install", "-c", "-e"}, where
    assert "-c" not in words or (ROOT / words[words.index("-c") + 1]).exists(), where


def _run_bash(block: Block) -> None:
    path = f"{Path(sys.executable).parent}{pathsep}{environ.get('PATH', '')}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.code],
        env={**environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
