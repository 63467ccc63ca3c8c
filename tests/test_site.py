"""The documentation site builds without a warning, and asks nothing of other hosts."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pages import ROOT

pytestmark = pytest.mark.docs

# Elements by which a page makes a browser fetch something; links that a reader follows are none.
_FETCHES = re.compile(
    r"<(?:script|img|iframe|source|video)\b[^>]*\bsrc=[\"']?(?:https?:)?//"
    r"|<link\b(?![^>]*\brel=[\"']?canonical)[^>]*\bhref=[\"']?(?:https?:)?//"
    r"|@import|url\([\"']?(?:https?:)?//",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make docs` has just built it, or one of its own."""
    if "SITE" in os.environ:
        return ROOT / os.environ["SITE"]
    out = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(out)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    pages = [*site.rglob("*.html"), *site.rglob("*.css")]
    assert len(pages) >= 25
    for page in pages:
        found = _FETCHES.search(page.read_text(encoding="utf-8"))
        assert found is None, f"{page.name}: {found}"


def test_search_works_without_a_server(site: Path) -> None:
    index = (site / "search" / "search_index.js").read_text(encoding="utf-8")
    assert "Troubleshooting by error message" in index
    assert "create_model" in index


def test_docstrings_and_pages_from_the_root_are_there(site: Path) -> None:
    assert "Build a model with new weights." in (site / "api.html").read_text(encoding="utf-8")
    assert "Security policy" in (site / "security_policy.html").read_text(encoding="utf-8")
    assert "Keep a Changelog" in (site / "changelog.html").read_text(encoding="utf-8")
    assert not list(site.rglob("*.py"))


@pytest.mark.parametrize(
    ("text", "fetches"),
    [
        ('<script src="https://host/a.js">', True),
        ("<link rel=stylesheet href=//host/a.css>", True),
        ('<a href="https://host/">', False),
        ('<link href="assets/a.css" rel="stylesheet">', False),
    ],
)
def test_fetches_are_told_from_links(text: str, fetches: bool) -> None:
    assert bool(_FETCHES.search(text)) is fetches
