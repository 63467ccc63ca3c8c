"""Synthetic scenes with exact masks: data for a demonstration, tests and first runs.

Nobody's photographs, no download, any amount, of four domains unlike each other. Colours overlap
between classes in all of them, so a network must learn shape, texture and place.
"""

import io
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile

from segnext.classes import Classes, Mask
from segnext.data.images import Image
from segnext.data.scenery import bands, defects, specks, street
from segnext.drawing import write_mask_png, write_png
from segnext.errors import DataError, UsageError, describe_unknown, list_some
from segnext.storage import write_atomically


@dataclass(frozen=True)
class SceneDomain:
    """A kind of synthetic scene.

    Attributes:
        description: What the scenes show.
        classes: Of the masks.
        draw: Draws an image (H, W, C) and a mask (H, W) from a generator, a width and a height.
        suffix: Of the image files.
        drawing: Raise it when `draw` changes what it returns: folders of older scenes are then
            told apart.
    """

    description: str
    classes: Classes
    draw: Callable[[np.random.Generator, int, int], tuple[Image, Mask]]
    suffix: str = ".png"
    drawing: int = 1


SCENE_DOMAINS = {
    "street": SceneDomain("streets in 8-bit RGB", street.CLASSES, street.draw_street),
    "specks": SceneDomain("tiny cells on slides", specks.CLASSES, specks.draw_specks),
    "defects": SceneDomain("rare defects on grey surfaces", defects.CLASSES, defects.draw_defects),
    "bands": SceneDomain(
        "farmland from above in five 16-bit bands", bands.CLASSES, bands.draw_bands, ".tif"
    ),
}
SCENE_CLASSES = street.CLASSES
DEFAULT_WIDTH, DEFAULT_HEIGHT = 160, 128
MIN_SIDE, MAX_SIDE = 64, 2048
# Each split draws its scenes from its own range of indices.
SPLIT_STARTS = {"train": 0, "val": 1_000_000, "test": 2_000_000}
_NOTE = "scenes.json"


def draw_scene(
    seed: int,
    index: int,
    *,
    width: int = DEFAULT_WIDTH,
    height: int = DEFAULT_HEIGHT,
    domain: str = "street",
) -> tuple[Image, Mask]:
    """Draw scene `index` of the endless series that `seed` names.

    Args:
        seed: 0 or more.
        index: 0 or more.
        width: Columns, 64 to 2048.
        height: Rows, 64 to 2048.
        domain: Key of `SCENE_DOMAINS`.

    Returns:
        Image (H, W, C), RGB or whatever channels the domain has, and mask (H, W) of ids of its
        classes; the same arguments give the same pictures.

    Raises:
        UsageError: An argument is out of range.
    """
    _check_numbers(seed, width, height)
    if index < 0:
        msg = f"the index of a scene must be 0 or more, got {index}"
        raise UsageError(msg)
    rng = np.random.default_rng([seed, index])
    return _find_domain(domain).draw(rng, width, height)


def _find_domain(name: str) -> SceneDomain:
    if name not in SCENE_DOMAINS:
        raise UsageError(describe_unknown("domain of scenes", name, SCENE_DOMAINS))
    return SCENE_DOMAINS[name]


def _check_numbers(seed: int, width: int, height: int) -> None:
    if seed < 0:
        msg = f"the seed of scenes must be 0 or more, got {seed}"
        raise UsageError(msg)
    if not (MIN_SIDE <= width <= MAX_SIDE and MIN_SIDE <= height <= MAX_SIDE):
        msg = f"scenes are {MIN_SIDE} to {MAX_SIDE} px wide and high, got {width}x{height}"
        raise UsageError(msg)


def write_scenes(
    out: Path,
    *,
    train: int = 240,
    val: int = 40,
    test: int = 40,
    seed: int = 0,
    width: int = DEFAULT_WIDTH,
    height: int = DEFAULT_HEIGHT,
    overwrite: bool = False,
    domain: str = "street",
) -> Path:
    """Write scenes as a data set: `{split}/images/*`, `{split}/masks/*.png`, `classes.txt`.

    Images are PNG, those of `bands` TIFF. The folder appears only when it is complete. One that
    already holds exactly these scenes is left as it is.

    Args:
        out: Folder to make; new, empty, or made by this function before.
        train: Number of training scenes, 1 or more.
        val: Number of validation scenes; 0 makes no such split.
        test: Number of test scenes; 0 makes no such split.
        seed: 0 or more; other seeds give other scenes.
        width: Columns, 64 to 2048.
        height: Rows, 64 to 2048.
        overwrite: Replace other scenes that this function wrote to `out`.
        domain: Key of `SCENE_DOMAINS`.

    Returns:
        `out`.

    Raises:
        UsageError: A number is out of range, or there is no such domain.
        DataError: `out` holds something else.
    """
    _check_numbers(seed, width, height)
    drawing = _find_domain(domain).drawing
    counts = {"train": train, "val": val, "test": test}
    for split, count in counts.items():
        least = 1 if split == "train" else 0
        if not least <= count <= 1_000_000:
            msg = f"the number of {split} scenes must be {least} to 1000000, got {count}"
            raise UsageError(msg)
    wanted: dict[str, int | str] = {**counts, "seed": seed, "width": width, "height": height}
    wanted["drawing"] = drawing
    # Folders of streets were written before there were other domains, and named none.
    if domain != "street":
        wanted["domain"] = domain
    if _holds(out, wanted, overwrite=overwrite):
        return out
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".scenes-", dir=out.parent) as temporary:
        new = Path(temporary) / "new"
        for split, count in counts.items():
            for index in range(count):
                image, mask = draw_scene(
                    seed, SPLIT_STARTS[split] + index, width=width, height=height, domain=domain
                )
                _write_scene(new / split, f"scene_{index:05d}", image, mask, domain)
        _write_notes(new, wanted, SCENE_DOMAINS[domain].classes)
        if out.exists():
            out.rename(Path(temporary) / "old")
        new.rename(out)
    return out


def _holds(out: Path, wanted: dict[str, int | str], *, overwrite: bool) -> bool:
    """Tell whether `out` holds the wanted scenes already; refuse what must not be replaced."""
    if out.exists() and not out.is_dir():
        msg = f"{out} is a file, but scenes need a folder; choose another name"
        raise DataError(msg)
    present = sorted(entry.name for entry in out.iterdir()) if out.exists() else []
    if not present:
        return False
    foreign = [name for name in present if name not in {*SPLIT_STARTS, _NOTE, "classes.txt"}]
    if foreign or _NOTE not in present:
        names = list_some(foreign or present)
        msg = f"{out} holds other files ({names}); choose a new or empty folder for the scenes"
        raise DataError(msg)
    try:
        found = json.loads((out / _NOTE).read_text(encoding="utf-8"))
    except ValueError:
        found = None
    if found != wanted and not overwrite:
        msg = (
            f"{out} holds scenes made with other settings; allow it to be overwritten, or choose "
            f"another folder"
        )
        raise DataError(msg)
    return bool(found == wanted)


def _write_scene(folder: Path, name: str, image: Image, mask: Mask, domain: str) -> None:
    described = SCENE_DOMAINS[domain]
    path = folder / "images" / f"{name}{described.suffix}"
    if described.suffix == ".tif":
        content = io.BytesIO()
        tifffile.imwrite(
            content, image, photometric="minisblack", planarconfig="contig", metadata=None
        )
        write_atomically(path, content.getvalue())
    else:
        write_png(path, image[..., 0] if image.shape[2] == 1 else image)
    write_mask_png(folder / "masks" / f"{name}.png", mask, described.classes)


def _write_notes(folder: Path, settings: dict[str, int | str], classes: Classes) -> None:
    """Write the classes, for every reader, and the settings, for `_holds`."""
    lines = [
        f"{name} {red} {green} {blue}\n"
        for name, (red, green, blue) in zip(classes.names, classes.colors, strict=True)
    ]
    (folder / "classes.txt").write_text("".join(lines), encoding="utf-8", newline="\n")
    (folder / _NOTE).write_text(json.dumps(settings) + "\n", encoding="utf-8", newline="\n")
