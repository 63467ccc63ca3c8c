"""Pieces of HTML that the pages are built from. Everything from outside is escaped here."""

from collections.abc import Mapping, Sequence
from importlib.resources import files

from segnext.classes import Classes
from segnext.html_page import build_document, escape, mark, write_verdict
from segnext.report.figures import Score
from segnext.report.strips import Strip

GENERATOR = "segnext evaluate"
# By it a page is known again, so that nothing else is ever overwritten.
MARK = mark(GENERATOR)


def build_evaluation_page(
    title: str, path: str, verdict: str, facts: str, sections: Mapping[str, tuple[str, str]]
) -> str:
    """Put a page together.

    Args:
        title: Of the page.
        path: A line below it.
        verdict: The line that counts.
        facts: HTML below the verdict.
        sections: Title and HTML by anchor; empty ones are left out.
    """
    return build_document(
        title=title,
        heading=title,
        header=f'<p class="path">{escape(path)}</p>{write_verdict(verdict)}{facts}',
        sections=sections,
        generator=GENERATOR,
        style=files("segnext.report").joinpath("page.css").read_text(encoding="utf-8"),
    )


def percent(value: Score, digits: int = 1) -> str:
    """Return a share of 0-1 in percent, without the sign."""
    return "-" if value is None else f"{100 * value:.{digits}f}"


def write_table(label: str, head: Sequence[str], rows: Sequence[str]) -> str:
    """Return a table that scrolls sideways; rows are HTML."""
    titles = "".join(f'<th scope="col">{title}</th>' for title in head)
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{label}"><table>'
        f"<thead><tr>{titles}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def write_row(name: str, cells: Sequence[str], anchor: str = "") -> str:
    """Return a row of a table; name and cells are HTML."""
    identity = f' id="{anchor}"' if anchor else ""
    values = "".join(cell if cell.startswith("<td") else f"<td>{cell}</td>" for cell in cells)
    return f'<tr{identity}><th scope="row">{name}</th>{values}</tr>'


def write_bar(value: Score) -> str:
    """Return a cell with a share of 0-1 in percent and as a bar."""
    length = 0.0 if value is None else 100 * value
    return (
        f'<td class="share">{percent(value)}<span class="bar" aria-hidden="true">'
        f'<i style="width:{length:.1f}%"></i></span></td>'
    )


def swatch(classes: Classes, label: int) -> str:
    """Return the colour of a class as a small square."""
    red, green, blue = classes.label_colors[label]
    return f'<span class="swatch" style="background:rgb({red},{green},{blue})"></span>'


def name_class(classes: Classes, label: int) -> str:
    """Return colour and name of a class."""
    return f"{swatch(classes, label)}{escape(classes.label_names[label])}"


def write_legend(classes: Classes, most: int = 40) -> str:
    """Return colours and names of all classes, or of the first ones."""
    shown = range(min(most, classes.num_labels))
    names = "".join(f"<span>{name_class(classes, label)}</span>" for label in shown)
    left = classes.num_labels - len(shown)
    more = f"<span>and {left} more</span>" if left else ""
    return f'<div class="legend">{names}{more}</div>'


def write_strip(strip: Strip, name: str, said: str) -> str:
    """Return small pictures side by side.

    Args:
        strip: The pictures.
        name: Of the picture.
        said: What to say about it.
    """
    cells = "".join(
        f'<div><img width="{strip.width}" height="{strip.height}" decoding="async" '
        f'alt="{escape(title)} of {escape(name)}" src="{source}"><small>{escape(title)}</small>'
        "</div>"
        for title, source in strip.pictures.items()
    )
    return (
        f'<figure class="strip"><div class="cells n{len(strip.pictures)}">{cells}</div>'
        f'<figcaption>{escape(name)} <span class="soft">{escape(said)}</span></figcaption>'
        "</figure>"
    )


def write_plot(svg: str, title: str, said: str) -> str:
    """Return a plot with its explanation."""
    named = svg.replace("<svg", f'<svg role="img" aria-label="{escape(title)}"', 1)
    return (
        f'<figure class="plot">{named}<figcaption>{escape(title)}. '
        f'<span class="soft">{escape(said)}</span></figcaption></figure>'
    )


def write_facts(facts: Sequence[tuple[str, str]]) -> str:
    """Return a list of big figures, each with what it is."""
    cells = "".join(f"<li><b>{escape(big)}</b><span>{escape(s)}</span></li>" for big, s in facts)
    return f'<ul class="facts">{cells}</ul>'


def paragraph(text: str) -> str:
    """Return a paragraph in soft ink."""
    return f'<p class="soft">{escape(text)}</p>'
