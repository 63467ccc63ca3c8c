"""The taxonomy: class names, colours, and the label map raw id -> train id -> submission id.

Four kinds of numbers must never be confused:

- raw id: the value in a mask file (or the position of its colour in a colour mask),
- train id: 0 .. L-1, what losses, metrics and predicted masks use,
- submission id: what a test server wants to find in the masks sent to it,
- ignore: pixels that count for nothing, stored as `ignore_index` (255; 65535 above 255 labels).

`Classes.encode` goes from raw to train ids and refuses values nobody declared; `Classes.decode`
goes back; `Classes.submit` goes from train to submission ids. L is the number of labels: the
number of classes, except for a single class, where the network has one logit and a mask has two
labels, 0 `background` and 1 the class.
"""

import colorsys
import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from segnext.errors import DataError, UsageError, describe_unknown

Color = tuple[int, int, int]
Mask = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

BACKGROUND = "background"
IGNORE_COLOR: Color = (0, 0, 0)


def distinct_colors(count: int) -> tuple[Color, ...]:
    """Return `count` well separated RGB colours, the same on every call.

    Hues step by the golden angle; lightness and saturation alternate, so that neighbours in the
    list stay apart for readers who see few hues.
    """
    colors: list[Color] = []
    for index in range(count):
        hue = (0.58 + index * 0.61803398875) % 1.0
        lightness = (0.52, 0.70, 0.36)[index % 3]
        saturation = (0.75, 0.60, 0.85)[(index // 3) % 3]
        red, green, blue = colorsys.hls_to_rgb(hue, lightness, saturation)
        colors.append((round(red * 255), round(green * 255), round(blue * 255)))
    return tuple(colors)


def count_ids(mask: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Count how often each value occurs in a mask (H, W) of 8 or 16 bit: (256,) or (65536,).

    Counts above 2^24 are right to seven digits, and never 0 for what is there.
    """
    if mask.dtype == np.uint8:
        # Several times as fast as numpy, which first widens every pixel to 64 bits.
        histogram = cv2.calcHist([mask], [0], None, [256], [0, 256])
        counts: npt.NDArray[np.int64] = histogram.reshape(-1).astype(np.int64)
        return counts
    return np.bincount(mask.reshape(-1), minlength=65536)


@dataclass(frozen=True)
class Classes:
    """Names, colours and raw ids of the classes of a data set or a model.

    Attributes:
        names: One name per class, in train-id order; no duplicates.
        colors: RGB, 0-255, one per class; made up by `distinct_colors` where not given.
        raw_to_train: Declared mask values, as sorted (raw id, train id) pairs with `None` for
            "ignore". Empty means raw ids are train ids. `ignore_index` itself is always ignored.
        submission: Submission id by train id; empty where no test server is known.
    """

    names: tuple[str, ...]
    colors: tuple[Color, ...] = ()
    raw_to_train: tuple[tuple[int, int | None], ...] = field(default=())
    submission: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.names:
            msg = "a taxonomy needs at least one class name"
            raise UsageError(msg)
        duplicates = sorted(name for name, count in Counter(self.names).items() if count > 1)
        if duplicates:
            msg = f"class names must differ, given twice: {', '.join(duplicates)}"
            raise UsageError(msg)
        if len(self.names) > 65535:
            msg = f"at most 65535 classes fit a 16-bit mask, got {len(self.names)}"
            raise UsageError(msg)
        if not self.colors:
            object.__setattr__(self, "colors", distinct_colors(len(self.names)))
        if len(self.colors) != len(self.names):
            msg = f"{len(self.names)} class names but {len(self.colors)} colours"
            raise UsageError(msg)
        for raw, train in self.raw_to_train:
            if not 0 <= raw <= 65535:
                msg = f"mask value {raw} in the label mapping is outside 0..65535"
                raise UsageError(msg)
            if train is not None and not 0 <= train < self.num_labels:
                msg = (
                    f"the label mapping sends mask value {raw} to class {train}, but ids run from "
                    f"0 to {self.num_labels - 1}; use null (or ignore) for pixels that do not count"
                )
                raise UsageError(msg)
        if self.submission and len(self.submission) != self.num_labels:
            msg = f"{self.num_labels} labels but {len(self.submission)} submission ids"
            raise UsageError(msg)

    @classmethod
    def numbered(cls, count: int) -> "Classes":
        """Name `count` classes by their ids, for models whose taxonomy nobody stated."""
        return cls(tuple(f"class_{index}" for index in range(count)))

    @property
    def num_classes(self) -> int:
        """Number of logits K of a model for these classes."""
        return len(self.names)

    @property
    def num_labels(self) -> int:
        """Number of train ids L in masks: K, or 2 for a single class."""
        return max(2, len(self.names))

    @property
    def label_names(self) -> tuple[str, ...]:
        """One name per train id."""
        return self.names if len(self.names) > 1 else (BACKGROUND, self.names[0])

    @property
    def label_colors(self) -> tuple[Color, ...]:
        """One RGB colour per train id."""
        return self.colors if len(self.names) > 1 else (IGNORE_COLOR, self.colors[0])

    @property
    def ignore_index(self) -> int:
        """Value of pixels that count for nothing."""
        return 255 if self.num_labels <= 255 else 65535

    @property
    def mask_dtype(self) -> type[np.uint8] | type[np.uint16]:
        """Smallest unsigned type that holds every train id and `ignore_index`."""
        return np.uint8 if self.ignore_index == 255 else np.uint16

    def with_ignored(self, raw_ids: Sequence[int]) -> "Classes":
        """Return the same taxonomy in which `raw_ids` are ignored as well."""
        table = self._raw_table() | dict.fromkeys(raw_ids)
        return replace(self, raw_to_train=tuple(sorted(table.items())))

    def reduce_zero(self) -> "Classes":
        """Return the taxonomy in which raw id 0 is void instead of the first class.

        This is what other tools call `reduce_zero_label`: the first class goes, and every other
        train id moves down by one.

        Raises:
            UsageError: Raw id 0 is not the first class, as after reducing it once.
        """
        if self._raw_table().get(0) != 0:
            msg = (
                f"raw id 0 is void already and {self.names[0]} the first class; reducing zero "
                f"again would shift every class"
            )
            raise UsageError(msg)
        return self.drop(self.names[:1])

    def drop(self, names: Sequence[str]) -> "Classes":
        """Return the taxonomy without some classes, whose pixels count for nothing from then on.

        Raises:
            UsageError: A name is unknown, or fewer than two classes are left.
        """
        self._check_known(names)
        return self._regroup([(name,) for name in self.names if name not in names], {})

    def merge(self, groups: Mapping[str, Sequence[str]]) -> "Classes":
        """Return the taxonomy in which each group of classes is one.

        A merged class takes the place and the colour of its first member. Submission ids are
        lost, since no server takes merged classes.

        Args:
            groups: Names of classes by the name they get together.

        Raises:
            UsageError: A name is unknown or in two groups, or fewer than two classes are left.
        """
        merged = {name: new for new, members in groups.items() for name in members}
        self._check_known(list(merged))
        if len(merged) < sum(len(members) for members in groups.values()):
            msg = "a class can be merged into one group only"
            raise UsageError(msg)
        parts: dict[str, tuple[str, ...]] = {}
        for name in self.names:
            new = merged.get(name, name)
            parts[new] = (*parts.get(new, ()), name)
        renamed = {members[0]: new for new, members in parts.items()}
        return replace(self._regroup(list(parts.values()), renamed), submission=())

    def _regroup(self, groups: Sequence[tuple[str, ...]], renamed: Mapping[str, str]) -> "Classes":
        """Return the taxonomy of the given groups of classes; all others count for nothing."""
        if len(groups) < 2:
            msg = f"{len(groups)} class is left of {self.num_classes}; nothing to tell apart"
            raise UsageError(msg)
        place = {self.names.index(name): new for new, group in enumerate(groups) for name in group}
        first = [self.names.index(group[0]) for group in groups]
        table = {
            raw: None if train is None else place.get(train)
            for raw, train in self._raw_table().items()
        }
        return Classes(
            tuple(renamed.get(self.names[old], self.names[old]) for old in first),
            tuple(self.colors[old] for old in first),
            tuple(sorted(table.items())),
            tuple(self.submission[old] for old in first) if self.submission else (),
        )

    def _raw_table(self) -> dict[int, int | None]:
        return dict(self.raw_to_train) or {index: index for index in range(self.num_labels)}

    def _check_known(self, names: Sequence[str]) -> None:
        for name in names:
            if name not in self.names:
                raise UsageError(describe_unknown("class", name, self.names))

    @functools.cached_property
    def _encode_table(self) -> npt.NDArray[np.int32]:
        """Train id per raw id; -1 where a value was never declared."""
        table = np.full(65536, -1, dtype=np.int32)
        table[: self.num_labels] = np.arange(self.num_labels)
        if self.raw_to_train:
            table[:] = -1
            for raw, train in self.raw_to_train:
                table[raw] = self.ignore_index if train is None else train
        if table[self.ignore_index] < 0:
            table[self.ignore_index] = self.ignore_index
        return table

    def encode(self, raw: npt.NDArray[Any], where: str) -> Mask:
        """Translate raw mask values (H, W) to train ids.

        Args:
            raw: Mask as stored, unsigned integers of 8 or 16 bits.
            where: The file, for the message.

        Raises:
            DataError: A value was never declared; names file, value, count and remedy.
        """
        table = self._encode_table
        if raw.dtype == np.uint8 and self._unused is not None:
            # Looked up first and checked on the result: half the time of counting every value.
            looked_up: Mask = cv2.LUT(raw, self._byte_table)
            if not (looked_up == self._unused).any():
                return raw if not self.raw_to_train else looked_up
        counts = count_ids(raw)
        unknown = np.flatnonzero((counts > 0) & (table[: len(counts)] < 0))
        if len(unknown):
            raise self._undeclared(unknown, counts, where)
        if not self.raw_to_train and raw.dtype == self.mask_dtype:
            return raw
        encoded: Mask = table[: len(counts)].astype(self.mask_dtype)[raw]
        return encoded

    @functools.cached_property
    def _unused(self) -> int | None:
        """A byte that is neither a train id nor `ignore_index`; `None` where all are taken."""
        return self.num_labels if self.num_labels < self.ignore_index == 255 else None

    @functools.cached_property
    def _byte_table(self) -> npt.NDArray[np.uint8]:
        """Train id per raw id of 8 bits; `_unused` where a value was never declared."""
        table = self._encode_table[:256]
        return np.where(table < 0, self._unused or 0, table).astype(np.uint8)

    def _undeclared(
        self, unknown: npt.NDArray[np.intp], counts: npt.NDArray[np.int64], where: str
    ) -> DataError:
        value = int(unknown[np.argmax(counts[unknown])])
        others = f" (also {', '.join(map(str, unknown[unknown != value][:5]))})"
        return DataError(
            f"{where}: {counts[value]:,} pixels hold the value {value}"
            f"{others if len(unknown) > 1 else ''}, which is none "
            f"of the {self.num_labels} classes ({self.label_names[0]} to "
            f"{self.label_names[-1]}); if it means void, ignore it with --ignore-index {value} "
            f"(or ignore_index in data.yaml), else declare it in classes.txt or label_mapping"
        )

    def decode(self, mask: Mask) -> npt.NDArray[np.uint16]:
        """Translate train ids (H, W) back to raw ids: the lowest raw id declared for each."""
        table = np.arange(65536, dtype=np.uint16)
        for raw, train in reversed(self.raw_to_train):
            if train is not None:
                table[train] = raw
        return table[mask]

    def submit(self, mask: Mask) -> Mask:
        """Translate train ids (H, W) to what the data set's test server wants.

        Raises:
            UsageError: No submission ids are known for these classes.
            DataError: The mask holds a value that is no train id.
        """
        if not self.submission:
            msg = "these classes have no submission ids; only those of a known data set do"
            raise UsageError(msg)
        if mask.size and int(mask.max()) >= self.num_labels:
            msg = f"the mask holds {int(mask.max())}, but train ids run to {self.num_labels - 1}"
            raise DataError(msg)
        table: Mask = np.array(self.submission, np.uint16)
        if max(self.submission) <= 255:
            table = table.astype(np.uint8)
        submitted: Mask = table[mask]
        return submitted

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description; `from_dict` reads it back."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Classes":
        """Rebuild a taxonomy from `to_dict`."""
        return cls(
            tuple(data["names"]),
            tuple((int(red), int(green), int(blue)) for red, green, blue in data["colors"]),
            tuple((int(raw), train) for raw, train in data.get("raw_to_train", ())),
            tuple(data.get("submission", ())),
        )
