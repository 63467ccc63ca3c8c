import pytest

from decoder_contract import CHANNELS, check_contract
from segnext.errors import UsageError
from segnext.models.decoders.fcn import FCN


def test_contract() -> None:
    check_contract(FCN, strides=(4, 8, 8, 8), output_stride=8, width=16)


def test_contract_of_the_auxiliary_form() -> None:
    check_contract(FCN, output_stride=16, width=16, stage=3, convs=1, concat_input=False)


def test_layers() -> None:
    assert len(FCN(CHANNELS, 2, width=8).convs) == 2
    auxiliary = FCN(CHANNELS, 2, width=8, convs=1, concat_input=False)
    assert auxiliary.fuse is None
    with pytest.raises(UsageError, match="convs must lie between 1 and 100, got 0"):
        FCN(CHANNELS, 2, convs=0)
