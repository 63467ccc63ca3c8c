from decoder_contract import check_contract
from segnext.models.decoders.mlp import MLP


def test_contract() -> None:
    check_contract(MLP, output_stride=4, width=16)
    check_contract(MLP, strides=(16, 16, 16, 16), output_stride=16, width=16)
