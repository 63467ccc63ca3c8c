"""A check-up as text for the terminal."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from segnext.checkup_report.suggestions import Suggestion
from segnext.data.checkup import Checkup, Finding, Severity
from segnext.data.checkup.finding import percent
from segnext.html_page import printable

# Lines of a finding; the page lists more.
EXAMPLES = 3
BAR = 14
_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}


def print_checkup(checkup: Checkup, suggestion: Suggestion | None, console: Console) -> None:
    """Print what was found, what the masks hold, and what follows for a training."""
    for note in checkup.notes:
        console.print(printable(note), style="dim", soft_wrap=True)
    if checkup.shares:
        console.print("\nshare of the pixels by split", style="bold")
        console.print(_build_class_table(checkup))
    for finding in checkup.findings:
        console.print()
        _print_finding(finding, console)
    for position, proposal in enumerate(checkup.proposals):
        console.print()
        word = "proposed" if position == 0 else "or"
        console.print(
            f"{word}: {printable(str(proposal.path))}, if {printable(proposal.because)}",
            style="bold",
            soft_wrap=True,
        )
        _print_block(proposal.text, console)
    if suggestion is not None:
        console.print()
        console.print("for segnext train, by the rules of the plan", style="bold")
        _print_block(suggestion.text, console)
    console.print()
    console.print(Text(summarize(checkup), "bold green" if checkup.passed else "bold red"))


def summarize(checkup: Checkup) -> str:
    """Say in one line how the check-up ended."""
    errors, warnings = checkup.count(Severity.ERROR), checkup.count(Severity.WARNING)
    counts = [
        f"{count} {word}{'' if count == 1 else 's'}"
        for count, word in ((errors, "error"), (warnings, "warning"))
        if count
    ]
    verdict = "ready to train" if checkup.passed else "a training would be spoilt"
    return f"{verdict}: {' and '.join(counts) or 'nothing found'}"


def _print_finding(finding: Finding, console: Console) -> None:
    line = Text()
    line.append(f"{finding.severity}: ", _STYLES[finding.severity])
    line.append(printable(finding.title))
    console.print(line, soft_wrap=True)
    shown = [printable(example) for example in finding.examples[:EXAMPLES]]
    left = max(finding.count, len(finding.examples)) - len(shown)
    lines = [*shown, *([f"and {left:,} more"] if shown and left > 0 else [])]
    for example in lines:
        console.print(Text(f"  {example}", "dim"), soft_wrap=True)
    if finding.remedy:
        console.print(Text(f"  -> {printable(finding.remedy)}"), soft_wrap=True)


def _print_block(text: str, console: Console) -> None:
    for line in text.splitlines():
        console.print(Text(f"  {printable(line)}"), soft_wrap=True)


def _build_class_table(checkup: Checkup) -> Table:
    assert checkup.classes is not None
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("class, as proposed" if checkup.proposed else "class")
    for split in checkup.shares:
        table.add_column(split, justify="right", no_wrap=True)
    first = next(iter(checkup.shares))
    table.add_column("", no_wrap=True)
    table.add_column("in pictures", justify="right", no_wrap=True)
    learned = checkup.shares[first]
    for label, name in enumerate(checkup.classes.label_names):
        table.add_row(
            printable(name),
            *(percent(part.pixel_shares[label]) for part in checkup.shares.values()),
            _bar(float(learned.pixel_shares[label])),
            percent(learned.image_shares[label]),
        )
    ignored = (percent(part.ignored_share) for part in checkup.shares.values())
    table.add_row("(ignored)", *ignored, "", "", style="dim")
    return table


def _bar(share: float) -> Text:
    eighths = round(share * BAR * 8)
    full, rest = divmod(max(eighths, 1 if share else 0), 8)
    return Text("█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else ""), "blue")
