import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from segnext.errors import DataError, UsageError
from segnext.models import SegNeXt
from segnext.predict import Predictor
from segnext.predict.predictor import Photo
from segnext.protocol import Protocol


@pytest.fixture(scope="module")
def predictor(scene_weights: Path) -> Predictor:
    return Predictor(scene_weights, device="cpu")


@pytest.fixture
def photo(scenes: Path) -> Path:
    return sorted((scenes / "test" / "images").iterdir())[0]


def test_every_form_of_a_picture_gives_the_same_mask(predictor: Predictor, photo: Path) -> None:
    array = np.array(Image.open(photo))
    tensor = torch.from_numpy(array).permute(2, 0, 1)
    tensors = tensor, tensor.contiguous(), tensor.float() / 255, tensor.double() / 255
    expected = predictor(photo).mask
    for form in (str(photo), Image.open(photo), array, array.astype(np.uint16) * 257, *tensors):
        assert np.array_equal(predictor(form).mask, expected)


def test_a_list_in_a_list_out(predictor: Predictor, photo: Path) -> None:
    found = predictor([photo, Image.open(photo)])
    assert len(found) == 2
    assert np.array_equal(found[0].mask, found[1].mask)


def test_a_tensor_of_several_pictures(predictor: Predictor, photo: Path) -> None:
    tensor = torch.from_numpy(np.array(Image.open(photo))).permute(2, 0, 1)
    found = predictor(torch.stack([tensor, tensor.flip(-1)]))
    assert len(found) == 2
    assert np.array_equal(found[0].mask, predictor(photo).mask)
    assert np.array_equal(found[1].mask, predictor(tensor.flip(-1)).mask)


def test_arrays_and_tensors_are_not_copied(predictor: Predictor, photo: Path) -> None:
    array = np.array(Image.open(photo))
    before = array.copy()
    whole = np.zeros((array.shape[0], 2 * array.shape[1], 3), np.uint8)
    view = whole[:, : array.shape[1]]
    view[:] = array
    tensor = torch.from_numpy(array).permute(2, 0, 1).contiguous()
    for form, memory in ((array, array), (view, whole), (tensor, tensor.numpy())):
        prediction = predictor(form)
        assert np.shares_memory(prediction.image, memory)
        assert not np.shares_memory(prediction.mask, memory)
        prediction.overlay(legend=True)
        assert np.array_equal(prediction.image, before)
    assert not np.shares_memory(predictor(tensor.float() / 255).image, tensor.numpy())


def test_a_stream_takes_pictures_as_they_are_wanted(predictor: Predictor, photo: Path) -> None:
    array = np.array(Image.open(photo))
    taken = []

    def photos() -> Iterator[Photo]:
        for number in itertools.count():
            taken.append(number)
            yield np.roll(array, number, axis=1) if number % 2 else photo

    expected = [predictor(one).mask for one in itertools.islice(photos(), 5)]
    for batch_size in (1, 2, 3):
        taken.clear()
        stream = predictor.predict_stream(photos(), batch_size=batch_size)
        assert not taken
        for number, prediction in enumerate(itertools.islice(stream, 5)):
            assert np.array_equal(prediction.mask, expected[number])
            assert len(taken) <= number + 1 + batch_size + 1
        stream.close()


def test_a_stream_ends_with_what_was_done(predictor: Predictor, photo: Path) -> None:
    stream = predictor.predict_stream([photo, photo, "nowhere.png", photo], batch_size=4)
    assert np.array_equal(next(stream).mask, predictor(photo).mask)
    next(stream)
    with pytest.raises(DataError, match=r"nowhere\.png"):
        next(stream)
    assert list(predictor.predict_stream([])) == []
    with pytest.raises(UsageError, match="batch_size must be at least 1, got 0"):
        predictor.predict_stream([photo], batch_size=0)


def test_a_stream_joins_to_the_mask(scene_weights: Path, photo: Path) -> None:
    streaming = Predictor(scene_weights, backend="eager", protocol=Protocol(window=32, stride=32))
    image = streaming.read(photo)
    bands = list(streaming.predict_bands(image, confidence=True))
    assert bands[0].rows.start == 0
    expected = streaming.predict(image)
    assert np.array_equal(np.concatenate([band.labels for band in bands]), expected.mask)
    confidence = np.concatenate([band.confidence for band in bands if band.confidence is not None])
    assert np.abs(confidence - expected.confidence).max() < 1e-6


def test_a_batch_gives_what_each_picture_gives_alone(
    predictor: Predictor, scene_weights: Path
) -> None:
    random = np.random.default_rng(0)
    sizes = [(64, 64)] * 4, [(64, 96), (96, 64)], [(70, 50)] * 3, []
    windows = Predictor(scene_weights, device="cpu", protocol=Protocol(window=64))
    for predict in (predictor, windows):
        for batch in sizes:
            images = [random.integers(0, 256, (*size, 3), np.uint8) for size in batch]
            # The second time it is known whether the batch is worth it.
            for _ in range(2):
                for image, found in zip(images, predict.predict_batch(images), strict=True):
                    alone = predict(image)
                    assert np.array_equal(found.mask, alone.mask)
                    assert np.array_equal(found.confidence, alone.confidence)


def test_predictions_know_areas_confidence_and_pictures(predictor: Predictor, photo: Path) -> None:
    prediction = predictor(photo)
    height, width = prediction.mask.shape
    assert sum(area.pixels for area in prediction.areas.values()) == height * width
    assert sum(area.share for area in prediction.areas.values()) == pytest.approx(1)
    assert prediction.areas["sky"].pixels == (prediction.mask == 0).sum()
    assert prediction.confidence.shape == (height, width)
    assert 1 / 6 - 1e-6 <= prediction.confidence.min() <= prediction.confidence.max() <= 1
    assert prediction.overlay().shape == (height, width, 3)
    assert repr(prediction).startswith("Prediction(64x64: ")
    assert prediction._repr_png_().startswith(b"\x89PNG")


def test_saved_masks_read_back(predictor: Predictor, photo: Path, tmp_path: Path) -> None:
    prediction = predictor(photo)
    prediction.save(tmp_path, "a/b", confidence=True)
    stored = Image.open(tmp_path / "masks" / "a" / "b.png")
    assert stored.mode == "P"
    assert np.array_equal(np.array(stored), prediction.mask)
    assert (tmp_path / "overlays" / "a" / "b.png").exists()
    grey = np.array(Image.open(tmp_path / "confidence" / "a" / "b.png"))
    assert np.abs(grey / 255 - prediction.confidence).max() <= 0.5 / 255 + 1e-6


def test_pil_pictures_are_turned_upright(predictor: Predictor, photo: Path) -> None:
    upright = Image.open(photo)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to view
    lying = upright.transpose(Image.Transpose.ROTATE_90)
    lying.getexif().update(exif)
    assert np.array_equal(predictor(lying).mask, predictor(upright).mask)


def test_grey_pictures_suit_a_colour_model(predictor: Predictor) -> None:
    grey = np.full((40, 50), 128, np.uint8)
    assert predictor(grey).mask.shape == (40, 50)
    assert predictor(Image.fromarray(grey)).mask.shape == (40, 50)


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (np.zeros((4, 4, 3)), r"uint8 or uint16, got \(4, 4, 3\) float64"),
        (np.zeros((4, 4, 5), np.uint8), "has 5 channels, the model was trained on 3"),
        (torch.zeros(4, 5, 3, dtype=torch.uint8), "has 4 channels, the model was trained on 3"),
        (torch.zeros(4, 5, dtype=torch.uint8), r"\(C, H, W\), uint8 or floats in 0-1"),
        (torch.zeros(3, 4, 5, dtype=torch.int64), r"got \(3, 4, 5\) torch.int64"),
        (torch.full((3, 4, 4), -1.0), "not normalised; got -1 to -1"),
        (None, "not NoneType"),
    ],
)
def test_wrong_pictures_are_named(predictor: Predictor, picture: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        predictor(picture)


def test_missing_files_and_specs_are_named(
    predictor: Predictor, smallest_model: SegNeXt, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=r"nowhere\.png"):
        predictor(tmp_path / "nowhere.png")
    with pytest.raises(UsageError, match="does not know its classes"):
        Predictor(smallest_model)
