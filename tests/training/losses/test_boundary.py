import math

import numpy as np
import pytest
import torch
from torch import Tensor

from segnext.training.losses import Boundary
from segnext.training.losses.boundary import _distance_to


def signed_distance(truth: Tensor, label: int, row: int, column: int) -> float:
    """Search all pixels for the nearest one on the other side of the class's boundary."""
    inside = truth[row, column] == label
    others = (truth != label) & (truth != 255) if inside else truth == label
    distance = min(math.dist((row, column), pixel) for pixel in others.nonzero().tolist())
    return (-distance if inside else distance) / math.hypot(*truth.shape)


def test_is_the_mean_of_softmax_times_signed_distance() -> None:
    logits = torch.randn(2, 4, 9, 12, dtype=torch.float64)
    target = torch.randint(0, 2, (2, 9, 12))
    target[0, 2:6, 3:9] = 2
    target[0, 4:, :5] = 255
    probabilities = logits.softmax(1)
    total = 0.0
    valid = (target != 255).nonzero().tolist()
    for picture, row, column in valid:
        for label in target[picture].unique().tolist():
            if label != 255:
                distance = signed_distance(target[picture], label, row, column)
                total += float(probabilities[picture, label, row, column]) * distance
    assert Boundary()(logits, target).item() == pytest.approx(total / len(valid), rel=1e-6)


def test_hand_computed() -> None:
    # A row of 0 0 1 1 predicted as 1 everywhere: distances 2, 1, -1, -2 over the diagonal.
    target = torch.tensor([[[0, 0, 1, 1]]])
    everywhere = torch.full((1, 1, 1, 4), 50.0)
    assert Boundary()(everywhere, target).item() == pytest.approx(0, abs=1e-6)
    # Predicted rightly: -2, -1, -1, -2.
    right = torch.tensor([-50.0, -50.0, 50.0, 50.0]).view(1, 1, 1, 4)
    assert Boundary()(right, target).item() == pytest.approx(-6 / 4 / math.sqrt(17))


def test_borders_with_void_are_no_borders() -> None:
    target = torch.tensor([[[0, 255, 1, 1]]])
    right = torch.tensor([-50.0, 0.0, 50.0, 50.0]).view(1, 1, 1, 4)
    # The void lies between: pixel 0 is 2 from class 1, pixels 2 and 3 are 2 and 3 from class 0.
    assert Boundary()(right, target).item() == pytest.approx(-7 / 3 / math.sqrt(17))


def test_a_class_that_fills_the_picture_has_no_boundary() -> None:
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    target = torch.ones(1, 8, 8, dtype=torch.int64)
    target[0, 0] = 255
    loss = Boundary()(logits, target)
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert logits.grad.abs().max() == 0


@pytest.mark.parametrize("share", [0.01, 0.2])
def test_distances_are_exact_to_the_last_bit(share: float) -> None:
    pixels = np.random.default_rng(0).random((64, 64)) < share
    places = np.argwhere(pixels)
    offsets = np.indices(pixels.shape).reshape(2, 1, -1) - places.T[..., None]
    expected = np.sqrt((offsets**2).sum(0).min(0)).reshape(pixels.shape)
    assert np.array_equal(_distance_to(pixels), expected)


@pytest.mark.parametrize("factor", [2, 5])
def test_larger_pictures_of_the_same_scene_cost_about_the_same(factor: int) -> None:
    target = torch.zeros(1, 24, 32, dtype=torch.int64)
    target[0, 6:18, 8:20] = 1
    larger = target.repeat_interleave(factor, 1).repeat_interleave(factor, 2)
    logits = torch.full((1, 1, 3, 4), -2.0)
    small, large = Boundary()(logits, target), Boundary()(logits, larger)
    assert large.item() == pytest.approx(small.item(), rel=0.15)
