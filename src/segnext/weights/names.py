"""What others call the tensors of a SegNeXt, and what we call them."""

import re

_BLOCK = re.compile(r"block([1-4])\.(\d+)\.(.+)")
_BLOCK_NAMES = {
    "layer_scale_1": "scale1",
    "layer_scale_2": "scale2",
    "norm1": "norm1",
    "norm2": "norm2",
    "attn.proj_1": "attention.proj_in",
    "attn.proj_2": "attention.proj_out",
    "attn.spatial_gating_unit.conv0": "attention.msca.local",
    "attn.spatial_gating_unit.conv3": "attention.msca.mix",
    **{
        f"attn.spatial_gating_unit.conv{branch}_{strip + 1}": (
            f"attention.msca.branches.{branch}.{strip}"
        )
        for branch in range(3)
        for strip in range(2)
    },
    "mlp.fc1": "ffn.expand",
    "mlp.fc2": "ffn.project",
    "mlp.dwconv": "ffn.depthwise",  # MMSegmentation
    "mlp.dwconv.dwconv": "ffn.depthwise",  # the authors
}
_STAGE_NAMES = {
    **{f"patch_embed1.proj.{index}": f"stages.0.downsample.{index}" for index in (0, 1, 3, 4)},
    **{f"patch_embed{stage + 1}.proj": f"stages.{stage}.downsample.0" for stage in (1, 2, 3)},
    **{f"patch_embed{stage + 1}.norm": f"stages.{stage}.downsample.1" for stage in (1, 2, 3)},
    **{f"norm{stage + 1}": f"stages.{stage}.norm" for stage in range(4)},
}
_DECODER_NAMES = {
    "squeeze.conv": "squeeze.0",
    "squeeze.gn": "squeeze.1",
    "hamburger.ham_in.conv": "hamburger.ham_in",
    "hamburger.ham_out.conv": "hamburger.ham_out",
    "hamburger.ham_out.gn": "hamburger.norm",
    "align.conv": "align.0",
    "align.gn": "align.1",
    "conv_seg": "classifier",
}


def translate_name(name: str) -> str | None:
    """Return our name of a tensor; `None` if it is none of a SegNeXt's.

    Args:
        name: The authors', MMSegmentation's or our own, with or without the encoder's prefix.
    """
    if name.startswith(("encoder.", "decoder.")):
        return name
    if name.startswith("decode_head."):
        inner = _rename(name.removeprefix("decode_head."), _DECODER_NAMES)
        return None if inner is None else f"decoder.{inner}"
    inner = _rename_encoder(name.removeprefix("backbone."))
    return None if inner is None else f"encoder.{inner}"


def _rename_encoder(name: str) -> str | None:
    if name.startswith("stages."):
        return name
    match = _BLOCK.fullmatch(name)
    if match is None:
        return _rename(name, _STAGE_NAMES)
    stage, block, inner = int(match[1]) - 1, match[2], _rename(match[3], _BLOCK_NAMES)
    return None if inner is None else f"stages.{stage}.blocks.{block}.{inner}"


def _rename(name: str, table: dict[str, str]) -> str | None:
    """Rename a module within `module.weight`, or a bare parameter such as `layer_scale_1`."""
    module, _, leaf = name.rpartition(".")
    if module in table:
        return f"{table[module]}.{leaf}"
    return table.get(name)
