"""The frame and the look that all our pages share, complete in themselves and without a script."""

import html
from collections.abc import Mapping
from importlib.resources import files

SHARED_STYLE = "html_page.css"


def build_document(
    *,
    title: str,
    heading: str,
    header: str,
    sections: Mapping[str, tuple[str, str]],
    generator: str,
    style: str = "",
    footer: str = "",
) -> str:
    """Put a page together; nothing in it is asked of a server.

    Args:
        title: Of the window.
        heading: Of the page.
        header: HTML below the heading.
        sections: Title and HTML by anchor; empty ones are left out.
        generator: The command that writes the page, by which it is known again.
        style: CSS of this kind of page, after what all share.
        footer: What else the last line says.
    """
    filled = {key: section for key, section in sections.items() if section[1]}
    links = "".join(f'<a href="#{key}">{name}</a>' for key, (name, _) in filled.items())
    body = "".join(
        f'<section id="{key}"><h2>{name}</h2>{content}</section>'
        for key, (name, content) in filled.items()
    )
    shared = files("segnext").joinpath(SHARED_STYLE).read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"{mark(generator)}\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "img-src data:; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>{shared}{style}</style>\n</head>\n<body>\n"
        f"<header><h1>{escape(heading)}</h1>{header}"
        f'<nav aria-label="Sections">{links}</nav></header>\n<main>{body}</main>\n'
        f"<footer>Written by {generator}{footer}.</footer>\n</body>\n</html>\n"
    )


def mark(generator: str) -> str:
    """Return the tag by which a page of ours is known, so that nothing else is overwritten."""
    return f'<meta name="generator" content="{generator}">'


def write_verdict(text: str, kind: str = "") -> str:
    """Return the line that counts; `good` and `bad` ones are coloured."""
    return f'<p class="{f"verdict {kind}".strip()}" role="status">{escape(text)}</p>'


def escape(text: str) -> str:
    """Return text as HTML, with control characters made visible."""
    return html.escape(printable(text))


def printable(text: str) -> str:
    """Replace what must not reach a terminal or a page, such as control characters of a name."""
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )
