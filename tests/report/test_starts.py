from dataclasses import replace
from pathlib import Path

import pytest
import torch

from conftest import SMALLEST
from segnext.classes import Classes
from segnext.data import open_folder
from segnext.errors import UsageError
from segnext.inference import open_networks
from segnext.models import SegNeXt, SegNeXtConfig
from segnext.models.decompositions import NMF
from segnext.report.observing import Subject
from segnext.report.starts import check_starts, draw_starts, measure_starts
from segnext.weights import describe_model


def test_bases_are_drawn_at_every_call_and_come_back() -> None:
    layer = NMF(8, 3).eval()
    features = torch.rand(1, 8, 20)
    stored, before = layer.initial_bases.clone(), layer(features)
    with draw_starts([layer], seed=4):
        first = layer(features)
        drawn = layer.initial_bases.clone()
        second = layer(features)
    assert torch.equal(layer.initial_bases, stored)
    assert torch.equal(layer(features), before)
    assert not torch.equal(first, before)
    assert not torch.equal(first, second)
    assert drawn.norm(dim=1) == pytest.approx(torch.ones(1, 3))
    assert (drawn >= 0).all()
    with draw_starts([layer], seed=4):
        assert torch.equal(layer(features), first)
    with draw_starts([layer], seed=5):
        assert not torch.equal(layer(features), first)


def test_bases_come_back_after_an_error() -> None:
    layer = NMF(8, 3).eval()
    stored = layer.initial_bases.clone()
    with pytest.raises(RuntimeError, match="size"), draw_starts([layer], seed=0):
        layer(torch.rand(1, 9, 20))  # a row too many
    assert torch.equal(layer.initial_bases, stored)
    assert not layer._forward_pre_hooks


def test_scores_by_seed(scenes: Path, scene_weights: Path) -> None:
    subject = Subject.of(
        "w", open_networks(str(scene_weights), backend="eager", device="cpu"), None
    )
    images, done = open_folder(scenes).dataset("val"), []
    found = measure_starts(
        subject, images, seeds=2, fixed=0.3, on_image=lambda *counts: done.append(counts)
    )
    assert done == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert found.fixed == 0.3
    assert len(found.drawn) == 2
    assert found.mean == pytest.approx(sum(found.drawn) / 2)
    assert found.spread == pytest.approx(abs(found.drawn[0] - found.drawn[1]) / 2**0.5)
    one = measure_starts(subject, images, seeds=1, fixed=0.3)
    assert one.drawn == found.drawn[:1]
    assert one.spread is None


def test_says_why_nothing_can_be_drawn(scene_weights: Path) -> None:
    folded = Subject.of(
        "w", open_networks(str(scene_weights), backend="folded", device="cpu"), None
    )
    with pytest.raises(UsageError, match=r"--seeds needs weights in .* eager .*; w runs in folded"):
        check_starts(folded, 2)
    config = SegNeXtConfig(num_classes=3, **{**SMALLEST, "decoder_attention": "none"})
    model = SegNeXt(config).eval()
    model.spec = describe_model(model, Classes.numbered(3))
    plain = Subject.of("plain", open_networks(model, backend="eager", device="cpu"), None)
    with pytest.raises(UsageError, match="plain has no decomposition"):
        check_starts(plain, 2)
    with pytest.raises(UsageError, match="--seeds 0: at least 1"):
        check_starts(replace(plain, name="x"), 0)
