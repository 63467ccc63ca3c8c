"""How often each class occurs in each split, and what is odd about that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from segnext.classes import Classes
from segnext.data.checkup.finding import Finding, Severity, agree, count_of, list_examples, shorten
from segnext.data.checkup.labels import Reread
from segnext.data.checkup.readings import Reading
from segnext.errors import list_some

Counts = npt.NDArray[np.int64]

# Below this a score depends on which pictures happen to be in the split.
FEW_PICTURES = 10
TRAIN, VAL = "train", "val"


@dataclass(frozen=True)
class ClassShares:
    """What the masks of one split hold.

    Attributes:
        masks: How many were read.
        pixels: Of each train id.
        images: Pictures that hold each train id.
        around: Counted pixels of the pictures that hold each train id.
        ignored: Pixels that count for nothing.
    """

    masks: int
    pixels: Counts
    images: Counts
    around: Counts
    ignored: int

    @property
    def pixel_shares(self) -> npt.NDArray[np.float64]:
        """Share of each train id among the counted pixels, 0 to 1."""
        return self.pixels / max(1, int(self.pixels.sum()))

    @property
    def image_shares(self) -> npt.NDArray[np.float64]:
        """Share of the pictures that hold each train id, 0 to 1."""
        return self.images / max(1, self.masks)

    @property
    def ignored_share(self) -> float:
        """Share of all pixels that count for nothing, 0 to 1."""
        return self.ignored / max(1, self.ignored + int(self.pixels.sum()))


def add_shares(masks: Sequence[Reread], labels: int) -> ClassShares:
    """Add up the masks of one split."""
    pixels, images, around = (np.zeros(labels, np.int64) for _ in range(3))
    for mask in masks:
        every = mask.pixels.total()
        for label, count in mask.pixels.items():
            if count:
                pixels[label] += count
                images[label] += 1
                around[label] += every
    return ClassShares(len(masks), pixels, images, around, sum(mask.ignored for mask in masks))


def find_class_faults(shares: Mapping[str, ClassShares], classes: Classes) -> list[Finding]:
    """Look for classes that occur nowhere, or not where they are learned or scored."""
    names, findings = classes.label_names, []
    occurs = {split: part.pixels > 0 for split, part in shares.items() if part.masks}
    everywhere = np.any(list(occurs.values()), axis=0) if occurs else np.zeros(len(names), bool)
    absent = [name for name, found in zip(names, everywhere, strict=True) if not found]
    learned = occurs.get(TRAIN)
    if absent and everywhere.any():
        findings.append(
            Finding(
                "absent_classes",
                Severity.WARNING,
                f"{agree(len(absent), 'class', 'occur')} in no mask, of {len(names)}: "
                f"{list_some(absent, 8)}.",
                "Leave them out of the declaration, or in data.yaml with "
                f"drop: [{', '.join(absent[:8])}{', ...' if len(absent) > 8 else ''}].",
                examples=list_examples(absent),
            )
        )
    if learned is None:
        return findings
    for split, found in occurs.items():
        unlearned = [names[label] for label in np.flatnonzero(found & ~learned)]
        if split != TRAIN and unlearned:
            findings.append(
                Finding(
                    "unlearned_classes",
                    Severity.WARNING,
                    f"{list_some(unlearned, 8)}: in {split}, but not in train, so never learned "
                    f"and scored 0 there.",
                    "Move pictures that show them into train.",
                    examples=list_examples(unlearned),
                )
            )
    if learned.sum() == 1:
        only = names[int(np.flatnonzero(learned)[0])]
        findings.append(
            Finding(
                "one_class",
                Severity.ERROR,
                f"The masks of train hold one class only, {only}: there is nothing to learn.",
                "Check the label map, or that masks and pictures belong together.",
            )
        )
    unscored = [names[label] for label in np.flatnonzero(learned & ~occurs.get(VAL, learned))]
    if unscored:
        findings.append(
            Finding(
                "unscored_classes",
                Severity.NOTE,
                f"{list_some(unscored, 8)}: in train, but not in val, so the best weights are "
                f"chosen without looking at them.",
                "Move pictures that show them into val, if there are enough.",
                examples=list_examples(unscored),
            )
        )
    return findings


def find_empty_masks(
    readings: Sequence[Reading], masks: Sequence[Reread], root: Path
) -> list[Finding]:
    """Look for masks without a single counted pixel."""
    empty = [r for r, mask in zip(readings, masks, strict=True) if not mask.pixels.total()]
    if not empty:
        return []
    every = len(empty) == len(readings)
    return [
        Finding(
            "empty_masks",
            Severity.ERROR if every else Severity.WARNING,
            f"{'All ' if every else ''}{agree(len(empty), 'mask', 'hold')} nothing that counts: "
            f"every pixel is ignored.",
            "Check the label map." if every else "Remove these pictures, or label them.",
            len(empty),
            list_examples(shorten(reading.item.mask_path, root) for reading in empty),
        )
    ]


def find_split_faults(counts: Mapping[str, int], labelled: Mapping[str, int]) -> list[Finding]:
    """Look for splits that are missing, empty, without masks, or too small to say anything.

    Args:
        counts: Pictures by split.
        labelled: Of them with a mask.
    """
    findings = []
    for split in (TRAIN, VAL):
        if split in counts and not counts[split]:
            title, remedy = f"The {split} split is empty.", "Put pictures and masks into it."
        elif split in counts and not labelled[split]:
            title = f"The {count_of(counts[split], 'picture')} of {split} have no masks."
            remedy = "Add their masks: training learns from train and chooses by val."
        elif split not in counts and split == TRAIN:
            title = f"There is no train split, only {', '.join(counts)}."
            remedy = "Name the split to learn from with segnext train --set train_split=NAME."
        else:
            continue
        findings.append(Finding("empty_split", Severity.ERROR, title, remedy))
    for split, count in labelled.items():
        if 0 < count < FEW_PICTURES:
            findings.append(
                Finding(
                    "tiny_split",
                    Severity.WARNING,
                    f"The {split} split has only {count_of(count, 'labelled picture')}: "
                    + ("expect little." if split == TRAIN else "its scores say little."),
                    "Add pictures, or cross-validate with --folds 5.",
                    count,
                )
            )
    return findings
