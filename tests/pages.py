"""The README and the pages of docs/, and the fenced code blocks in them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS, PYTHON = {"bash", "sh", "console"}, {"python"}

# Stands before a block that is not run, with the reason; or that is a file, with its name.
_EXCEPTION = re.compile(r"<!-- not run: (?P<text>[^>]+) -->\s*\Z")
_FILE = re.compile(r"<!-- file: (?P<text>[^>]+) -->\s*\Z")
_BLOCK = re.compile(r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<code>.*?)^ *```$", re.M | re.S)


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: Where it stands.
        line: Of its fence, from 1.
        language: What its fence says.
        code: Without the fences.
        exception: Why it is not run; empty if it is.
        file: The name of the file that it is; empty if it is none.
    """

    page: Path
    line: int
    language: str
    code: str
    exception: str
    file: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def read_blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page in their order."""
    return [*_find_blocks(page, page.read_text(encoding="utf-8"))]


def _find_blocks(page: Path, text: str) -> Iterator[Block]:
    for match in _BLOCK.finditer(text):
        before = text[: match.start()]
        exception, file = (_find_comment(kind, before) for kind in (_EXCEPTION, _FILE))
        code = re.sub(f"^{match['indent']}", "", match["code"], flags=re.MULTILINE)
        yield Block(page, before.count("\n") + 1, match["language"], code, exception, file)


def _find_comment(kind: re.Pattern[str], before: str) -> str:
    found = kind.search(before)
    return found["text"] if found else ""


def is_run(block: Block) -> bool:
    """Whether a block is code that is run: not excepted, and no file that another block uses."""
    return block.language in COMMANDS | PYTHON and not (block.exception or block.file)


def logical_lines(code: str) -> list[str]:
    """Return commands without comments and blank lines, continued lines as one."""
    lines = code.replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
