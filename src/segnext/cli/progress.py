"""A bar that counts files on the terminal, and says nothing anywhere else."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def counting_bar(
    first: str, then: str | None = None
) -> Iterator[Callable[[int, int | None], None]]:
    """Show a bar while something counts.

    Args:
        first: What is being done.
        then: What is being done once the counting has begun; the same if not given.

    Yields:
        To be called with how many are done and in all, `None` where nobody knows.
    """
    # Not at the top: the commands' help should not wait for it.
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    bar = Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
    with bar:
        task = bar.add_task(first, total=None)
        yield lambda done, total: bar.update(
            task, description=then or first, completed=done, total=total
        )
