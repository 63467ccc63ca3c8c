"""A check-up as one HTML page, complete in itself: no script, nothing is asked of a server."""

from collections.abc import Sequence

from segnext.checkup_report.overlays import Overlay
from segnext.checkup_report.suggestions import Suggestion
from segnext.checkup_report.terminal import summarize
from segnext.classes import Classes
from segnext.data.checkup import Checkup, Finding
from segnext.data.checkup.finding import percent
from segnext.html_page import build_document, escape, mark, write_verdict

# By it a page is known again, so that nothing else is ever overwritten.
GENERATOR = "segnext data check"
MARK = mark(GENERATOR)
_LEGEND = 6


def build_page(
    checkup: Checkup, suggestion: Suggestion | None = None, overlays: Sequence[Overlay] = ()
) -> str:
    """Write a check-up as HTML.

    Args:
        checkup: What was found.
        suggestion: What to train with.
        overlays: Pictures with their masks.
    """
    sections = {
        "findings": ("Findings", _write_findings(checkup)),
        "proposals": ("Proposed label map", _write_proposals(checkup)),
        "classes": ("Classes", _write_classes(checkup)),
        "sizes": ("Sizes", _write_sizes(checkup)),
        "pictures": ("Pictures and masks", _write_overlays(checkup, overlays)),
        "training": ("For the training", _write_suggestion(suggestion)),
        "reading": ("How it was read", _write_notes(checkup)),
    }
    name = checkup.root.resolve().name or str(checkup.root)
    verdict = write_verdict(summarize(checkup), "good" if checkup.passed else "bad")
    path = f'<p class="path">{escape(str(checkup.root))}</p>'
    return build_document(
        title=f"{name}: check-up",
        heading=name,
        header=f"{path}{verdict}{_write_facts(checkup)}",
        sections=sections,
        generator=GENERATOR,
        footer=f", in {checkup.seconds:.1f} s",
    )


def _write_facts(checkup: Checkup) -> str:
    facts = []
    if checkup.splits:
        splits = ", ".join(f"{count:,} {split}" for split, count in checkup.splits.items())
        facts.append((f"{sum(checkup.splits.values()):,}", f"pictures: {splits}"))
    if checkup.classes is not None:
        facts.append((str(checkup.classes.num_labels), "labels"))
    if checkup.sizes is not None:
        width, height = checkup.sizes.width[1], checkup.sizes.height[1]
        facts.append((f"{width} x {height}", "pixels, median"))
    if checkup.shares:
        first = next(iter(checkup.shares.values()))
        facts.append((percent(first.ignored_share), "of the pixels ignored"))
    cells = "".join(
        f"<li><b>{escape(big)}</b><span>{escape(small)}</span></li>" for big, small in facts
    )
    return f'<ul class="facts">{cells}</ul>' if cells else ""


def _write_findings(checkup: Checkup) -> str:
    if not checkup.findings:
        return "<p>Nothing odd was found.</p>"
    return "".join(_write_finding(finding) for finding in checkup.findings)


def _write_finding(finding: Finding) -> str:
    examples = ""
    if finding.examples:
        lines = "".join(f"<li>{escape(example)}</li>" for example in finding.examples)
        shown, every = len(finding.examples), finding.count
        label = f"{shown:,} of {every:,}" if every > shown else f"{shown:,}"
        examples = (
            f'<details><summary>Show {label}</summary><ul tabindex="0">{lines}</ul></details>'
        )
    remedy = f"<p>{escape(finding.remedy)}</p>" if finding.remedy else ""
    return (
        f'<article class="finding {finding.severity}"><h3><span class="chip">{finding.severity}'
        f"</span>{escape(finding.title)}</h3>{remedy}{examples}</article>"
    )


def _write_proposals(checkup: Checkup) -> str:
    parts = []
    for position, proposal in enumerate(checkup.proposals):
        word = "If" if position == 0 else "Or, if"
        parts.append(
            f"<p>{word} {escape(proposal.because)}, save this as "
            f"<code>{escape(str(proposal.path))}</code> and check again:</p>"
            f'<pre tabindex="0">{_escape_lines(proposal.text)}</pre>'
        )
    return "".join(parts)


def _escape_lines(text: str) -> str:
    return "\n".join(escape(line) for line in text.splitlines())


def _write_classes(checkup: Checkup) -> str:
    if checkup.classes is None or not checkup.shares:
        return ""
    head = "".join(
        f'<th scope="col">{escape(split)} pixels</th><th scope="col">pictures</th>'
        for split in checkup.shares
    )
    rows = [
        f'<tr><th scope="row">{_swatch(checkup.classes, label)}{escape(name)}</th>'
        + "".join(
            _write_share(part.pixel_shares[label], part.pixel_shares.max())
            + f"<td>{percent(part.image_shares[label])}</td>"
            for part in checkup.shares.values()
        )
        + "</tr>"
        for label, name in enumerate(checkup.classes.label_names)
    ]
    ignored = "".join(
        f"<td>{percent(part.ignored_share)}</td><td></td>" for part in checkup.shares.values()
    )
    rows.append(f'<tr><th scope="row" class="soft">ignored, of all</th>{ignored}</tr>')
    said = "<p>As they would be with the proposed label map.</p>" if checkup.proposed else ""
    return said + _write_table(
        "Share of pixels and of pictures by class", f'<th scope="col">class</th>{head}', rows
    )


def _write_table(label: str, head: str, rows: Sequence[str]) -> str:
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{label}"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _write_share(share: float, largest: float) -> str:
    length = 100 * share / largest if largest else 0
    bar = f'<i style="width:{length:.1f}%"></i>' if share else ""
    return (
        f'<td class="share">{percent(share)}<span class="bar" aria-hidden="true">{bar}</span></td>'
    )


def _swatch(classes: Classes, label: int) -> str:
    red, green, blue = classes.label_colors[label]
    return f'<span class="swatch" style="background:rgb({red},{green},{blue})"></span>'


def _write_sizes(checkup: Checkup) -> str:
    sizes = checkup.sizes
    if sizes is None or sizes.distinct == 1:
        return ""  # the facts at the top say it
    every = sum(checkup.splits.values())
    rows = [
        f'<tr><th scope="row">{width} x {height}</th><td>{count:,}</td>'
        + _write_share(count / every, sizes.common[0][2] / every)
        + "</tr>"
        for width, height, count in sizes.common
    ]
    rest = sizes.distinct - len(sizes.common)
    more = f"<p>{rest:,} other sizes are rarer.</p>" if rest > 0 else ""
    spread = (
        f"<p>{sizes.width[0]} to {sizes.width[2]} pixels wide and {sizes.height[0]} to "
        f"{sizes.height[2]} high.</p>"
    )
    head = (
        '<th scope="col">width x height</th><th scope="col">pictures</th><th scope="col">share</th>'
    )
    return spread + _write_table("Most frequent sizes", head, rows) + more


def _write_overlays(checkup: Checkup, overlays: Sequence[Overlay]) -> str:
    if not overlays or checkup.classes is None:
        return ""
    figures = "".join(_write_figure(overlay, checkup.classes) for overlay in overlays)
    return (
        '<label class="switch"><input type="checkbox" id="masks" checked>Show the masks</label>'
        f'<div class="sheet">{figures}</div>'
    )


def _write_figure(overlay: Overlay, classes: Classes) -> str:
    name, size = escape(overlay.name), f'width="{overlay.width}" height="{overlay.height}"'
    legend = "".join(
        f"<span>{_swatch(classes, label)}{escape(classes.label_names[label])}</span>"
        for label in overlay.present[:_LEGEND]
    )
    left = len(overlay.present) - _LEGEND
    more = f"<span>and {left} more</span>" if left > 0 else ""
    return (
        f'<figure tabindex="0"><div class="layers"><img {size} alt="{name}" '
        f'src="{overlay.picture}"><img class="over" {size} alt="Mask of {name}" '
        f'src="{overlay.overlaid}"></div><figcaption>{name} <span class="soft">'
        f'{escape(overlay.split)}</span><div class="legend">{legend}{more}</div>'
        "</figcaption></figure>"
    )


def _write_suggestion(suggestion: Suggestion | None) -> str:
    if suggestion is None:
        return ""
    return (
        "<p>What segnext train would choose here by itself, by the rules of the plan. Save it to "
        "change it: <code>segnext train DIR --plan FILE</code>.</p>"
        f'<pre tabindex="0">{_escape_lines(suggestion.text)}</pre>'
    )


def _write_notes(checkup: Checkup) -> str:
    lines = "".join(f"<li>{escape(note)}</li>" for note in checkup.notes)
    return f"<ul>{lines}</ul>" if lines else ""
