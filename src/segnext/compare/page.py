"""A comparison as one HTML page without script or request; links lead to reports beside it."""

import math
from collections.abc import Callable, Sequence
from importlib.resources import files
from urllib.parse import quote

from segnext.compare.config import COSTS, FIGURES
from segnext.compare.plots import TITLES, draw_curves, draw_pareto
from segnext.compare.result import CompareResult, Row, published_names
from segnext.html_page import build_document, escape, write_verdict

_PUBLISHED_TITLES = {
    "miou": "mIoU",
    "miou_multi_scale": "mIoU, multi-scale",
    "top1": "top-1",
    "parameters": "parameters [M]",
    "gmacs": "GMACs",
}


def build_page(result: CompareResult, command: str = "") -> str:
    """Write a comparison as HTML.

    Args:
        result: What was found.
        command: That makes it again.
    """
    config = result.config
    sections = {
        "systems": ("Systems", _write_table(result)),
        "pareto": ("Score against cost", _figure(draw_pareto(result), "Score against cost")),
        "curves": ("Validation", _figure(draw_curves(result), "Validation score over steps")),
        "classes": ("Classes", _write_classes(result)),
        "recipe": ("The recipe that all share", _write_recipe(result)),
        "again": ("Again", f"<pre>{escape(command)}</pre>" if command else ""),
    }
    source = f'<p class="path">published figures: {escape(config.source)}</p>'
    return build_document(
        title=config.title,
        heading=config.title,
        header=(source if config.source else "") + write_verdict(judge(result), "good"),
        sections=sections,
        generator="segnext compare",
        style=files("segnext.compare").joinpath("page.css").read_text(encoding="utf-8"),
    )


def judge(result: CompareResult) -> str:
    """Say in one line who leads, by how much, and what the seeds say of chance."""
    ranked = result.ranked
    if not ranked:
        return "nothing is trained yet: published figures alone"
    best, title = ranked[0], TITLES[result.config.score_name].split()[0]
    lead = f"{best.system.name} leads with {title} {_score(best)}"
    if len(ranked) == 1:
        return lead
    second = ranked[1]
    assert best.score is not None
    assert second.score is not None
    ahead = best.score - second.score
    line = f"{lead}, {ahead:.1f} points ahead of {second.system.name}"
    seeds = min(len(best.runs), len(second.runs))
    if seeds == 1 or best.spread is None or second.spread is None:
        return f"{line}; a single seed does not rule out chance"
    if seeds == 2:
        return f"{line}; two seeds say too little of chance"
    error = math.sqrt(best.spread**2 / len(best.runs) + second.spread**2 / len(second.runs))
    told = f"two standard errors of the difference over {seeds} seeds"
    if ahead > 2 * error:
        return f"{line}, more than {told}"
    return f"{line}, within {told}: chance may explain it"


def _write_table(result: CompareResult) -> str:
    rows, backends = result.rows, result.config.backends
    published = published_names(rows)
    score = TITLES[result.config.score_name]
    columns: list[tuple[str, Callable[[Row], float | None], str, bool]] = [
        (score, lambda row: row.score, ".1f", True)
    ]
    columns += [
        (f"published {_title(name)}", _published(name), ".1f", not name.endswith(COSTS))
        for name in published
    ]
    columns += [
        ("parameters [M]", lambda row: row.parameters_m, ".2f", False),
        ("GMACs", lambda row: row.gmacs, ".2f", False),
        *((f"ms, {name}", _milliseconds(name), ".0f", False) for name in backends),
        *((f"MB, {name}", _memory(name), ".0f", False) for name in backends),
        ("training [min]", lambda row: row.minutes, ".1f", False),
    ]
    columns = [column for column in columns if any(column[1](row) is not None for row in rows)]
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title, *_ in columns)
    best = [_best([get(row) for row in rows], most=most) for _, get, _, most in columns]
    body = ""
    for row in rows:
        cells = "".join(
            _cell(
                get(row),
                form,
                best=get(row) == best[place],
                spread=row.spread if title == score else None,
            )
            for place, (title, get, form, _) in enumerate(columns)
        )
        body += f'<tr><th scope="row">{_name(row)}</th>{cells}</tr>'
    height, width = result.config.size
    seeds = ", ".join(str(seed) for seed in result.config.seeds)
    about = [
        f"Trained with seed {seeds} each; +- is the standard deviation over seeds."
        if result.ranked
        else "",
        f"Costs, times and memory of one image of {height}x{width} px; memory is the peak above "
        f"the idle process. {result.machine}"
        if any(row.measured for row in rows)
        else "",
    ]
    notes = "".join(f'<p class="soft">{escape(line)}</p>' for line in about if line)
    return (
        f'<div class="wide" tabindex="0"><table class="figures"><thead><tr><th scope="col">system'
        f"</th>{head}</tr></thead><tbody>{body}</tbody></table></div>{notes}"
    )


def _name(row: Row) -> str:
    options = [*row.system.model_options.items(), *row.system.options.items()]
    told = ", ".join(f"{name}={value}" for name, value in options)
    parts = [row.system.model or "published alone", told, row.system.note]
    soft = "; ".join(part for part in parts if part)
    links = ", ".join(
        f'<a href="{escape(quote(run.report))}">seed {run.seed}</a>'
        for run in row.runs
        if run.report is not None
    )
    why = f"<small>what its score is made of: {links}</small>" if links else ""
    return f"{escape(row.system.name)}<small>{escape(soft)}</small>{why}"


def _cell(value: float | None, form: str, *, best: bool, spread: float | None = None) -> str:
    if value is None:
        return '<td class="none">-</td>'
    text = f"{value:{form}}" + ("" if spread is None else f" +- {spread:.1f}")
    return f"<td><b>{text}</b></td>" if best else f"<td>{text}</td>"


def _score(row: Row) -> str:
    spread = "" if row.spread is None else f" +- {row.spread:.1f}"
    return f"{row.score:.1f}{spread}"


def _best(values: Sequence[float | None], *, most: bool) -> float | None:
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return None
    return max(known) if most else min(known)


def _published(name: str) -> Callable[[Row], float | None]:
    return lambda row: row.system.published.get(name)


def _milliseconds(backend: str) -> Callable[[Row], float | None]:
    return lambda row: row.milliseconds(backend)


def _memory(backend: str) -> Callable[[Row], float | None]:
    return lambda row: row.memory_mb(backend)


def _title(name: str) -> str:
    for figure in FIGURES:
        if name == figure or name.endswith(f"_{figure}"):
            before = name.removesuffix(figure).strip("_")
            return f"{before} {_PUBLISHED_TITLES[figure]}".strip()
    return name.replace("_", " ")


def _write_classes(result: CompareResult) -> str:
    rows = [row for row in result.rows if row.runs]
    prefix = "iou "
    scores = [name for row in rows for name in row.runs[0].scores]
    names = [name for name in dict.fromkeys(scores) if name.startswith(prefix)]
    if not names:
        return ""
    head = "".join(f'<th scope="col">{escape(row.system.name)}</th>' for row in rows)
    body = ""
    for name in names:
        means = [_mean_of(row, name) for row in rows]
        best = _best(means, most=True)
        cells = "".join(_cell(value, ".1f", best=value == best) for value in means)
        body += f'<tr><th scope="row">{escape(name.removeprefix(prefix))}</th>{cells}</tr>'
    return (
        '<div class="wide" tabindex="0"><table class="figures"><thead><tr><th scope="col">IoU [%], '
        f"mean over seeds</th>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _mean_of(row: Row, name: str) -> float | None:
    values = [run.scores[name] for run in row.runs if name in run.scores]
    return sum(values) / len(values) if values else None


def _write_recipe(result: CompareResult) -> str:
    told = {"data": result.config.data, "split": result.config.split, **result.config.options}
    lines = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>"
        for name, value in told.items()
        if value is not None
    )
    return f'<dl class="recipe">{lines}</dl>'


def _figure(svg: str | None, title: str) -> str:
    if svg is None:
        return ""
    named = svg.replace("<svg", f'<svg role="img" aria-label="{title}"', 1)
    return f'<div class="wide plot" tabindex="0">{named}</div>'
