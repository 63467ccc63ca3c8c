import pickle
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from pictures import PHOTO, ids, save_picture
from segnext.classes import Classes
from segnext.data.masks import FileMasks, read_stored
from segnext.data.taxonomy import Taxonomy
from segnext.errors import DataError

IDS = FileMasks("ids", Taxonomy(Classes(("a", "b", "c"))))
COLORS = FileMasks(
    "color",
    Taxonomy(Classes(("red", "sky"), ((200, 0, 0), (0, 128, 255))), True, ((0, 0, 0),)),
)


def _colored(*colors: tuple[int, int, int]) -> np.ndarray:
    return np.array([colors] * 20, np.uint8)


def test_grey_ids(tmp_path: Path) -> None:
    mask = IDS.read_file(save_picture(tmp_path / "a.png", ids(0, 2, 255)))
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, ids(0, 2, 255))


def test_sixteen_bit_ids(tmp_path: Path) -> None:
    reader = FileMasks("ids", Taxonomy(Classes(("a", "b"), raw_to_train=((7, 0), (1000, 1)))))
    cv2.imwrite(str(tmp_path / "a.png"), np.array([[7, 1000]], np.uint16))
    np.testing.assert_array_equal(reader.read_file(tmp_path / "a.png"), [[0, 1]])


def test_palette_indices(tmp_path: Path) -> None:
    with Image.fromarray(ids(0, 1, 2)).convert("P") as picture:
        picture.putpalette([9, 9, 9, 128, 0, 0, 0, 128, 0])
        picture.save(tmp_path / "a.png")
        picture.save(tmp_path / "a.tif")
    assert read_stored(tmp_path / "a.png")[0] == "palette"
    np.testing.assert_array_equal(IDS.read_file(tmp_path / "a.png"), ids(0, 1, 2))
    np.testing.assert_array_equal(IDS.read_file(tmp_path / "a.tif"), ids(0, 1, 2))


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_one_bit_masks_hold_0_and_1(tmp_path: Path, suffix: str) -> None:
    path = save_picture(tmp_path / f"a.{suffix}", ids(0, 1) == 1)
    np.testing.assert_array_equal(IDS.read_file(path), ids(0, 1))


def test_two_bit_masks_hold_0_to_3(tmp_path: Path) -> None:
    # One row of four pixels, 0 1 2 3; neither Pillow nor OpenCV writes 2-bit grey.
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", 4, 1, 2, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(bytes([0, 0b00011011]))),
        (b"IEND", b""),
    ]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    (tmp_path / "a.png").write_bytes(data)
    reader = FileMasks("ids", Taxonomy(Classes.numbered(4)))
    np.testing.assert_array_equal(reader.read_file(tmp_path / "a.png"), [[0, 1, 2, 3]])


def test_grey_stored_as_rgb(tmp_path: Path) -> None:
    path = save_picture(tmp_path / "a.png", np.dstack([ids(0, 2)] * 3))
    assert read_stored(path)[0] == "grey"
    np.testing.assert_array_equal(IDS.read_file(path), ids(0, 2))


def test_tiff_ids(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", ids(0, 1), compression="zlib")
    np.testing.assert_array_equal(IDS.read_file(tmp_path / "a.tif"), ids(0, 1))


def test_exif_is_not_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save_picture(tmp_path / "a.png", ids(0, 1), exif=exif)
    np.testing.assert_array_equal(IDS.read_file(path), ids(0, 1))


def test_colors(tmp_path: Path) -> None:
    path = save_picture(
        tmp_path / "a.png", _colored((0, 128, 255), (0, 0, 0), (200, 0, 0), (0, 128, 255))
    )
    mask = COLORS.read_file(path)
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask[0], [1, 255, 0, 1])


def test_colors_of_a_single_class(tmp_path: Path) -> None:
    reader = FileMasks("color", Taxonomy(Classes(("road",), ((255, 0, 0),)), True))
    path = save_picture(tmp_path / "a.png", _colored((0, 0, 0), (255, 0, 0)))
    np.testing.assert_array_equal(reader.read_file(path)[0], [0, 1])


def test_colors_of_more_classes_than_8_bit_hold(tmp_path: Path) -> None:
    colors = tuple((1, number >> 8, number & 255) for number in range(300))
    names = tuple(f"c{number}" for number in range(300))
    reader = FileMasks("color", Taxonomy(Classes(names, colors), True, ((0, 0, 0),)))
    path = save_picture(tmp_path / "a.png", _colored(colors[255], colors[299], (0, 0, 0)))
    np.testing.assert_array_equal(reader.read_file(path)[0], [255, 299, 65535])


def test_undeclared_color(tmp_path: Path) -> None:
    path = save_picture(tmp_path / "a.png", _colored((200, 0, 0), (200, 0, 1), (200, 0, 1)))
    with pytest.raises(
        DataError, match=r"a\.png: 40 pixels have the colour 200,0,1 \(#c80001\), which no class"
    ):
        COLORS.read_file(path)


def test_undeclared_value(tmp_path: Path) -> None:
    path = save_picture(tmp_path / "a.png", ids(0, 9))
    with pytest.raises(DataError, match=r"a\.png: 300 pixels hold the value 9"):
        IDS.read_file(path)


def test_jpeg_is_refused(tmp_path: Path) -> None:
    path = save_picture(tmp_path / "a.jpg", ids(0, 1))
    with pytest.raises(DataError, match="JPEG changes label values; save masks as PNG"):
        IDS.read_file(path)


def test_masks_of_the_other_kind(tmp_path: Path) -> None:
    color = save_picture(tmp_path / "color.png", _colored((200, 0, 0)))
    with pytest.raises(DataError, match=r"color\.png: is a colour mask, but others"):
        IDS.read_file(color)
    grey = save_picture(tmp_path / "grey.png", ids(0, 1))
    with pytest.raises(DataError, match=r"grey\.png: holds ids, but others"):
        COLORS.read_file(grey)


def test_masks_that_are_none(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "bands.tif", np.zeros((5, 4, 7), np.uint8), photometric="minisblack",
        planarconfig="contig",
    )  # fmt: skip
    with pytest.raises(DataError, match="has 7 bands; a mask has one"):
        IDS.read_file(tmp_path / "bands.tif")
    cv2.imwrite(str(tmp_path / "deep.png"), PHOTO.astype(np.uint16) * 200)
    with pytest.raises(DataError, match="is a colour mask of 16 bit"):
        COLORS.read_file(tmp_path / "deep.png")


def test_broken_palette_mask(tmp_path: Path) -> None:
    with Image.fromarray(PHOTO).quantize(16) as picture:
        picture.save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError, match="broken or truncated"):
        IDS.read_file(tmp_path / "a.png")


def test_readers_can_be_sent_to_workers(tmp_path: Path) -> None:
    path = save_picture(tmp_path / "a.png", _colored((200, 0, 0), (0, 128, 255)))
    COLORS.read_file(path)
    copy = pickle.loads(pickle.dumps(COLORS))
    assert copy == COLORS
    np.testing.assert_array_equal(copy.read_file(path)[0], [0, 1])
