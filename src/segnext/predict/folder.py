"""Many pictures to masks on disk: resumable, and not stopped by a broken file."""

import glob
import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segnext.data import IMAGE_SUFFIXES
from segnext.data.reading import read_ahead
from segnext.errors import DataError, SegnextError, UsageError
from segnext.parsing import parse_json
from segnext.predict.annotations import Annotations
from segnext.predict.footage import VIDEO_SUFFIXES
from segnext.predict.prediction import PICTURES
from segnext.predict.predictor import Predictor
from segnext.predict.writers.areas import write_areas
from segnext.predict.writers.registry import check_outputs
from segnext.storage import write_atomically

SAVE_EVERY = 50


@dataclass
class Report:
    """What became of every picture.

    Attributes:
        done: Names predicted now.
        skipped: Names that were there already, made by the same weights and protocol.
        failed: Paths with what was wrong.
    """

    done: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: list[tuple[Path, str]] = field(default_factory=list)


def find_images(sources: Sequence[str | Path]) -> dict[str, Path]:
    """List the pictures that files, folders and glob patterns stand for.

    Args:
        sources: Folders are walked; files and matches of patterns are taken as they are.

    Returns:
        Path by output name: the path below the sources' common folder, without suffix. Pictures
        that differ only in suffix keep it in their names.

    Raises:
        DataError: A source does not exist, matches nothing or holds no picture.
        UsageError: The pictures lie on different drives, or a file is a video.
    """
    paths = sorted({path for source in sources for path in _expand(str(source))})
    try:
        common = Path(os.path.commonpath([path.resolve().parent for path in paths]))
    except ValueError as error:
        msg = "the pictures lie on different drives; predict one drive at a time"
        raise UsageError(msg) from error
    relative = {path: path.resolve().relative_to(common) for path in paths}
    stems = Counter(name.with_suffix("") for name in relative.values())
    return {
        (name if stems[name.with_suffix("")] > 1 else name.with_suffix("")).as_posix(): path
        for path, name in relative.items()
    }


def _expand(source: str) -> list[Path]:
    path = Path(source)
    if path.is_dir():
        found = [p for p in path.rglob("*") if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file()]
        if not found:
            kinds = ", ".join(sorted(IMAGE_SUFFIXES))
            msg = f"{path}: no pictures in this folder ({kinds})"
            raise DataError(msg)
        return found
    if path.is_file():
        if path.suffix.lower() in VIDEO_SUFFIXES:
            msg = f"{path} is a video: segnext video WEIGHTS {path}"
            raise UsageError(msg)
        return [path]
    matches = [Path(match) for match in glob.glob(source, recursive=True)]  # noqa: PTH207
    files = [match for match in matches if match.is_file()]
    if not files:
        msg = f"{source}: no such file, folder or match"
        raise DataError(msg)
    return files


def predict_images(
    predictor: Predictor,
    images: dict[str, Path],
    out: str | Path,
    *,
    outputs: Collection[str] = ("labels", "overlay"),
    confidence: bool = False,
    made_by: str = "",
    on_image: Callable[[int], None] = lambda _: None,
    on_write: Callable[[str], None] = lambda _: None,
) -> Report:
    """Predict pictures and write masks, overlays, class areas and annotation files below `out`.

    A picture whose files are there from the same weights and protocol is skipped, so an
    interrupted run goes on where it was; annotation files are made from its mask. A picture that
    cannot be read is reported, not fatal.

    Args:
        predictor: What predicts.
        images: Path by output name, from `find_images`.
        out: Folder; always gets `masks/` and `areas.json`.
        outputs: What else to write, of `OUTPUTS`. Files about many pictures, as of `coco`, list
            those of this call.
        confidence: Also write confidence pictures.
        made_by: Fingerprint of the weights, from `fingerprint`.
        on_image: Called with the number of pictures finished after each.
        on_write: Called with the name of an annotation format before its file is written.

    Raises:
        UsageError: An output is unknown or the network cannot give it, or `out` lies where the
            pictures themselves would be found again.
        DataError: A mask or areas.json of an earlier run cannot be read.
    """
    out = Path(out)
    check_outputs(outputs)
    _check_out(out, images)
    drawn = {*outputs, "labels", *(["confidence"] if confidence else [])} & set(PICTURES)
    annotations = Annotations(out, outputs, predictor.spec.classes)
    report, areas = Report(), _Areas(out / "areas.json", made_by, predictor.protocol.describe())
    todo = {}
    for name, path in images.items():
        if name in areas.entries and _exists(out, name, drawn):
            report.skipped.append(name)
        else:
            todo[name] = path
    on_image(len(report.skipped))
    for (name, path), reading in read_ahead(lambda item: predictor.read(item[1]), todo.items()):
        try:
            prediction = predictor.predict(reading.result())
        except SegnextError as error:
            report.failed.append((path, str(error)))
        else:
            annotations.add(name, path, prediction)
            prediction.save(out, name, outputs=sorted(drawn))
            areas.entries[name] = {
                label: {"pixels": area.pixels, "share": round(area.share, 6)}
                for label, area in prediction.areas.items()
            }
            report.done.append(name)
            if len(report.done) % SAVE_EVERY == 0:
                areas.save()
        on_image(len(report.skipped) + len(report.done) + len(report.failed))
    areas.save()
    finished = {*report.done, *report.skipped}
    kept = {name: path for name, path in images.items() if name in finished}
    if "areas" in outputs:
        write_areas(out / "areas.csv", {name: areas.entries[name] for name in kept})
    annotations.finish(kept, on_write)
    return report


class _Areas:
    """`areas.json`: class areas by picture, and what made them."""

    def __init__(self, path: Path, made_by: str, protocol: str) -> None:
        self.path = path
        self.made = {"weights": made_by, "protocol": protocol}
        self.entries: dict[str, Any] = {}
        if path.exists():
            try:
                content = parse_json(path.read_text(encoding="utf-8"))
            except (ValueError, OSError) as error:
                msg = f"{path}: cannot be read ({error}); move it away or choose another --out"
                raise DataError(msg) from error
            # What something else wrote is replaced like what other weights made.
            if isinstance(content, dict) and content.get("made") == self.made:
                entries = content.get("images")
                self.entries = entries if isinstance(entries, dict) else {}

    def save(self) -> None:
        """Write everything known so far."""
        content = {"made": self.made, "images": dict(sorted(self.entries.items()))}
        write_atomically(self.path, json.dumps(content, indent=1).encode())


def _exists(out: Path, name: str, drawn: Iterable[str]) -> bool:
    return all((out / PICTURES[kind] / f"{name}.png").exists() for kind in drawn)


def _check_out(out: Path, images: dict[str, Path]) -> None:
    inside = [path for path in images.values() if out.resolve() in path.resolve().parents]
    if inside:
        msg = f"{inside[0]} lies below the output folder {out}; choose an --out beside the pictures"
        raise UsageError(msg)


def fingerprint(paths: Sequence[Path]) -> str:
    """Return a SHA-256 over weights files, to tell whose predictions a folder holds."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
