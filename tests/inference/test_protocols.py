from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional

from segnext.classes import Classes
from segnext.data.datasets.registry import DATASETS
from segnext.data.transforms import normalize
from segnext.errors import UsageError
from segnext.inference import compute_mask, compute_picture_logits, named_protocol
from segnext.inference import protocols as module
from segnext.inference.protocols import find_dataset, list_protocols, vary_protocol
from segnext.models import SegNeXt
from segnext.protocol import Protocol
from segnext.spec import IMAGENET_NORMALIZATION


def openmmlab_probabilities(model: SegNeXt, image: np.ndarray, protocol: Protocol) -> torch.Tensor:
    """Test as MMSegmentation does, with whole logits (K, H, W) at every stage."""
    height, width = image.shape[:2]
    total = torch.zeros(())
    for scale in protocol.scales:
        if protocol.box is None:
            long, short = sorted((int(height * scale + 0.5), int(width * scale + 0.5)))[::-1]
        else:
            long, short = (int(side * scale) for side in protocol.box)
        factor = min(long / max(height, width), short / min(height, width))
        pixels = cv2.resize(image, (int(width * factor + 0.5), int(height * factor + 0.5)))
        if protocol.resize_to_multiple:
            sides = (-(-side // 32) * 32 for side in pixels.shape[1::-1])
            pixels = cv2.resize(pixels, tuple(sides))
        inputs = torch.from_numpy(normalize(pixels, IMAGENET_NORMALIZATION)).permute(2, 0, 1)[None]
        for mirrored in (False, True) if protocol.flip else (False,):
            seen = inputs.flip(-1) if mirrored else inputs
            logits = network_logits(model, seen, protocol)
            if mirrored:
                logits = logits.flip(-1)
            logits = functional.interpolate(logits, size=(height, width), mode="bilinear")
            total = total + logits[0].softmax(0)
    return total / (len(protocol.scales) * (1 + protocol.flip))


def network_logits(model: SegNeXt, inputs: torch.Tensor, protocol: Protocol) -> torch.Tensor:
    """Return logits (1, K, h, w) at the size of the network's input, padding cut off."""
    height, width = inputs.shape[-2:]
    if protocol.pad_to_multiple:
        inputs = functional.pad(inputs, (0, -width % 32, 0, -height % 32))
    full_height, full_width = inputs.shape[-2:]
    window = protocol.window or max(full_height, full_width)
    stride = protocol.effective_stride or 1
    total, count = torch.zeros(1, 3, full_height, full_width), torch.zeros(full_height, full_width)
    for row in range(max(full_height - window + stride - 1, 0) // stride + 1):
        for column in range(max(full_width - window + stride - 1, 0) // stride + 1):
            bottom = min(row * stride + window, full_height)
            right = min(column * stride + window, full_width)
            top, left = max(bottom - window, 0), max(right - window, 0)
            crop = inputs[..., top:bottom, left:right]
            logits = functional.interpolate(
                model(crop.contiguous(memory_format=torch.channels_last)),
                size=crop.shape[-2:],
                mode="bilinear",
            )
            if protocol.overlap == "probabilities":
                logits = logits.softmax(1)
            total[..., top:bottom, left:right] += logits
            count[top:bottom, left:right] += 1
    return (total / count)[..., :height, :width]


@pytest.mark.parametrize("name", ["authors", "mmseg-0.x", "mmseg-1.x"])
@pytest.mark.parametrize("windows", [False, True])
@pytest.mark.parametrize("multi_scale", [False, True])
def test_named_protocols_are_what_the_library_does(
    smallest_model: SegNeXt, name: str, windows: bool, multi_scale: bool
) -> None:
    protocol = named_protocol(f"{name}-ms" if multi_scale else name, "ade20k")
    # The same rules on a small box, so that a tiny picture is enlarged.
    if protocol.box:
        protocol = replace(protocol, box=(160, 70))
    if multi_scale:
        protocol = replace(protocol, scales=(0.75, 1.25))
    if windows:
        protocol = replace(protocol, window=64, stride=40)
    model = smallest_model.eval()
    image = np.random.default_rng(0).integers(0, 256, (61, 97, 3), dtype=np.uint8)
    with torch.inference_mode():
        expected = openmmlab_probabilities(model, image, protocol)
    logits = compute_picture_logits(model, image, IMAGENET_NORMALIZATION, protocol)
    assert_same_labels(compute_mask(logits), expected)


def assert_same_labels(mask: np.ndarray, scores: torch.Tensor) -> None:
    """Labels may differ only where the two best scores lie within 1e-5."""
    differs = torch.from_numpy(mask.astype(np.int64)) != scores.argmax(0)
    best = scores.topk(2, dim=0).values
    assert not (differs & ((best[0] - best[1]) > 1e-5)).any()
    assert len(scores.argmax(0).unique()) > 1  # else nothing was compared


def test_paper_says_little() -> None:
    assert named_protocol("paper", "ade20k") == Protocol(short_side=512)
    assert named_protocol("paper", "coco_stuff164k") == Protocol(short_side=512)
    assert named_protocol("paper", "cityscapes") == Protocol(window=1024, stride=768)
    assert named_protocol("paper", "pascal_voc") == Protocol()
    assert named_protocol("paper", None) == Protocol()


def test_the_libraries_differ_in_what_they_do_to_odd_sides() -> None:
    stretched = (
        "box 2048x512, stretched to multiples of 32, whole image, single scale, logits in two "
        "steps, pixels resized, mmcv's rounding"
    )
    assert named_protocol("authors", "ade20k").describe() == stretched
    assert named_protocol("mmseg-0.x", "ade20k").describe() == stretched
    assert named_protocol("mmseg-1.x", "ade20k").describe() == stretched.replace(
        "stretched", "padded"
    )
    assert named_protocol("authors", "coco_stuff164k").resize_to_multiple == 32
    assert named_protocol("mmseg-0.x", "coco_stuff164k").resize_to_multiple is None
    assert named_protocol("mmseg-1.x", "coco_stuff164k").pad_to_multiple == 32


@pytest.mark.parametrize("name", ["authors", "mmseg-0.x", "mmseg-1.x"])
def test_boxes_and_windows_of_the_data_sets(name: str) -> None:
    city = named_protocol(name, "cityscapes")
    assert (city.box, city.window, city.stride) == ((2048, 1024), 1024, 768)
    assert city.resize_to_multiple is None
    context = named_protocol(name, "pascal_context59")
    assert (context.box, context.window, context.stride) == ((520, 520), 480, 320)
    assert named_protocol(name, "loveda").box == (1024, 1024)
    for dataset in ("isaid", "potsdam", "vaihingen"):
        assert named_protocol(name, dataset).box is None, "would shrink whole pictures to a patch"
    assert named_protocol(name, "pascal_voc").box == (2048, 512)
    assert named_protocol(name, "camvid").box is None
    assert named_protocol(name, "camvid") == named_protocol(name, None)


def test_multi_scale_is_six_scales_and_flip() -> None:
    paper = named_protocol("paper-ms", "ade20k")
    assert paper == Protocol(short_side=512, scales=(0.5, 0.75, 1, 1.25, 1.5, 1.75), flip=True)
    assert named_protocol("authors-ms", "ade20k").box == (2048, 512)
    # Its test-time augmentation scales the picture itself.
    assert named_protocol("mmseg-1.x-ms", "ade20k").box is None


def test_default_is_what_the_weights_say() -> None:
    own = Protocol(window=512)
    assert named_protocol("default", "ade20k", own) == own
    assert named_protocol("default", "ade20k") == Protocol()
    assert named_protocol("default-ms", None, own).window == 512
    assert named_protocol("default-ms", None, own).flip


def test_unknown_names_get_the_right_ones() -> None:
    with pytest.raises(UsageError, match=r"unknown protocol 'mmseg': did you mean .*mmseg-1\.x"):
        named_protocol("mmseg", None)
    with pytest.raises(UsageError, match=r"unknown data set 'ade20': did you mean ade20k"):
        find_dataset(Classes(("a", "b")), told="ade20")
    assert "paper-ms" in list_protocols()
    for name in list_protocols():
        assert isinstance(named_protocol(name, "isaid"), Protocol)


def test_the_data_set_is_known_from_the_format_or_the_classes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    classes = Classes(("wall", "building"))

    class Scenes:
        classes = Classes(("wall", "building"))

    monkeypatch.setattr(module, "DATASETS", {"camvid": Scenes, "ade20k": Scenes})
    assert find_dataset(classes, "cityscapes") == "cityscapes"
    assert find_dataset(classes, "coco") == "ade20k"
    assert find_dataset(classes) == "ade20k"
    assert find_dataset(classes, "cityscapes", told="camvid") == "camvid"
    assert find_dataset(Classes(("wall", "sky")), "labelme") is None


def test_every_data_set_with_rules_is_known_here() -> None:
    assert set(module._RULES) <= set(DATASETS)


def test_variants_change_one_choice_each() -> None:
    default = Protocol(short_side=512, window=512, stride=340)
    variants = vary_protocol(default, "ade20k")
    assert set(variants) == {
        "own size",
        "box 2048x512",
        "stretched to multiples of 32",
        "padded to multiples of 32",
        "whole image",
        "windows average probabilities",
        "logits in two steps",
        "stored pixels resized",
        "six scales",
        "flip",
    }
    assert default not in variants.values()
    assert len(set(variants.values())) == len(variants)
    assert variants["box 2048x512"] == Protocol(box=(2048, 512), window=512, stride=340)
    back = vary_protocol(named_protocol("authors", "ade20k"), "ade20k")
    assert set(back) == {
        "own size",
        "nothing stretched or padded",
        "padded to multiples of 32",
        "logits in one step",
        "normalised picture resized",
        "six scales",
        "flip",
    }
    many = vary_protocol(named_protocol("paper-ms", "ade20k"), "ade20k")
    assert many["single scale"] == Protocol(short_side=512, flip=True)
    assert many["no flip"] == replace(named_protocol("paper-ms", "ade20k"), flip=False)
