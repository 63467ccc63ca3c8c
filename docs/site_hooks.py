"""What mkdocs.yml cannot say: pages from the root, pages that may be missing, links to files."""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

# Pages whose text stands at the root of the repository, where people and hosts look for it.
_FROM_ROOT = {"security_policy.md": "SECURITY.md", "changelog.md": "CHANGELOG.md"}
_OUTSIDE = re.compile(r"\[([^\]]+)\]\((?:\.\./)+[^)]+\)")


def on_config(config: Any) -> Any:
    """Leave out entries of the navigation whose page does not exist."""
    config.nav = _keep_existing(config.nav, Path(config.docs_dir))
    return config


def _keep_existing(entries: list[Any], docs: Path) -> list[Any]:
    kept = []
    for entry in entries:
        ((title, target),) = entry.items()
        if isinstance(target, list):
            kept.append({title: _keep_existing(target, docs)})
        elif target in _FROM_ROOT or (docs / target).exists():
            kept.append({title: target})
    return kept


def on_files(files: Any, *, config: Any) -> Any:
    """Add the pages from the root."""
    root = Path(config.docs_dir).parent
    for name, source in _FROM_ROOT.items():
        files.append(File.generated(config, name, abs_src_path=str(root / source)))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Show links to files that the site does not hold as plain text."""
    if page.file.src_uri in _FROM_ROOT:
        markdown = markdown.replace("](docs/", "](")
    return _OUTSIDE.sub(r"\1", markdown)
