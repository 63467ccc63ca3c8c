"""What a training of a checked data set would choose, by the rules of the plan itself.

Steps are not timed here: the number of steps is what the pictures ask for if time allows, which
`segnext plan` then holds against this machine.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from segnext.data.checkup import Checkup
from segnext.data.fingerprint import ClassFingerprint, Fingerprint, take_fingerprint
from segnext.data.folder import Folder, FolderDataset
from segnext.data.statistics import spread_sample
from segnext.errors import SegnextError
from segnext.training.config import Recipe, TrainConfig, build_config
from segnext.training.planning import format_choices
from segnext.training.rules import (
    PRETRAINED_PASSES,
    RULES,
    SCRATCH_PASSES,
    choose_steps,
)
from segnext.training.situation import Choice, Memory, Situation, Timing

# Pictures measured; class counts are those of all masks.
MEASURED = 200
SHOWN = (
    "nodata",
    "base_size",
    "crop_size",
    "window",
    "stride",
    "batch_size",
    "rare_crop",
    "rare_classes",
    "class_weights",
    "max_steps",
)


@dataclass(frozen=True)
class Suggestion:
    """Options of a training that follow from the data.

    Attributes:
        choices: Those worth looking at, with reasons.
        given: Options that the check-up was told and the training must be told too.
    """

    choices: tuple[Choice, ...]
    given: Mapping[str, Any]

    @property
    def text(self) -> str:
        """The same as YAML, to be given to `segnext train DIR --plan FILE`."""
        told = [Choice(name, value, "as in this check-up") for name, value in self.given.items()]
        return format_choices([*told, *self.choices])

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {**self.given, **{choice.option: choice.value for choice in self.choices}}


class _Unmeasured:
    """Answers for a machine without limits."""

    def memory(self, recipe: Recipe) -> Memory:
        del recipe
        return Memory(fixed=0, picture=1, free=1 << 62)

    def speed(self, recipe: Recipe) -> Timing:
        del recipe
        return Timing(1e-9, 1e-9)


def suggest(checkup: Checkup, **given: Any) -> Suggestion | None:
    """Choose by the rules of the plan, from all masks that were read.

    Args:
        checkup: Of the data.
        **given: Fields of `TrainConfig` that the check-up was told as well, such as `group`.

    Returns:
        The choices, or `None` where too little of the data is whole to choose from.
    """
    if checkup.folder is None or not {"train", "val"} <= checkup.folder.splits.keys():
        return None
    config = build_config({"data": checkup.root, **given})
    try:
        data = _measure(checkup, checkup.folder)
        chosen = _apply_rules(config, data)
        scratch = _apply_rules(config.model_copy(update={"init": "none"}), data)
    except SegnextError:
        return None
    steps = (
        f"{PRETRAINED_PASSES} times all training pixels; {scratch['max_steps'].value} "
        f"({SCRATCH_PASSES} times) without a pretrained encoder; leave it out to fit --budget"
    )
    chosen["max_steps"] = Choice("max_steps", chosen["max_steps"].value, steps)
    if not chosen["rare_classes"].value:
        del chosen["rare_crop"], chosen["rare_classes"]
    return Suggestion(tuple(chosen[name] for name in SHOWN if name in chosen), given)


def _apply_rules(config: TrainConfig, data: Fingerprint) -> dict[str, Choice]:
    situation = Situation(config, data, _Unmeasured())
    choices: dict[str, Choice] = {}
    for rule in RULES[: RULES.index(choose_steps) + 1]:
        for choice in rule(situation):
            if not situation.gave(choice.option):
                situation.chosen[choice.option] = choice.value
                choices[choice.option] = choice
    return choices


def _measure(checkup: Checkup, folder: Folder) -> Fingerprint:
    """Take a fingerprint of some pictures, with the numbers that are known of all of them."""
    train = folder.splits["train"]
    items = tuple(train.items[index] for index in spread_sample(len(train), MEASURED))
    sample = FolderDataset("train", items, train.channels, train.reader)
    taken = take_fingerprint(replace(folder, splits={"train": sample}), limit=MEASURED)
    sizes, shares = checkup.sizes, checkup.shares["train"]
    assert sizes is not None
    every = replace(
        taken,
        splits={split: len(part) for split, part in folder.splits.items()},
        height=sizes.height,
        width=sizes.width,
    )
    if taken.nodata is not None:
        return every  # the masks alone do not tell which pixels hold data
    return replace(
        every,
        counted_pixels=int(shares.pixels.sum()),
        ignored_share=shares.ignored_share,
        classes=tuple(_recount(entry, label, checkup) for label, entry in enumerate(taken.classes)),
    )


def _recount(entry: ClassFingerprint, label: int, checkup: Checkup) -> ClassFingerprint:
    shares = checkup.shares["train"]
    return replace(
        entry,
        pixels=int(shares.pixels[label]),
        pixel_share=float(shares.pixel_shares[label]),
        image_share=float(shares.image_shares[label]),
        pixels_where_present=int(shares.around[label]),
    )
