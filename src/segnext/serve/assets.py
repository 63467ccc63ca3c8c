"""The files of the page, read once at start: no path that a client sends is ever looked up."""

import hashlib
from dataclasses import dataclass
from importlib.resources import files

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# Pages by the path that they are known by; everything else keeps its name below /page/.
_PAGES = {"index.html": "/", "docs.html": "/docs"}


@dataclass(frozen=True)
class Asset:
    """A file of the page.

    Attributes:
        content: As it is sent.
        media_type: Of the content.
        etag: By which a browser asks whether it changed.
    """

    content: bytes
    media_type: str
    etag: str


def load_assets() -> dict[str, Asset]:
    """Return the page's files by the path that clients ask for."""
    assets = {}
    for file in files("segnext.serve").joinpath("page").iterdir():
        suffix = file.name[file.name.rfind(".") :]
        if suffix in _TYPES:
            content = file.read_bytes()
            etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
            path = _PAGES.get(file.name, f"/page/{file.name}")
            assets[path] = Asset(content, _TYPES[suffix], etag)
    return assets
