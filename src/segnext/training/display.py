"""What a person sees while a run goes on."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table

from segnext.class_table import build_class_table
from segnext.metrics import Metrics
from segnext.training.situation import Choice

# Without a terminal (a log file, CI) a line this often instead of a bar.
LINE_EVERY_S = 60.0


class Display:
    """Progress bar on a terminal, lines elsewhere, nothing when quiet.

    Args:
        quiet: Print nothing.
        is_main: This process speaks for all of a run; others only say what concerns them alone.
    """

    def __init__(self, *, quiet: bool = False, is_main: bool = True) -> None:
        self.console = Console(quiet=quiet or not is_main, stderr=True)
        self._own = self.console if is_main else Console(quiet=quiet, stderr=True)
        self.max_steps = 0
        self._last_line = time.monotonic()
        self._bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[numbers]}"),
            console=self.console,
            disable=self.console.quiet or not self.console.is_terminal,
        )
        self._task: TaskID | None = None

    @contextmanager
    def running(self, max_steps: int) -> Iterator[None]:
        """Show the bar of a run of `max_steps` steps."""
        self.max_steps = max_steps
        self._task = self._bar.add_task("train", total=max_steps, numbers="")
        with self._bar:
            yield

    def say(self, text: str) -> None:
        """Print one line above the bar."""
        self.console.print(text, highlight=False, soft_wrap=True, markup=False)

    def say_own(self, text: str) -> None:
        """Print one line about this process, whichever of a run it is."""
        self._own.print(text, highlight=False, soft_wrap=True, markup=False)

    def show_choices(self, choices: Sequence[Choice]) -> None:
        """Print what was chosen and why, if anything was."""
        if not choices:
            return
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
        table.add_column("option")
        table.add_column("value")
        table.add_column("because")
        for choice in choices:
            table.add_row(choice.option, _short(choice.value), choice.because)
        self.console.print(table)

    def show_step(
        self, step: int, *, loss: float, lr: float, images_per_s: float, eta_s: float, score: str
    ) -> None:
        """Show where training stands; `score` is that of the latest validation, in words."""
        numbers = (
            f"loss {loss:.3f}  lr {lr:.1e}  {images_per_s:.1f} images/s  "
            f"{_clock(eta_s)} left  {score}"
        )
        assert self._task is not None
        self._bar.update(self._task, completed=step, numbers=numbers)
        now = time.monotonic()
        if not self.console.is_terminal and now - self._last_line >= LINE_EVERY_S:
            self._last_line = now
            self.say(f"step {step}/{self.max_steps}  {numbers}")

    def show_validation(self, step: int, scores: str, *, best: bool) -> None:
        """Print a validation's result, given in words."""
        self.say(f"step {step}/{self.max_steps}  {scores}{'  best so far' if best else ''}")

    def show_classes(self, names: Sequence[str], metrics: Metrics) -> None:
        """Print the table of classes."""
        self.console.print(build_class_table(names, metrics))


def _short(value: object) -> str:
    if isinstance(value, tuple | list):
        return " ".join(_short(entry) for entry in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
