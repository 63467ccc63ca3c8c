from pathlib import Path

import numpy as np
import pytest

from segnext.data import open_folder
from segnext.inference import open_networks
from segnext.predict import Predictor
from segnext.protocol import Protocol
from segnext.report.observing import Subject, names_and_groups, observe


@pytest.mark.parametrize("protocol", [None, Protocol(window=48, stride=32, flip=True)])
def test_masks_are_those_of_the_predictor(
    scenes: Path, scene_weights: Path, protocol: Protocol | None
) -> None:
    networks = open_networks(str(scene_weights), backend="eager", device="cpu")
    subject = Subject.of("w", networks, protocol)
    predictor = Predictor(scene_weights, device="cpu", backend="eager", protocol=protocol)
    images, done = open_folder(scenes).dataset("test"), []
    for seen in observe([subject], images, lambda *counts: done.append(counts)):
        item, (found,) = images[seen.picture], seen.seen
        expected = predictor(item["image"])
        assert np.array_equal(found.mask, expected.mask)
        assert found.confidence == pytest.approx(expected.confidence)
        assert np.array_equal(seen.truth, item["mask"])
        assert found.seconds > 0
    assert done == [(1, 3), (2, 3), (3, 3)]


def test_two_models_see_the_same_picture(scenes: Path, scene_weights: Path) -> None:
    networks = open_networks(str(scene_weights), backend="eager", device="cpu")
    subject = Subject.of("w", networks, None)
    for seen in observe([subject, subject], open_folder(scenes).dataset("val"), confidence=False):
        first, second = seen.seen
        assert np.array_equal(first.mask, second.mask)
        assert first.confidence is None


def test_groups_are_names_without_a_rule(scenes: Path) -> None:
    names, groups = names_and_groups(open_folder(scenes).dataset("test"))
    assert names == groups
    names, groups = names_and_groups(open_folder(scenes, group="^(.)").dataset("test"))
    assert names != groups
    assert len(set(groups)) == 1
