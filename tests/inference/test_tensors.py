import numpy as np
import pytest
import torch
from torch import Tensor

from segnext.inference.sizes import Size
from segnext.inference.tensors import prepare_tensor, resize_inputs
from segnext.inference.views import PictureRows, _resample, prepare_image
from segnext.spec import Normalization
from simulated_device import DEVICE, OnDevice, simulated_device

CPU = torch.device("cpu")
PLAIN = Normalization((0.4, 0.5, 0.6), (0.2, 0.25, 0.3))
CLIPPED = Normalization((0.4, 0.5, 0.6), (0.2, 0.25, 0.3), (0.1,) * 3, (0.8,) * 3, nodata=7)


@pytest.fixture
def image() -> np.ndarray:
    found = np.random.default_rng(0).integers(0, 256, (40, 52, 3), np.uint8)
    found[3:9, 5:20] = 7
    return found


@pytest.mark.parametrize("normalization", [PLAIN, CLIPPED])
@pytest.mark.parametrize("size", [(40, 52), (64, 96), (33, 40)])
def test_inputs_are_those_of_an_array(
    image: np.ndarray, normalization: Normalization, size: Size
) -> None:
    expected = PictureRows(image, normalization, size, CPU).read(0, size[0])
    found = resize_inputs(prepare_tensor(torch.from_numpy(image), normalization), size)
    assert torch.equal(found, expected)


def test_floating_pixels_are_those_of_16_bits(image: np.ndarray) -> None:
    deep = image.astype(np.uint16) * 257
    floating = torch.from_numpy(image).double() / 255
    marked = Normalization((0.5,) * 3, (0.25,) * 3, nodata=7 * 257)
    found = prepare_tensor(floating, marked)
    assert (found - prepare_image(deep, marked, CPU)).abs().max() < 1e-6
    assert (found[0, :, 3:9, 5:20] == 0).all()


@pytest.mark.parametrize("normalization", [PLAIN, CLIPPED])
def test_stored_pixels_are_resized_like_opencvs(
    image: np.ndarray, normalization: Normalization
) -> None:
    sizes = [(50, 61), (64, 64)]
    expected = _resample(image, normalization, sizes, CPU).read(0, 64)
    found = prepare_tensor(torch.from_numpy(image), normalization, sizes)
    # A pixel may be rounded to the next value in each of two steps.
    assert (found - expected).abs().max() <= 2.01 / 255 / min(normalization.std)
    assert ((found == 0).all(dim=1) == (expected == 0).all(dim=1)).all()


def test_networks_that_normalise_get_stored_pixels(image: np.ndarray) -> None:
    pixels = torch.from_numpy(image)
    stored = prepare_tensor(pixels, None)
    assert stored.data_ptr() == pixels.data_ptr()
    assert torch.equal(prepare_tensor(pixels.float() / 255, None), stored)


@pytest.mark.parametrize("sizes", [(), [(50, 61), (64, 64)]])
def test_pictures_stay_on_their_device(image: np.ndarray, sizes: list[Size]) -> None:
    expected = prepare_tensor(torch.from_numpy(image), CLIPPED, sizes)
    with simulated_device() as put:
        found: Tensor = prepare_tensor(put(torch.from_numpy(image)), CLIPPED, sizes)
    assert isinstance(found, OnDevice)
    assert found.device == DEVICE
    assert torch.equal(found.inside, expected)
