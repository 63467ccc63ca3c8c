from pathlib import Path

import numpy as np
import pytest
import torch

from exports import scene_spec
from segnext.data import open_folder
from segnext.deploy.pictures import draw_pictures, fill_batches, read_pictures, record_inputs
from segnext.drawing import write_png
from segnext.errors import DataError, UsageError
from segnext.inference import prepare_image
from segnext.inference.description import GraphDescription
from segnext.protocol import Protocol


def test_a_data_set_gives_pictures_of_train(scenes: Path) -> None:
    expected = open_folder(scenes).dataset("train")
    found = read_pictures(scenes, 3, 64)
    assert len(found) == len(expected) == 6
    np.testing.assert_array_equal(found[0], expected[0]["image"])
    assert len(read_pictures(open_folder(scenes), 3, 2)) == 2


def test_a_folder_of_pictures_gives_them(tmp_path: Path) -> None:
    for index in range(5):
        write_png(tmp_path / f"{index}.png", np.full((40, 40, 3), index, np.uint8))
    found = read_pictures(tmp_path, 3, 3)
    assert [int(picture[0, 0, 0]) for picture in found] == [0, 2, 4]


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder of images"):
        read_pictures(tmp_path, 3, 3)


def test_scenes_have_the_channels_that_are_needed() -> None:
    assert [picture.shape for picture in draw_pictures(5)] == [(256, 320, 5)] * 2
    red_to_blue = draw_pictures(3, 1)[0]
    np.testing.assert_array_equal(draw_pictures(5, 1)[0][..., 3], red_to_blue[..., 0])


def test_inputs_are_what_the_protocol_feeds() -> None:
    picture = draw_pictures(3, 1)[0]
    spec = scene_spec()
    (whole,) = record_inputs([picture], spec, GraphDescription(spec))
    assert torch.equal(whole, prepare_image(picture, spec.normalization, torch.device("cpu")))
    windowed = scene_spec(protocol=Protocol(window=96, stride=64))
    first, second = record_inputs([picture, picture], windowed, GraphDescription(windowed))
    assert torch.equal(first, whole[..., :96, :96])
    assert torch.equal(second, whole[..., :96, 64:160])


def test_a_file_for_one_size_is_fed_that_size() -> None:
    spec = scene_spec()
    description = GraphDescription(spec, pixels=True, size=(64, 96), batch=2)
    (pixels,) = record_inputs(draw_pictures(3, 1), spec, description)
    assert pixels.shape == (1, 3, 64, 96)
    assert pixels.dtype == torch.uint8
    (batch,) = fill_batches([pixels], description)
    assert batch.shape == (2, 64, 96, 3)
    np.testing.assert_array_equal(batch[0], batch[1])


def test_16_bit_pictures_are_no_pixels_of_a_graph() -> None:
    spec = scene_spec()
    picture = np.zeros((64, 64, 3), np.uint16)
    with pytest.raises(UsageError, match="takes pixels of 8 bit, and these pictures have 16"):
        record_inputs([picture], spec, GraphDescription(spec, pixels=True))
