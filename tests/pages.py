"""The README and the pages of docs/, and the fenced code blocks in them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS, PYTHON, YAML = {"bash", "sh", "console"}, {"python"}, {"yaml"}
# What blocks of the page about serving need: no modules, so they are run by tests of their own.
DOCKER, PROXY = "an engine of Docker", "nginx"

# Stands before a block that needs a module or a program, or that is a file.
_COMMENT = re.compile(r"<!-- (?P<kind>needs|file): (?P<text>[^>]+) -->\s*\Z")
_BLOCK = re.compile(r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<code>.*?)^ *```$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: Where it stands.
        line: Of its fence, from 1.
        language: What its fence says.
        code: Without the fences.
        needs: A module without which it is not run, or a program; empty if it needs none.
        file: The name of the file that it is; empty if it is none.
    """

    page: Path
    line: int
    language: str
    code: str
    needs: str = ""
    file: str = ""

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def read_blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page in their order."""
    return [*_find_blocks(page, page.read_text(encoding="utf-8"))]


def _find_blocks(page: Path, text: str) -> Iterator[Block]:
    for match in _BLOCK.finditer(text):
        before = text[: match.start()]
        code = re.sub(f"^{match['indent']}", "", match["code"], flags=re.MULTILINE)
        comment = _COMMENT.search(before)
        told = {comment["kind"]: comment["text"]} if comment else {}
        yield Block(page, before.count("\n") + 1, match["language"], code, **told)


def is_run(block: Block) -> bool:
    """Whether a block is code that is run here, and no file that another block uses."""
    if block.needs and find_spec(block.needs) is None:
        return False
    return block.language in COMMANDS | PYTHON | YAML and not block.file


def logical_lines(code: str) -> list[str]:
    """Return commands without comments and blank lines, continued lines as one."""
    lines = code.replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
