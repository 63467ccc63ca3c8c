"""The pictures of a report, read again and drawn from the small masks that were kept."""

from collections import defaultdict
from typing import Any

from segnext.classes import Classes
from segnext.data.reading import read_ahead
from segnext.report.confusion_page import MOST_SHOWN
from segnext.report.figures import Report
from segnext.report.observing import Images
from segnext.report.page import Strips
from segnext.report.strips import Strip, draw_strip, unpack_mask

# Which of the three places a strip belongs to, and its key there.
_Place = tuple[str, Any]


def draw_report_strips(
    report: Report, images: Images, packed: list[bytes], classes: Classes
) -> Strips:
    """Draw every picture of a report's page; each is read once.

    Args:
        report: Says which.
        images: The split.
        packed: Each prediction, from `pack_mask`.
        classes: Names and colours.
    """
    numbers = {one.name: number for number, one in enumerate(report.pictures)}
    labels = {name: label for label, name in enumerate(classes.label_names)}
    wanted: dict[int, list[tuple[_Place, dict[str, Any]]]] = defaultdict(list)
    for name in (*report.worst, *report.best, *report.random):
        wanted[numbers[name]].append((("pictures", name), {}))
    for rank, suspect in enumerate(report.suspects):
        wanted[numbers[suspect.picture]].append((("suspects", rank), {"box": suspect.box}))
    for rank, one in enumerate(report.confusions[:MOST_SHOWN]):
        cell = labels[one.truth], labels[one.prediction]
        for place, behind in enumerate(one.pictures):
            key = ("behind", (rank, place))
            wanted[numbers[behind.picture]].append((key, {"cell": cell}))
    drawn: dict[_Place, Strip] = {}
    for number, reading in read_ahead(images.__getitem__, sorted(wanted)):
        item, prediction = reading.result(), unpack_mask(packed[number])
        for key, options in wanted[number]:
            drawn[key] = draw_strip(item["image"], item["mask"], prediction, classes, **options)
    return Strips(
        pictures={name: strip for (kind, name), strip in drawn.items() if kind == "pictures"},
        suspects=[drawn["suspects", rank] for rank in range(len(report.suspects))],
        behind={
            rank: [drawn["behind", (rank, place)] for place in range(len(one.pictures))]
            for rank, one in enumerate(report.confusions[:MOST_SHOWN])
        },
    )
