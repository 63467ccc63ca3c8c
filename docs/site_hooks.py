"""What mkdocs.yml cannot say: pages that may be missing, and links that leave docs/."""

import re
from pathlib import Path
from typing import Any

_OUTSIDE = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+[^)]+|LICENSE|NOTICE)\)")


def on_config(config: Any) -> Any:
    """Leave out entries of the navigation whose page does not exist."""
    config.nav = _keep_existing(config.nav, Path(config.docs_dir))
    return config


def _keep_existing(entries: list[Any], docs: Path) -> list[Any]:
    kept = []
    for entry in entries:
        ((title, target),) = entry.items()
        if isinstance(target, list):
            target = _keep_existing(target, docs)
        elif not (docs / target).exists():
            continue
        kept.append({title: target})
    return kept


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Show links to files of the repository, which the site does not hold, as plain text."""
    return _OUTSIDE.sub(r"\1", markdown)
