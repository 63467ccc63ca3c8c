import pytest
import torch

from decoder_contract import CHANNELS, check_contract, draw_features
from segnext.errors import UsageError
from segnext.models.decoders.nasfpn import CELLS, LEVELS, NASFPN, OUTPUTS, UNREAD, MergingCells


def test_contract() -> None:
    check_contract(NASFPN, output_stride=4, width=16, repeats=2)


def test_cells_of_the_paper() -> None:
    assert len(CELLS) == 7
    assert [CELLS[index - len(LEVELS)].level for index in OUTPUTS] == list(LEVELS)
    # Levels 5 and 7 come in and are read by no cell.
    assert {3, 4, 6} == {LEVELS[index] for index in range(5) if index not in UNREAD}
    assert all(max(cell.first, cell.second) < 5 + n for n, cell in enumerate(CELLS))


@pytest.mark.parametrize("size", [(32, 32), (65, 97), (129, 64)])
def test_a_repeat_keeps_the_sizes_and_reads_every_level(size: tuple[int, int]) -> None:
    levels = [torch.randn(2, 8, -(-size[0] // 2**n), -(-size[1] // 2**n)) for n in LEVELS]
    for level in levels:
        level.requires_grad_()
    made = MergingCells(8).eval()(levels)
    assert [m.shape for m in made] == [level.shape for level in levels]
    for index in range(len(LEVELS)):
        for level in levels:
            level.grad = None
        made[index].square().sum().backward(retain_graph=True)
        assert levels[index].grad is not None
    assert all(level.grad is not None for level in levels[:2])


def test_strides_double() -> None:
    with pytest.raises(UsageError, match=r"maps of doubling strides, the encoder has \(4, 8, 8, 8"):
        NASFPN(CHANNELS, 2).output_stride((4, 8, 8, 8))
    with pytest.raises(UsageError, match="repeats must lie between 1 and 100 and head_convs"):
        NASFPN(CHANNELS, 2, repeats=0)


def test_a_small_single_image_has_no_batch_statistics() -> None:
    with pytest.raises(ValueError, match="leaves the decoder a single position"):
        NASFPN(CHANNELS, 2, width=8, repeats=1)(draw_features(1))
