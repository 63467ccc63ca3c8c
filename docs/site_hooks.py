"""What mkdocs.yml cannot say: pages from the root, and links to files."""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

# Pages whose text stands at the root of the repository, where people and hosts look for it.
_FROM_ROOT = {"security_policy.md": "SECURITY.md", "changelog.md": "CHANGELOG.md"}
_OUTSIDE = re.compile(r"\[([^\]]+)\]\((?:\.\./)+[^)]+\)")


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
