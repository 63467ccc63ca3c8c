"""What is known about a published data set."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from segnext.classes import Classes
from segnext.data.layout import Layout
from segnext.data.preparation import Task


@dataclass(frozen=True)
class KnownDataset:
    """A published data set.

    Attributes:
        name: As `--format` and `segnext data prepare` take it, such as `ade20k`.
        title: For people.
        classes: Names, colours and the label map.
        counts: Official number of pictures by split; several where several are in use. Only train
            and val must be there.
        license: Terms of the pictures and labels, in a few words.
        obtain: Where to get it and what to unpack where.
        detect: Tells, without reading much, whether a folder or archive holds it.
        read: Finds items and the reader of their masks, in the publisher's layout or as
            MMSegmentation prepares it. Keyword arguments are `options:` of data.yaml. Where masks
            are made by `make_tasks` but pictures stay where they are, it takes the folder of the
            masks as `prepared`.
        make_tasks: What has to be written before training, given the root; `None` where the files
            are read as they were published. Keyword arguments are options of the preparation.
        zero: What raw id 0 means: `class`, `background` (a class that counts) or `void`.
    """

    name: str
    title: str
    classes: Classes
    counts: Mapping[str, int | tuple[int, ...]]
    license: str
    obtain: str
    detect: Callable[[Path], bool]
    read: Callable[..., Layout]
    make_tasks: Callable[..., list[Task]] | None = None
    zero: str = "class"

    def allowed_counts(self, split: str) -> tuple[int, ...]:
        """Return the numbers of pictures that a split may have; none where any number is right."""
        count = self.counts.get(split, ())
        return (count,) if isinstance(count, int) else count
