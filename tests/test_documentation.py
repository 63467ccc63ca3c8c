"""The README and the pages of docs/: code runs as written, on less data; links and quotes hold."""

import ast
import re
import shutil
import warnings
from contextlib import closing
from pathlib import Path

import pytest
import torch

from page_code import PageCode
from page_files import make_files, make_known, make_run, shorten
from pages import (
    COMMANDS,
    DOCKER,
    PAGES,
    PROXY,
    PYTHON,
    ROOT,
    YAML,
    is_run,
    logical_lines,
    read_blocks,
)
from segnext.weights import list_weights

README = ROOT / "README.md"
# What begins a command, in a block that says no language.
_PROGRAMS = re.compile(
    r"#!|(\w+=\S* )*(segnext|pip|python|torchrun|accelerate|make|curl|docker|srun|cat|sed) "
)
_NEED_KNOWN = {
    "README.md",
    "datasets.md",
    "from_mmsegmentation.md",
    "protocols.md",
    "recipes.md",
    "submissions.md",
}


def page_name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory, scene_weights: Path) -> Path:
    folder = make_files(tmp_path_factory.mktemp("page"), scene_weights)
    with pytest.MonkeyPatch.context() as patch:
        shorten(patch)
        make_run(folder)
    return folder


@pytest.fixture
def folder(tmp_path: Path, files: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder with what readers have, and go there."""
    shutil.copytree(files, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("SEGNEXT_CACHE", str(tmp_path / "cache"))
    shorten(monkeypatch)
    return tmp_path


@pytest.mark.docs
@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(map(is_run, read_blocks(page)))], ids=page_name
)
def test_code_runs(page: Path, folder: Path) -> None:
    if page.name in _NEED_KNOWN:
        make_known(folder)
    blocks, code = read_blocks(page), PageCode(page)
    for block in blocks:
        if block.file:
            (folder / block.file).write_text(block.code, encoding="utf-8")
    with warnings.catch_warnings(), closing(code):
        # Other runtimes warn about themselves; tests of the package are strict about ours.
        warnings.simplefilter("ignore")
        for block in filter(is_run, blocks):
            code.run(block)
    torch.set_num_threads(1)  # some pages ask for two
    if page == README:
        assert (folder / "predictions" / "masks" / "scene_00000.png").exists()
        assert (folder / "predictions-python" / "masks" / "prediction.png").exists()
        assert code.names["logits"].shape == (1, 19, 42, 63)
        assert "(1, 19, 42, 63)" in README.read_text(encoding="utf-8")


@pytest.mark.docs
def test_code_that_needs_executorch_runs(folder: Path) -> None:
    """By itself, so that `make mobile` need not run all of its page again."""
    pytest.importorskip("executorch")
    blocks = [block for page in PAGES for block in read_blocks(page) if block.needs == "executorch"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for block in blocks:
            PageCode(block.page).run(block)
    assert (folder / "roads.pte").exists()


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_code_says_its_language(page: Path) -> None:
    for block in read_blocks(page):
        if block.language not in COMMANDS | PYTHON | YAML:
            commands = [*filter(_PROGRAMS.match, block.code.splitlines())]
            assert not commands, f"{block}: tag commands as bash"


def test_what_needs_more_is_run_by_ci_too() -> None:
    """By `make mobile`, `make serving` and, for Python 3.11, with the other pages."""
    needs = {block.needs for page in PAGES for block in read_blocks(page) if block.needs}
    assert needs == {"atheris", "executorch", DOCKER, PROXY}


def test_a_comment_is_for_the_next_block_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- a remark -->\n```bash\none\n```\n\n"
        "```bash\ntwo \\\n  more  # why\n# only a comment\n```\n"
        "```yaml\nthree\n```\n```text\nfour\n```\n"
        "<!-- file: five.sh -->\n```sh\nfive\n```\n"
        "<!-- needs: no_such_module -->\n```sh\nsix\n```\n"
        "<!-- needs: json -->\n```sh\nseven\n```\n"
    )
    blocks = read_blocks(page)
    assert [block.file for block in blocks] == [*[""] * 4, "five.sh", "", ""]
    assert [block.needs for block in blocks] == [*[""] * 5, "no_such_module", "json"]
    assert [is_run(block) for block in blocks] == [True] * 3 + [False] * 3 + [True]
    assert [block.line for block in blocks] == [2, 6, 11, 14, 18, 22, 26]
    assert logical_lines(blocks[1].code) == ["two    more  # why"]


@pytest.mark.docs
def test_code_that_fails_is_noticed(folder: Path) -> None:
    page = folder / "page.md"
    page.write_text(
        "```bash\nsegnext evaluate nothing.safetensors roads\n```\n"
        '```bash\npip install "segnext[magic]"\n```\n```bash\nfalse | true\n```\n'
        "```python\nassert 1 == 2\n```\n"
    )
    for block in read_blocks(page):
        with pytest.raises((AssertionError, pytest.fail.Exception)):
            PageCode(page).run(block)


def test_named_weights_have_cards() -> None:
    """A card names a family by its smallest and its largest."""
    heads = [page.read_text(encoding="utf-8").split("\n", 1)[0] for page in PAGES]
    cards = " ".join(head for head in heads if head.startswith("# Model card: "))
    named = {name for name in list_weights() if name in cards}
    assert named == {name for name in list_weights() if "small" not in name and "base" not in name}


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\((?!http|#)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def spoken() -> list[str]:
    """Return every text of the package, with … for what is filled in."""
    texts = []
    for path in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr | ast.Constant):
                texts.append(_join(node))
    return texts


def _join(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_join, node.values))
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else "…"


def quotes(page: Path) -> list[str]:
    """Return the messages that a page explains: its headings in code."""
    headings = re.findall(r"^### (`+) ?(.+?) ?\1$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return [message for _, message in headings]


def is_spoken(quote: str, texts: list[str]) -> bool:
    """Whether one text holds the parts of a quote between its …, in their order."""
    pattern = re.compile(".*".join(map(re.escape, quote.split("…"))), re.DOTALL)
    return any(pattern.search(text) for text in texts)


def test_explained_messages_are_the_packages() -> None:
    texts = spoken()
    found = quotes(ROOT / "docs" / "troubleshooting.md")
    assert len(found) >= 30
    assert [quote for quote in found if not is_spoken(quote, texts)] == []


def test_a_message_that_changed_is_noticed() -> None:
    assert is_spoken("…: no such … there", ["…: no such run there", "other"])
    assert not is_spoken("…: no such … there", ["…: no such run", "…there"])
