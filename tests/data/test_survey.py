from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pictures import PHOTO, ids, save_picture
from segnext.classes import Classes
from segnext.data.survey import build_reader
from segnext.data.taxonomy import Taxonomy
from segnext.errors import DataError

TWO = Taxonomy(Classes(("ground", "crop")))
WHITE_CROP = Taxonomy(Classes(("ground", "crop"), ((255, 255, 255), (0, 0, 0))), True)


def _save(folder: Path, *masks: np.ndarray) -> list[Path]:
    return [save_picture(folder / f"{index}.png", mask) for index, mask in enumerate(masks)]


def _rgb(mask: np.ndarray) -> np.ndarray:
    return np.dstack([mask] * 3)


def _blocks(*colors: tuple[int, int, int]) -> np.ndarray:
    return np.array([colors] * 4, np.uint8)


def test_declared_ids(tmp_path: Path) -> None:
    reader, notes = build_reader(_save(tmp_path, ids(0, 1)), TWO, ())
    assert (reader.kind, reader.classes) == ("ids", TWO.classes)
    assert notes == ["masks: class ids as grey values"]


def test_ids_and_palettes_may_be_mixed(tmp_path: Path) -> None:
    paths = _save(tmp_path, ids(0, 1))
    with Image.fromarray(ids(1, 0)).convert("P") as picture:
        picture.save(tmp_path / "p.png")
    reader, notes = build_reader([*paths, tmp_path / "p.png"], TWO, ())
    assert reader.kind == "ids"
    assert notes == ["masks: class ids as grey values and palette indices"]


def test_ids_are_found(tmp_path: Path) -> None:
    reader, notes = build_reader(_save(tmp_path, ids(0, 1, 255), ids(3, 11)), None, (11,))
    assert reader.classes.names == ("class_0", "class_1", "class_2", "class_3")
    assert "4 were found in 2 masks: class_0 .. class_3" in notes[1]
    assert notes[2] == "classes that no mask holds: class_2"
    np.testing.assert_array_equal(np.unique(reader.read_file(tmp_path / "1.png")), [3, 255])


def test_colors_are_found(tmp_path: Path) -> None:
    masks = _save(tmp_path, _blocks((255, 0, 0), (0, 0, 0)), _rgb(ids(0)), _blocks((0, 9, 255)))
    reader, notes = build_reader(masks, None, ())
    assert reader.kind == "color"
    assert reader.classes.names == ("color_000000", "color_0009ff", "color_ff0000")
    assert notes[0] == "masks: colours (RGB), each looked up exactly"
    np.testing.assert_array_equal(reader.read_file(masks[0])[0], [2, 0])
    np.testing.assert_array_equal(np.unique(reader.read_file(masks[1])), [0])


@pytest.mark.parametrize(
    ("declared", "names"),
    [
        (None, ("background", "foreground")),
        (TWO, ("ground", "crop")),
        (Taxonomy(Classes(("crop",))), ("crop",)),
    ],
)
def test_black_and_white(tmp_path: Path, declared: Taxonomy | None, names: tuple[str, ...]) -> None:
    paths = _save(tmp_path, ids(0, 255))
    reader, notes = build_reader(paths, declared, ())
    assert reader.classes.names == names
    assert notes[-1].endswith(f"255 means {names[-1]}")
    np.testing.assert_array_equal(reader.read_file(paths[0]), ids(0, 1))
    assert reader.classes.decode(reader.read_file(paths[0])).max() == 255


@pytest.mark.parametrize(
    ("mask", "declared", "ignored"),
    [
        (ids(0, 1, 255), TWO, ()),
        (ids(0, 255), TWO, (255,)),
        (ids(0, 255), Taxonomy(Classes(("a", "b", "c"))), ()),
    ],
)
def test_255_is_ignored_elsewhere(
    tmp_path: Path, mask: np.ndarray, declared: Taxonomy, ignored: tuple[int, ...]
) -> None:
    paths = _save(tmp_path, mask)
    reader, _ = build_reader(paths, declared, ignored)
    assert 255 in reader.read_file(paths[0])


def test_black_and_white_as_declared_colors(tmp_path: Path) -> None:
    paths = _save(tmp_path, _rgb(ids(0, 255)))
    reader, _ = build_reader(paths, WHITE_CROP, ())
    np.testing.assert_array_equal(reader.read_file(paths[0]), ids(1, 0))


def test_grey_rgb_is_ids_whatever_colors_are_declared(tmp_path: Path) -> None:
    paths = _save(tmp_path, _rgb(ids(0, 1)))
    reader, notes = build_reader(paths, WHITE_CROP, ())
    np.testing.assert_array_equal(reader.read_file(paths[0]), ids(0, 1))
    assert notes == ["masks: class ids as grey values stored as RGB"]


def test_mixed_kinds(tmp_path: Path) -> None:
    paths = _save(tmp_path, ids(0, 1), _blocks((1, 2, 3)))
    with pytest.raises(DataError, match=r"two kinds: .*1\.png hold colours, .*0\.png hold ids"):
        build_reader(paths, WHITE_CROP, ())


def test_color_masks_need_declared_colors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a colour mask, but the classes are declared without"):
        build_reader(_save(tmp_path, _blocks((1, 2, 3))), TWO, ())


def test_photos_are_no_masks(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has \d+ colours, so it is probably a photo"):
        build_reader(_save(tmp_path, PHOTO), None, ())


def test_too_many_colors_in_all(tmp_path: Path) -> None:
    masks = [np.stack([ids(*range(30)), ids(k), ids(9)], axis=-1) for k in range(10)]
    with pytest.raises(DataError, match="masks hold 300 colours in all"):
        build_reader(_save(tmp_path, *masks), None, ())


@pytest.mark.parametrize("values", [(0,), (255,)])
def test_nothing_to_learn(tmp_path: Path, values: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=f"hold only the value {values[0]}"):
        build_reader(_save(tmp_path, ids(*values)), None, ())


def test_values_too_large_for_classes(tmp_path: Path) -> None:
    depth = np.full((4, 4), 5000, np.uint16)
    with pytest.raises(DataError, match="masks hold values up to 5000"):
        build_reader(_save(tmp_path, depth), None, ())
