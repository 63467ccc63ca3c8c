"""MMSegmentation's SegNeXt from its own configuration files, on a CPU without compiled operators.

Three things differ from a plain build, none of which changes its speed: the first bases of the
decomposition are fixed (`rand_init=False`, its own option), so that both sides compute the same
numbers and exporters find no random operator; the base size has rank 64 as in MMSegmentation 0.x
and the paper's code (1.x inherits 16 from the tiny file); no ImageNet weights are fetched.
"""

import importlib.machinery
import sys
import types
from pathlib import Path
from typing import Any

import torch
from lively_weights import FIRST_BASES, fill
from torch import Tensor, nn

RANKS = {"tiny": 16, "small": 16, "base": 64}


class _Missing(types.ModuleType):
    """Stands in for mmcv's compiled operators, which SegNeXt does not use."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *_args, **_options: None


def build_mmseg(size: str, classes: int, weights: Path | None) -> nn.Module:
    """Build the segmentor (backbone, decode head, loss).

    Args:
        size: `tiny`, `small` or `base`.
        classes: K.
        weights: Read, or drawn and written if the file is not there; `None` draws and keeps them.
    """
    stub = _Missing("mmcv._ext")
    stub.__spec__ = importlib.machinery.ModuleSpec("mmcv._ext", None)
    sys.modules["mmcv._ext"] = stub
    import mmseg
    from mmengine.config import Config
    from mmseg.registry import MODELS
    from mmseg.utils import register_all_modules
    from safetensors.torch import load_file, save_file

    register_all_modules()
    folder = Path(mmseg.__file__).parent / ".mim" / "configs" / "segnext"
    file = folder / f"segnext_mscan-{size[0]}_1xb16-adamw-160k_ade20k-512x512.py"
    options = Config.fromfile(file).model
    options.data_preprocessor = None
    options.backbone.init_cfg = None
    options.decode_head.num_classes = classes
    options.decode_head.ham_kwargs.update(rand_init=False, MD_R=RANKS[size])
    segmentor = MODELS.build(options)
    ham = segmentor.decode_head.hamburger.ham
    # Without a buffer of this name the first forward pass would draw one.
    bases = ham._build_bases(1, ham.S, segmentor.decode_head.ham_channels, ham.R, device="cpu")
    ham.register_buffer("bases", bases)
    assert FIRST_BASES in segmentor.state_dict()
    if weights is not None and weights.exists():
        segmentor.load_state_dict(load_file(weights))
        return segmentor
    fill(segmentor)
    if weights is not None:
        save_file(segmentor.state_dict(), weights)
    return segmentor


class Forward(nn.Module):
    """What a segmentor does to a picture that is normalised already: logits at stride 8."""

    def __init__(self, segmentor: nn.Module) -> None:
        super().__init__()
        self.backbone = segmentor.backbone
        self.decode_head = segmentor.decode_head

    def forward(self, images: Tensor) -> Tensor:
        """Compute logits (B, K, H/8, W/8)."""
        return self.decode_head(self.backbone(images))


def pack_masks(masks: Tensor) -> list[Any]:
    """Wrap masks (B, H, W) as the decode head's loss wants them."""
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample

    return [SegDataSample(gt_sem_seg=PixelData(data=mask[None])) for mask in torch.unbind(masks)]
