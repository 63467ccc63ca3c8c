from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from checked_folders import HEIGHT, WIDTH, color_stripes, photo, stripes, write_pair
from pictures import save_picture
from segnext.classes import Classes
from segnext.data.checkup.readings import MOST_VALUES, Job, MaskReading, ValueCounts, read_job
from segnext.data.pairing import Item
from segnext.data.shape_masks import Annotation, ShapeMasks
from segnext.data.shapes import Shape, build_box


def job(picture: Path, mask: Path | None, *, sketch: bool = False) -> Job:
    return Job("train", Item("name", picture, mask, "name"), sketch)


def read_mask(path: Path) -> MaskReading:
    picture = save_picture(path.with_name("photo.png"), photo(0))
    reading = read_job(job(picture, path), None)
    assert reading.mask_fault is None
    assert reading.mask is not None
    return reading.mask


def test_a_pair_is_described(tmp_path: Path) -> None:
    picture, mask = write_pair(tmp_path, "train", "a", stripes([0, 3, 3, 255]))
    reading = read_job(job(picture, mask, sketch=True), None)
    assert reading.picture is not None
    assert (reading.picture.header.width, reading.picture.header.height) == (WIDTH, HEIGHT)
    assert reading.picture.sketch is not None
    assert not reading.picture.flat
    assert not reading.picture.narrow
    assert reading.mask is not None
    assert reading.mask.values.tolist() == [0, 3, 255]
    assert reading.mask.counts.tolist() == [HEIGHT * 12, HEIGHT * 24, HEIGHT * 12]
    assert read_job(job(picture, None), None).mask is None
    assert read_job(job(picture, None), None).picture == replace(reading.picture, sketch=None)


def test_colours_are_packed_and_counted(tmp_path: Path) -> None:
    mask = read_mask(save_picture(tmp_path / "a.png", color_stripes((1, 2, 3), (255, 0, 0))))
    assert mask.kind == "color"
    assert mask.values.tolist() == [0x010203, 0xFF0000]
    assert mask.counts.tolist() == [HEIGHT * 24, HEIGHT * 24]


def test_many_values_are_cut_but_counted(tmp_path: Path) -> None:
    values = np.arange(HEIGHT * WIDTH, dtype=np.uint16).reshape(HEIGHT, WIDTH)
    values[0] = 7
    mask = read_mask(save_picture(tmp_path / "a.png", values))
    assert mask.distinct == HEIGHT * WIDTH - WIDTH + 1
    assert len(mask.values) == MOST_VALUES
    assert 7 in mask.values


def test_equal_pixels_have_equal_digests_whatever_the_compression(tmp_path: Path) -> None:
    one = read_mask(save_picture(tmp_path / "a.png", stripes([0, 1]), compress_level=0))
    other = read_mask(save_picture(tmp_path / "b.png", stripes([0, 1]), compress_level=9))
    assert one.digest == other.digest
    assert one.digest != read_mask(save_picture(tmp_path / "c.png", stripes([1, 0]))).digest


def test_16_bit_pictures_of_8_bit_values_are_noticed(tmp_path: Path) -> None:
    for name, top in (("narrow", 255), ("wide", 256)):
        pixels = np.zeros((8, 9, 3), np.uint16)
        pixels[0, 0] = top
        tifffile.imwrite(tmp_path / f"{name}.tif", pixels)
        reading = read_job(job(tmp_path / f"{name}.tif", None), None)
        assert reading.picture is not None
        assert reading.picture.narrow == (name == "narrow")
        assert not reading.picture.flat


@pytest.mark.parametrize("content", [b"", b"nothing", b"\x89PNG\r\n\x1a\n rest"])
def test_broken_files_are_faults_and_not_errors(tmp_path: Path, content: bytes) -> None:
    picture, mask = tmp_path / "a.png", tmp_path / "b.png"
    picture.write_bytes(content)
    mask.write_bytes(content)
    reading = read_job(job(picture, mask), None)
    assert reading.picture is None
    assert reading.mask is None
    assert reading.picture_fault is not None
    assert "a.png" in reading.picture_fault.message
    assert reading.mask_fault is not None
    assert reading.mask_fault.kind == "broken"


def test_a_jpeg_mask_is_its_own_fault(tmp_path: Path) -> None:
    picture = save_picture(tmp_path / "a.png", photo(0))
    mask = save_picture(tmp_path / "a.jpg", stripes([0, 1]))
    reading = read_job(job(picture, mask), None)
    assert reading.mask_fault is not None
    assert reading.mask_fault.kind == "jpeg"


def test_painted_masks_are_read_as_train_ids(tmp_path: Path) -> None:
    picture = save_picture(tmp_path / "a.png", photo(0))
    classes = Classes(("background", "box"), raw_to_train=((0, 0), (9, 1)))
    shapes = [Shape(9, build_box(0, 0, 4, 5))]
    reader = ShapeMasks(classes, {"name": Annotation(shapes, HEIGHT, WIDTH)})
    reading = read_job(job(picture, picture), reader)
    assert reading.mask is not None
    assert reading.mask.kind == "train"
    assert dict(zip(reading.mask.values, reading.mask.counts, strict=True))[1] == 20
    wrong = replace(reader, annotations={"name": Annotation([Shape(5, shapes[0].area)], 9, 9)})
    fault = read_job(job(picture, picture), wrong).mask_fault
    assert fault is not None
    assert fault.kind == "labels"


def test_values_of_several_masks_add_up(tmp_path: Path) -> None:
    masks = [
        read_mask(save_picture(tmp_path / f"{name}.png", stripes(values)))
        for name, values in (("a", [0, 1]), ("b", [1]))
    ]
    found = ValueCounts.of(masks)
    assert found.pixels == {0: HEIGHT * 24, 1: HEIGHT * 72}
    assert found.masks == {0: 1, 1: 2}
