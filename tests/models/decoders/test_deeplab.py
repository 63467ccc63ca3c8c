from decoder_contract import check_contract
from segnext.models.decoders.deeplab import DeepLabV3, DeepLabV3Plus


def test_contract_of_v3() -> None:
    check_contract(DeepLabV3, strides=(4, 8, 8, 8), output_stride=8, width=16)


def test_contract_of_v3_plus() -> None:
    check_contract(
        DeepLabV3Plus,
        strides=(4, 8, 16, 16),
        output_stride=4,
        width=16,
        low_level_width=6,
        rates=(1, 6, 12),
    )
