"""Reports from a few made-up masks, for tests that need no network."""

from typing import Any

import numpy as np

from segnext.classes import Classes
from segnext.report.duel import compare_tallies
from segnext.report.figures import Cost, Duel, Report
from segnext.report.observing import Seen, Subject
from segnext.report.strips import Strip, draw_strip, unpack_mask
from segnext.report.summary import Setting, summarize
from segnext.report.tally import ScoreTally, Tally
from segnext.spec import ModelSpec

CLASSES = Classes(names=("road", "<tree> & more", "sky"))
COST = Cost("cpu", "eager", 3.0, 20.0, 30.0, 400.0, None)


class MadeUp:
    """Twenty-four pictures of 40x60 px: sky over road with a tree; the model errs ever more."""

    def __len__(self) -> int:
        return 24

    def __getitem__(self, index: int) -> dict[str, Any]:
        mask = np.full((40, 60), 2, np.uint8)
        mask[20:] = 0
        mask[10:30, 20:40] = 1
        mask[:, :2] = 255
        image = np.full((40, 60, 3), 90 + index, np.uint8)
        return {"image": image, "mask": mask, "name": self.name(index)}

    def name(self, index: int) -> str:
        return f"a&b/{index:02}"

    def seen(self, index: int, *, confident: bool = True) -> Seen:
        mask = self[index]["mask"].copy()
        mask[:, :2] = 0
        mask[10 : 10 + index % 20, 20:40] = 2
        confidence = np.full((40, 60), 0.97, np.float32)
        confidence[:, 50:] = 0.55
        return Seen(mask, confidence if confident else None, 0.01 * (index + 1))


def count(images: MadeUp, *, confident: bool = True, classes: Classes = CLASSES) -> Tally:
    tally = Tally(classes)
    for index in range(len(images)):
        tally.update(index, images[index]["mask"], images.seen(index, confident=confident))
    return tally


def setting(images: MadeUp, groups: list[str] | None = None) -> Setting:
    names = [images.name(index) for index in range(len(images))]
    return Setting("roads", "val", None, names, groups or names)


def subject(name: str = "w.safetensors", classes: Classes = CLASSES) -> Subject:
    return Subject(name, [], ModelSpec("segnext_tiny", {}, classes))


def report(*, confident: bool = True) -> Report:
    images = MadeUp()
    return summarize(subject(), setting(images), count(images, confident=confident), COST)


def strip() -> Strip:
    images, tally = MadeUp(), count(MadeUp())
    item = images[3]
    return draw_strip(item["image"], item["mask"], unpack_mask(tally.scores.packed[3]), CLASSES)


def duel(shift: int = 5, *, groups: list[str] | None = None) -> Duel:
    """Compare the made-up model with one that errs as it does `shift` pictures later."""
    images = MadeUp()
    tallies = ScoreTally(CLASSES), ScoreTally(CLASSES)
    for index in range(len(images)):
        truth = images[index]["mask"]
        tallies[0].update(truth, images.seen(index).mask)
        tallies[1].update(truth, images.seen(max(0, index % 20 + shift)).mask)
    return compare_tallies(subject("a"), subject("b"), setting(images, groups), tallies)
