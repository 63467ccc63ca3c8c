"""What is odd about picture and mask files: broken, of another size, of another kind, unpaired."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from segnext.data.arrangement import Arrangement
from segnext.data.checkup.finding import (
    Finding,
    Severity,
    agree,
    count_of,
    list_examples,
    percent,
    shorten,
)
from segnext.data.checkup.readings import Fault, Reading
from segnext.data.containers.paths import is_folder, walk_files
from segnext.data.images import IMAGE_SUFFIXES
from segnext.data.pairing import MASK_ENDINGS
from segnext.errors import list_some

# A size that so many pictures share is the usual one; others are odd.
USUAL_SHARE = 0.9
SMALLEST_SIDE = 32


@dataclass(frozen=True)
class Sizes:
    """How large the pictures are, in pixels.

    Attributes:
        common: Width, height and number of pictures, the most frequent sizes first.
        distinct: How many sizes there are.
        width: Least, median and greatest.
        height: Least, median and greatest.
    """

    common: tuple[tuple[int, int, int], ...]
    distinct: int
    width: tuple[int, int, int]
    height: tuple[int, int, int]


def measure_sizes(readings: Sequence[Reading]) -> Sizes | None:
    """Describe the sizes of the pictures that could be read; `None` without any."""
    found = Counter(
        (r.picture.header.width, r.picture.header.height) for r in readings if r.picture
    )
    if not found:
        return None
    common = tuple((width, height, count) for (width, height), count in found.most_common(8))
    sides = list(zip(*found.elements(), strict=True))
    width, height = ((min(side), sorted(side)[len(side) // 2], max(side)) for side in sides)
    return Sizes(common, len(found), width, height)


def find_broken(readings: Sequence[Reading], root: Path) -> list[Finding]:
    """List every picture and mask that cannot be read."""
    findings = []
    pictures = [r.picture_fault for r in readings if r.picture_fault]
    if pictures:
        findings.append(
            Finding(
                "broken_pictures",
                Severity.ERROR,
                f"{count_of(len(pictures), 'picture')} cannot be read.",
                "Copy them again from where they came from, or remove them with their masks.",
                len(pictures),
                _list_faults(pictures, root),
            )
        )
    titles = {
        "broken": (
            "broken_masks",
            "cannot",
            "be read",
            "Export or copy them again, or remove them with their pictures.",
        ),
        "jpeg": (
            "jpeg_masks",
            "are",
            "JPEG, which changes labels along every edge",
            "Export the masks again as PNG; converting the JPEG files keeps what is wrong.",
        ),
        "labels": (
            "unreadable_labels",
            "have",
            "labels that no mask can be painted from",
            "Mend the label files, or declare what they name.",
        ),
    }
    for kind, (code, verb, problem, remedy) in titles.items():
        faults = [r.mask_fault for r in readings if r.mask_fault and r.mask_fault.kind == kind]
        if faults:
            noun = "picture" if kind == "labels" else "mask"
            title = f"{agree(len(faults), noun, verb)} {problem}."
            listed = _list_faults(faults, root)
            findings.append(Finding(code, Severity.ERROR, title, remedy, len(faults), listed))
    return findings


def _list_faults(faults: Iterable[Fault], root: Path) -> tuple[str, ...]:
    return list_examples(fault.message.replace(f"{root}/", "") for fault in faults)


def differs_in_size(reading: Reading) -> bool:
    """Tell whether a mask has another size than its picture."""
    if reading.picture is None or reading.mask is None:
        return False
    header = reading.picture.header
    return (reading.mask.width, reading.mask.height) != (header.width, header.height)


def find_other_sizes(readings: Sequence[Reading], root: Path) -> list[Finding]:
    """Look for masks of another size than the picture."""
    turned, other = [], []
    for reading in filter(differs_in_size, readings):
        assert reading.picture is not None
        assert reading.mask is not None
        header, mask = reading.picture.header, reading.mask
        line = (
            f"{shorten(reading.item.mask_path, root)}: {mask.width}x{mask.height}, its picture "
            f"{header.width}x{header.height}"
        )
        if header.orientation > 1 and header.stored_size == (mask.width, mask.height):
            turned.append(f"{line} (EXIF orientation {header.orientation})")
        else:
            other.append(line)
    findings = []
    if turned:
        findings.append(
            Finding(
                "masks_of_unrotated_pictures",
                Severity.ERROR,
                f"{agree(len(turned), 'mask', 'were')} drawn on the unrotated picture: the camera "
                f"was turned, and says so in EXIF.",
                "Turn these masks as the pictures are shown, or remove the EXIF orientation from "
                "the pictures (exiftool -Orientation= -n FILE).",
                len(turned),
                list_examples(turned),
            )
        )
    if other:
        findings.append(
            Finding(
                "masks_of_other_size",
                Severity.ERROR,
                f"{agree(len(other), 'mask', 'have')} another size than the picture.",
                "Export masks at the size of the pictures; resize by nearest neighbour only.",
                len(other),
                list_examples(other),
            )
        )
    return findings


def find_odd_pictures(readings: Sequence[Reading], root: Path) -> list[Finding]:
    """Look for pictures of odd size, and for mixed numbers of channels and bits."""
    whole = [reading for reading in readings if reading.picture]
    return [*_find_odd_sizes(whole, root), *_find_channels(whole, root), *_find_bits(whole, root)]


def _find_odd_sizes(readings: Sequence[Reading], root: Path) -> list[Finding]:
    sizes = {
        id(r): (r.picture.header.width, r.picture.header.height) for r in readings if r.picture
    }
    findings = []
    small = [r for r in readings if min(sizes[id(r)]) < SMALLEST_SIDE]
    if small:
        findings.append(
            Finding(
                "small_pictures",
                Severity.WARNING,
                f"{agree(len(small), 'picture', 'are')} smaller than {SMALLEST_SIDE} px, the "
                f"coarsest step of the network.",
                "Remove thumbnails that slipped in.",
                len(small),
                list_examples(_with_size(r, sizes[id(r)], root) for r in small),
            )
        )
    common = Counter(sizes.values()).most_common(1)
    if not common or common[0][1] == len(readings) or common[0][1] < USUAL_SHARE * len(readings):
        return findings
    odd = [r for r in readings if sizes[id(r)] != common[0][0]]
    width, height = common[0][0]
    return [
        *findings,
        Finding(
            "odd_sizes",
            Severity.NOTE,
            f"{agree(len(odd), 'picture', 'have')} another size than the other "
            f"{percent(common[0][1] / len(readings))}, {width}x{height}.",
            "",
            len(odd),
            list_examples(_with_size(r, sizes[id(r)], root) for r in odd),
        ),
    ]


def _with_size(reading: Reading, size: tuple[int, int], root: Path) -> str:
    return f"{shorten(reading.item.image_path, root)}: {size[0]}x{size[1]}"


def _find_channels(readings: Sequence[Reading], root: Path) -> list[Finding]:
    found = Counter(r.picture.header.channels for r in readings if r.picture)
    if len(found) < 2:
        return []
    usual = found.most_common(1)[0][0]
    odd = [r for r in readings if r.picture and r.picture.header.channels != usual]
    counts = ", ".join(f"{count} of {channels}" for channels, count in found.most_common())
    grey = set(found) == {1, 3}
    return [
        Finding(
            "mixed_channels",
            Severity.NOTE if grey else Severity.ERROR,
            f"Pictures differ in their number of channels: {counts}.",
            "Grey pictures are repeated to three channels." if grey else "Make them alike.",
            len(odd),
            list_examples(
                f"{shorten(r.item.image_path, root)}: {r.picture.header.channels}"
                for r in odd
                if r.picture
            ),
        )
    ]


def _find_bits(readings: Sequence[Reading], root: Path) -> list[Finding]:
    deep = [r for r in readings if r.picture and r.picture.header.bits == 16]
    narrow = [r for r in deep if r.picture and r.picture.narrow]
    findings = []
    if deep and len(deep) < len(readings):
        shallow = [r for r in readings if r.picture and r.picture.header.bits != 16]
        few = min(deep, shallow, key=len)
        findings.append(
            Finding(
                "mixed_bits",
                Severity.WARNING,
                f"{len(deep)} of {len(readings)} pictures have 16 bits a value, the others 8; each "
                f"is divided by its own full scale.",
                "Make them alike, unless white means the same in both.",
                len(few),
                list_examples(shorten(r.item.image_path, root) for r in few),
            )
        )
    if narrow:
        findings.append(
            Finding(
                "narrow_bits",
                Severity.WARNING if len(narrow) < len(readings) else Severity.NOTE,
                f"{len(narrow)} of {len(deep)} 16-bit pictures hold no value above 255: 8-bit "
                f"values in 16-bit files, nearly black beside true ones.",
                "Save them with 8 bits: half the size, and read at their true brightness.",
                len(narrow),
                list_examples(shorten(r.item.image_path, root) for r in narrow),
            )
        )
    return findings


def _exclusive_homes(readings: Sequence[Reading]) -> set[Path]:
    """Return the folders that hold pictures of one split alone, all of them with a mask."""
    splits: dict[Path, set[str]] = {}
    bare: set[Path] = set()
    for reading in readings:
        splits.setdefault(reading.item.image_path.parent, set()).add(reading.split)
        if reading.item.mask_path is None:
            bare.add(reading.item.image_path.parent)
    masks = {r.item.mask_path.parent for r in readings if r.item.mask_path}
    return {home for home, found in splits.items() if len(found) == 1} - bare - masks


def find_unpaired(readings: Sequence[Reading], arranged: Arrangement) -> list[Finding]:
    """Look for picture files that no split uses, and say what they lack.

    Known data sets and formats have pictures besides, such as ids of instances or those that no
    list names: of them only folders of photos are searched that belong to one split alone.
    """
    pictures = {r.item.image_path for r in readings}
    masks = {r.item.mask_path for r in readings if r.item.mask_path}
    homes = {path.parent for path in pictures}, {path.parent for path in masks}
    if arranged.layout.masks is not None:
        homes = _exclusive_homes(readings), set()
    if not any(homes) or not is_folder(arranged.root):
        return []
    used = pictures | masks
    alone: dict[str, list[Path]] = {"picture": [], "mask": []}
    for path in walk_files(arranged.root):
        if path.suffix.lower() in IMAGE_SUFFIXES and path not in used:
            place = next((n for n, h in zip(alone, homes, strict=True) if path.parent in h), None)
            if place:
                alone[place].append(path)
    findings = []
    for noun, files in alone.items():
        if files:
            lacking = (
                ("lack", "a mask, or a line in a list")
                if noun == "picture"
                else ("belong", "to no picture that is used")
            )
            findings.append(
                Finding(
                    f"unpaired_{noun}s",
                    Severity.WARNING,
                    f"{agree(len(files), noun, lacking[0])} {lacking[1]}: left out.",
                    "A mask has the name of its picture, or that name and one of "
                    f"{list_some(MASK_ENDINGS, 6)}.",
                    len(files),
                    list_examples(shorten(path, arranged.root) for path in files),
                )
            )
    return findings
