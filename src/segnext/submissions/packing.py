"""Pack predicted masks for a test server, and check a pack as strictly as the server does.

A pack is written beside its place, read back and checked, and only then gets its name; so a file
that is there is one that can be sent.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segnext.classes import Classes
from segnext.data.arrangement import arrange
from segnext.data.datasets.registry import DATASETS
from segnext.data.reading import read_ahead
from segnext.errors import DataError, UsageError, list_some
from segnext.storage import replace_atomically
from segnext.submissions.archives import read_archive, write_archive
from segnext.submissions.pictures import Picture, PictureRules, largest_file, measure_picture
from segnext.submissions.servers import Server, find_server

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Submission:
    """A pack that was found to be right.

    Attributes:
        path: The file.
        server: What it was checked against.
        split: Whose pictures it holds.
        pictures: How many.
    """

    path: Path
    server: Server
    split: str
    pictures: int


def pack_submission(
    dataset: str,
    predictions: Path | str,
    root: Path | str,
    out: Path | str,
    *,
    split: str | None = None,
    partial: bool = False,
    options: Mapping[str, Any] | None = None,
    on_progress: Progress = lambda _done, _total: None,
) -> Submission:
    """Pack predicted masks for the test server of a data set, and check the pack.

    Args:
        dataset: One of `SERVERS`.
        predictions: What `segnext predict` wrote: its output folder, or `masks` in it. Masks are
            found by the names of their pictures.
        root: The data set, which tells which pictures there are and how large.
        out: File to write, with the server's suffix. The same masks give the same bytes.
        split: Of the pictures; the one that the server scores if not given.
        partial: Take any number of pictures instead of the official one.
        options: Of the server, such as `comp` of pascal_voc.
        on_progress: Called with files done and in all; every file counts twice.

    Raises:
        UsageError: The data set, an option or the suffix is wrong.
        DataError: A mask is missing or too many, or of wrong size or values; says which.
    """
    server, out = find_server(dataset), Path(out)
    chosen = server.choose(options or {})
    _check_suffix(out, server)
    split = split or server.split
    classes = DATASETS[dataset].classes
    pictures = find_pictures(server, Path(root), split, partial=partial)
    masks = match_masks(Path(predictions), pictures, classes, split)
    rules = PictureRules(server, classes)
    total = 2 * len(pictures)

    def encode(name: str) -> bytes:
        return rules.encode(masks[name], pictures[name])

    def members() -> Iterator[tuple[str, bytes]]:
        readings = read_ahead(encode, sorted(pictures))
        for done, (name, reading) in enumerate(readings, start=1):
            yield server.place(name, chosen), reading.result()
            on_progress(done, total)

    with replace_atomically(out) as temporary:
        write_archive(temporary, server.archive, members())
        for done in _check_members(temporary, rules, pictures, chosen, shown=out):
            on_progress(len(pictures) + done, total)
    return Submission(out, server, split, len(pictures))


def check_submission(
    dataset: str,
    path: Path | str,
    root: Path | str,
    *,
    split: str | None = None,
    partial: bool = False,
    options: Mapping[str, Any] | None = None,
    on_progress: Progress = lambda _done, _total: None,
) -> Submission:
    """Check a pack, whoever made it; see `pack_submission` for the arguments.

    Raises:
        UsageError: The data set, an option or the suffix is wrong.
        DataError: A file is missing, too many, misnamed, or of wrong kind, size or values.
    """
    server, path = find_server(dataset), Path(path)
    chosen = server.choose(options or {})
    _check_suffix(path, server)
    split = split or server.split
    pictures = find_pictures(server, Path(root), split, partial=partial)
    rules = PictureRules(server, DATASETS[dataset].classes)
    for done in _check_members(path, rules, pictures, chosen, shown=path):
        on_progress(done, len(pictures))
    return Submission(path, server, split, len(pictures))


def find_pictures(server: Server, root: Path, split: str, *, partial: bool) -> dict[str, Picture]:
    """List the pictures whose masks a server wants, by the name it knows them by.

    Raises:
        DataError: The split is missing or incomplete, or its pictures are no whole ones.
    """
    known = DATASETS[server.dataset]
    splits = arrange(root, format=known.name).splits
    if not splits.get(split):
        msg = (
            f"{root}: has no pictures of {split}, only {', '.join(splits) or 'nothing'}; "
            f"{known.title}: {known.obtain}"
        )
        raise DataError(msg)
    items = {item.name.rsplit("/", 1)[-1]: item.image_path for item in splits[split]}
    for name, path in items.items():
        if not re.fullmatch(server.picture, name):
            msg = (
                f"{path}: is no picture as {known.title} publishes them; name the folder of whole "
                f"pictures, not of patches"
            )
            raise DataError(msg)
    allowed = known.allowed_counts(split)
    if allowed and len(items) not in allowed and not partial:
        expected = " or ".join(f"{count:,}" for count in allowed)
        msg = (
            f"{root}: {split} of {known.title} has {expected} pictures, found {len(items):,}; "
            f"download all of them, or pack what is there with --partial"
        )
        raise DataError(msg)
    with ThreadPoolExecutor() as threads:
        found = threads.map(lambda name: measure_picture(name, items[name], server), items)
        return {picture.name: picture for picture in found}


def match_masks(
    folder: Path, pictures: Mapping[str, Picture], classes: Classes, split: str
) -> dict[str, Path]:
    """Find the predicted mask of every picture by the picture's file name.

    Args:
        folder: What `segnext predict` wrote, or `masks` in it.
        pictures: By name.
        classes: Of the data set.
        split: Of the pictures, for messages.

    Raises:
        DataError: A mask is missing, there twice or of no picture, or predicted by a model of
            other classes.
    """
    place = folder / "masks" if (folder / "masks").is_dir() else folder
    if not place.is_dir():
        msg = f"{folder}: no such folder; name the one that segnext predict wrote"
        raise DataError(msg)
    _check_predicted_classes(place.parent / "areas.json", classes)
    wanted = {picture.path.stem: name for name, picture in pictures.items()}
    found: dict[str, Path] = {}
    for path in sorted(place.rglob("*.png")):
        # As predicted from the picture, or called by the name that the server uses.
        name = wanted.get(path.stem, path.stem)
        if name not in pictures:
            msg = (
                f"{path}: is a mask of no picture of {split}, such as {next(iter(wanted))}; "
                f"move it away, or predict {split} alone"
            )
            raise DataError(msg)
        if name in found:
            msg = f"{found[name]} and {path} are masks of one picture; keep one of them"
            raise DataError(msg)
        found[name] = path
    missing = [picture.path for name, picture in pictures.items() if name not in found]
    if missing:
        msg = (
            f"{place}: {len(missing):,} of {len(pictures):,} pictures of {split} have no mask, "
            f"such as {missing[0]}; predict them with segnext predict"
        )
        raise DataError(msg)
    return found


def _check_predicted_classes(path: Path, classes: Classes) -> None:
    """Hold the classes in `areas.json`, which stands beside predicted masks, against those wanted.

    A model may know the first classes only, as one trained without clutter does.
    """
    try:
        images = json.loads(path.read_text(encoding="utf-8"))["images"]
        names = tuple(next(iter(images.values())))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration):
        return  # masks alone are welcome, too
    wanted = classes.label_names
    if names == wanted[: len(names)]:
        return
    differing = next(
        (train for train, name in enumerate(names) if wanted[train : train + 1] != (name,)), 0
    )
    expected = wanted[differing] if differing < len(wanted) else "none"
    msg = (
        f"{path}: these masks know other classes: train id {differing} is {names[differing]}, not "
        f"{expected}; predict with weights that were trained on this data set"
    )
    raise DataError(msg)


def _check_suffix(path: Path, server: Server) -> None:
    if path.suffix.lower() != f".{server.archive}":
        msg = f"{path}: a submission of {server.dataset} is a .{server.archive} file; name it so"
        raise UsageError(msg)


def _check_members(
    path: Path,
    rules: PictureRules,
    pictures: Mapping[str, Picture],
    options: Mapping[str, Any],
    *,
    shown: Path,
) -> Iterator[int]:
    """Check every file of a pack; yields how many are done.

    Args:
        path: The pack.
        rules: Of its pictures.
        pictures: By name.
        options: Of the server, complete.
        shown: Its path in messages.
    """
    server = rules.server

    def picture_of(place: str) -> Picture:
        name = server.find_name(place, options)
        if name is None or name not in pictures:
            example = server.place(next(iter(pictures)), options)
            msg = f"{shown}: {place!r} is the mask of no picture; expected names such as {example}"
            raise DataError(msg)
        return pictures[name]

    def limit(place: str) -> int:
        return largest_file(picture_of(place))

    seen: dict[str, str] = {}
    for place, data in read_archive(path, server.archive, limit):
        picture = picture_of(place)
        if picture.name in seen:
            msg = f"{shown}: {seen[picture.name]} and {place} are masks of one picture; keep one"
            raise DataError(msg)
        seen[picture.name] = place
        rules.check(data, picture, shown / place)
        yield len(seen)
    missing = [server.place(name, options) for name in pictures if name not in seen]
    if missing:
        msg = (
            f"{shown}: holds {len(seen):,} masks of {len(pictures):,}; not {list_some(missing, 3)}"
        )
        raise DataError(msg)
