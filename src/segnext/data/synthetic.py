"""Synthetic street scenes with exact masks: data for a demonstration, tests and first runs.

Nobody's photographs, no download, any amount. Colours overlap between classes (grey houses beside
a grey road, green cars below green trees), so a network must learn shape, texture and place.
"""

import json
import tempfile
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from segnext.classes import Classes
from segnext.data.scenery.canvas import SKY, Array, Camera, Canvas, Light
from segnext.data.scenery.street import paint_street
from segnext.drawing import write_mask_png, write_png
from segnext.errors import DataError, UsageError, list_some

SCENE_CLASSES = Classes(
    ("sky", "building", "tree", "road", "grass", "car"),
    ((104, 178, 236), (222, 146, 62), (34, 124, 74), (122, 98, 160), (164, 208, 84), (226, 48, 88)),
)
DEFAULT_WIDTH, DEFAULT_HEIGHT = 160, 128
MIN_SIDE, MAX_SIDE = 64, 2048
# Each split draws its scenes from its own range of indices.
SPLIT_STARTS = {"train": 0, "val": 1_000_000, "test": 2_000_000}
# Raise it when `draw_scene` changes what it returns: folders of older scenes are then told apart.
_DRAWING = 1
_NOTE = "scenes.json"

# Texture per class in grey levels: fine grain, clumps of about 3 px, patches of about 12 px.
_TEXTURE = np.array(
    [(0, 0, 0), (5, 4, 12), (22, 40, 12), (9, 4, 16), (24, 14, 26), (2, 0, 5)], np.float32
)


def draw_scene(
    seed: int, index: int, *, width: int = DEFAULT_WIDTH, height: int = DEFAULT_HEIGHT
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Draw scene `index` of the endless series that `seed` names.

    Args:
        seed: 0 or more.
        index: 0 or more.
        width: Columns, 64 to 2048.
        height: Rows, 64 to 2048.

    Returns:
        Image (H, W, 3) in RGB and mask (H, W) of `SCENE_CLASSES` ids; the same arguments give the
        same pictures.

    Raises:
        UsageError: An argument is out of range.
    """
    _check_numbers(seed, width, height)
    if index < 0:
        msg = f"the index of a scene must be 0 or more, got {index}"
        raise UsageError(msg)
    rng = np.random.default_rng([seed, index])
    light = _draw_light(rng)
    camera = Camera(
        vanish=width * rng.uniform(0.36, 0.64),
        horizon=height * rng.uniform(0.36, 0.5),
        focal=height * rng.uniform(0.95, 1.25),
        height=rng.uniform(2.8, 4.2),
    )
    canvas = Canvas(width, height, camera, light)
    paint_street(canvas, rng)
    image, mask = canvas.finish()
    return _photograph(rng, image, mask, light), mask


def _check_numbers(seed: int, width: int, height: int) -> None:
    if seed < 0:
        msg = f"the seed of scenes must be 0 or more, got {seed}"
        raise UsageError(msg)
    if not (MIN_SIDE <= width <= MAX_SIDE and MIN_SIDE <= height <= MAX_SIDE):
        msg = f"scenes are {MIN_SIDE} to {MAX_SIDE} px wide and high, got {width}x{height}"
        raise UsageError(msg)


def _draw_light(rng: np.random.Generator) -> Light:
    """Choose a clear (45 %), overcast (25 %), foggy (12 %) or evening (18 %) sky."""
    weather = rng.random()
    sun_side = 1 if rng.random() < 0.5 else -1
    tone = rng.integers(-10, 11, 3)
    if weather < 0.45:
        zenith, haze = np.array((92, 148, 214)) + tone, np.array((202, 220, 234)) + tone
        return Light(sun_side, rng.uniform(0.7, 1), zenith, haze, rng.uniform(150, 320), dusk=False)
    if weather < 0.70:
        zenith, haze = np.array((176, 184, 194)) + tone, np.array((214, 216, 218)) + tone
        return Light(
            sun_side, rng.uniform(0.1, 0.3), zenith, haze, rng.uniform(90, 180), dusk=False
        )
    if weather < 0.82:
        zenith, haze = np.array((190, 196, 200)) + tone, np.array((204, 206, 206)) + tone
        return Light(sun_side, 0.08, zenith, haze, rng.uniform(30, 55), dusk=False)
    zenith, haze = np.array((116, 124, 188)) + tone, np.array((255, 186, 128)) + tone
    return Light(sun_side, rng.uniform(0.3, 0.6), zenith, haze, rng.uniform(120, 240), dusk=True)


def _photograph(
    rng: np.random.Generator, image: Array, mask: Array, light: Light
) -> npt.NDArray[np.uint8]:
    """Turn flat paint (H, W, 3) into a picture: texture, clouds, light, lens and sensor."""
    height, width = mask.shape
    texture = np.zeros_like(mask, np.float32)
    for step, strength in zip((1, 3, 12), _TEXTURE.T, strict=True):
        texture += _noise(rng, width, height, step) * strength[mask]
    cover = np.clip(_clouds(rng, width, height) - np.float32(rng.uniform(0.4, 0.75)), 0, 0.3)
    cover = np.where(mask == SKY, cover * np.float32(2.4), np.float32(0))
    white = np.minimum(light.haze * 0.5 + 136, 255)
    warmth = rng.uniform(-0.05, 0.05)
    gain = rng.uniform(0.66, 0.82) if light.dusk else rng.uniform(0.88, 1.12)
    tint = gain * (1 + warmth), gain, gain * (1 - warmth)
    planes = []
    for plane, cloud, factor in zip(cv2.split(image), white, tint, strict=True):
        clouded = (plane + texture) * (1 - cover) + cover * np.float32(cloud)
        planes.append(clouded * np.float32(factor))
    exposed = cv2.GaussianBlur(cv2.merge(planes), (3, 3), rng.uniform(0.3, 0.65))
    grain = rng.integers(-4, 5, image.shape, np.int8) * np.float32(rng.uniform(0.4, 1.2))
    return np.asarray(np.clip(np.rint(exposed + grain), 0, 255), np.uint8)


def _noise(rng: np.random.Generator, width: int, height: int, step: int) -> Array:
    """Return smooth noise (H, W) in -1..1 whose grains are about `step` px wide."""
    size = (height // step + 2, width // step + 2)
    grains = rng.integers(0, 256, size, np.uint8)
    smooth = cv2.resize(grains, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(smooth, np.float32) / np.float32(128) - 1


def _clouds(rng: np.random.Generator, width: int, height: int) -> Array:
    """Return billows (H, W) in 0..1, stretched along the horizon."""
    field = np.zeros((height, width), np.float32)
    for octave, weight in enumerate((0.5, 0.3, 0.2)):
        size = (5 * 2**octave, 3 * 2**octave)
        grains = rng.integers(0, 256, size, np.uint8)
        smooth = cv2.resize(grains, (width, height), interpolation=cv2.INTER_CUBIC)
        field += smooth * np.float32(weight / 255)
    return field


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
) -> Path:
    """Write scenes as a data set: `{split}/images/*.png`, `{split}/masks/*.png`, `classes.txt`.

    The folder appears only when it is complete. One that already holds exactly these scenes is
    left as it is.

    Args:
        out: Folder to make; new, empty, or made by this function before.
        train: Number of training scenes, 1 or more.
        val: Number of validation scenes; 0 makes no such split.
        test: Number of test scenes; 0 makes no such split.
        seed: 0 or more; other seeds give other scenes.
        width: Columns, 64 to 2048.
        height: Rows, 64 to 2048.
        overwrite: Replace other scenes that this function wrote to `out`.

    Returns:
        `out`.

    Raises:
        UsageError: A number is out of range.
        DataError: `out` holds something else.
    """
    _check_numbers(seed, width, height)
    counts = {"train": train, "val": val, "test": test}
    for split, count in counts.items():
        least = 1 if split == "train" else 0
        if not least <= count <= 1_000_000:
            msg = f"the number of {split} scenes must be {least} to 1000000, got {count}"
            raise UsageError(msg)
    wanted = {**counts, "seed": seed, "width": width, "height": height, "drawing": _DRAWING}
    if _holds(out, wanted, overwrite=overwrite):
        return out
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".scenes-", dir=out.parent) as temporary:
        new = Path(temporary) / "new"
        for split, count in counts.items():
            _write_split(new / split, seed, SPLIT_STARTS[split], count, (width, height))
        _write_notes(new, wanted)
        if out.exists():
            out.rename(Path(temporary) / "old")
        new.rename(out)
    return out


def _holds(out: Path, wanted: dict[str, int], *, overwrite: bool) -> bool:
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


def _write_split(folder: Path, seed: int, start: int, count: int, size: tuple[int, int]) -> None:
    width, height = size
    for index in range(count):
        image, mask = draw_scene(seed, start + index, width=width, height=height)
        name = f"scene_{index:05d}.png"
        write_png(folder / "images" / name, image)
        write_mask_png(folder / "masks" / name, mask, SCENE_CLASSES)


def _write_notes(folder: Path, settings: dict[str, int]) -> None:
    """Write the classes, for every reader, and the settings, for `_holds`."""
    lines = [
        f"{name} {red} {green} {blue}\n"
        for name, (red, green, blue) in zip(SCENE_CLASSES.names, SCENE_CLASSES.colors, strict=True)
    ]
    (folder / "classes.txt").write_text("".join(lines), encoding="utf-8", newline="\n")
    (folder / _NOTE).write_text(json.dumps(settings) + "\n", encoding="utf-8", newline="\n")
