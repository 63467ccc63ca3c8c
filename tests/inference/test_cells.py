import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from segnext.inference import cells
from segnext.inference.cells import label_cells, label_image
from segnext.inference.upsampling import spread


def assert_labels_of(found: torch.Tensor, logits: torch.Tensor) -> None:
    """Equal to interpolate and argmax, but for pixels whose two best scores lie within 1e-5."""
    scores = functional.interpolate(logits[None], size=found.shape, mode="bilinear")[0]
    best = scores.topk(2, dim=0).values
    assert not ((found != scores.argmax(0)) & (best[0] - best[1] > 1e-5)).any()


@settings(deadline=None, max_examples=150)
@given(
    grid=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    classes=st.integers(2, 40),
    smooth=st.booleans(),
    seed=st.integers(0, 9),
)
def test_any_scale_factor(
    grid: tuple[int, int], size: tuple[int, int], classes: int, smooth: bool, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(classes, *grid, generator=generator)
    if smooth:
        logits = functional.avg_pool2d(logits[None], 3, 1, 1)[0] * 3
    assert_labels_of(label_image(logits, *size), logits)


@pytest.mark.parametrize(("few", "some"), [(1, 2), (4, 16), (150, 150)])
def test_any_number_of_candidates(monkeypatch: pytest.MonkeyPatch, few: int, some: int) -> None:
    monkeypatch.setattr(cells, "FEW", few)
    monkeypatch.setattr(cells, "SOME", some)
    monkeypatch.setattr(cells, "CHUNK_VALUES", 5000)
    logits = torch.randn(150, 9, 11)
    assert_labels_of(label_image(logits, 72, 88), logits)


def test_a_class_that_wins_at_no_corner_can_win_between() -> None:
    # Of three classes the third is second best at both ends and best in the middle.
    logits = torch.tensor([[[10.0, 0.0]], [[0.0, 10.0]], [[6.0, 6.0]]])
    assert label_image(logits, 8, 32)[0].unique_consecutive().tolist() == [0, 2, 1]


def test_cells_that_agree_are_not_interpolated(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = []
    label = cells._label_boundaries
    monkeypatch.setattr(
        cells, "_label_boundaries", lambda *args: looked_at.append(len(args[-1])) or label(*args)
    )
    logits = torch.zeros(5, 10, 10)
    logits[0, :, :5] = logits[1, :, 5:] = 3
    label_image(logits, 80, 80)
    # One column of cells lies between the halves; rows beyond the outermost logits are cells too.
    assert looked_at == [11]
    label_image(logits[:, :, :5], 80, 80)
    assert looked_at == [11]


def test_mirrored_columns() -> None:
    logits = torch.randn(6, 7, 9)
    vertical, (low, high, part) = spread(50, 7), spread(63, 9)
    mirrored = label_cells(logits, vertical, (low.flip(0), high.flip(0), part.flip(0)))
    assert torch.equal(mirrored, label_image(logits, 50, 63).flip(1))


def test_some_rows_of_a_picture() -> None:
    logits = torch.randn(6, 7, 9)
    whole = label_image(logits, 50, 63)
    for first in range(0, 50, 13):
        rows = tuple(along[first : first + 13] for along in spread(50, 7))
        assert torch.equal(label_cells(logits, rows, spread(63, 9)), whole[first : first + 13])


def test_one_class_against_the_background() -> None:
    logits = torch.tensor([[[-1.0, 1.0]]])
    assert label_image(logits, 4, 16)[0].tolist() == [0] * 8 + [1] * 8


def test_equal_scores_give_a_class_that_has_them() -> None:
    assert label_image(torch.zeros(4, 3, 3), 24, 24).unique().numel() == 1
