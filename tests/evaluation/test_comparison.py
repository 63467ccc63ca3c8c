import json
from pathlib import Path

import pytest

from segnext.data import open_folder
from segnext.data.folder import FolderDataset
from segnext.errors import DataError, UsageError
from segnext.evaluation import compare_protocols, evaluate
from segnext.evaluation.comparison import list_compared
from segnext.inference import scoring
from segnext.protocol import Protocol


def test_every_row_is_what_evaluate_finds(scenes: Path, scene_weights: Path) -> None:
    default = Protocol(short_side=80, window=64, stride=40)
    found = compare_protocols(scene_weights, scenes, split="test", default=default, device="cpu")
    assert [score.name for score in found.scores[:5]] == [
        "default",
        "paper",
        "authors",
        "mmseg-0.x",
        "mmseg-1.x",
    ]
    assert found.images == 3
    assert "default, but logits in two steps" in {score.name for score in found.scores}
    for score in found.scores:
        alone = evaluate(scene_weights, scenes, split="test", protocol=score.protocol, device="cpu")
        assert score.metrics.miou == alone.miou, score.name
        assert score.metrics.pixel_accuracy == alone.metrics.pixel_accuracy
        assert found.difference(score) == alone.miou - found.scores[0].metrics.miou
    assert len({score.metrics.pixel_accuracy for score in found.scores}) > 3


def test_pictures_are_read_once_and_equal_inputs_seen_once(
    scenes: Path, scene_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, seen = [], []
    reading, looking = FolderDataset.image, scoring.compute_picture_logits
    monkeypatch.setattr(
        FolderDataset, "image", lambda self, index: read.append(index) or reading(self, index)
    )
    monkeypatch.setattr(
        scoring, "compute_picture_logits", lambda *args: seen.append(args[-1]) or looking(*args)
    )
    default = Protocol(short_side=80, window=64)
    progress = []
    found = compare_protocols(
        scene_weights,
        scenes,
        split="test",
        default=default,
        device="cpu",
        on_image=lambda done, total: progress.append((done, total)),
    )
    assert sorted(read) == [0, 1, 2]
    assert progress == [(1, 3), (2, 3), (3, 3)]
    assert seen.count(default) == 3
    # The rows about steps and overlap cost no run of the network, and two names mean one protocol.
    assert len(set(seen)) == len({score.protocol for score in found.scores}) - 2


def test_json_names_everything(scenes: Path, scene_weights: Path) -> None:
    found = compare_protocols(scene_weights, open_folder(scenes), device="cpu")
    content = json.loads(json.dumps(found.to_dict()))
    assert (content["split"], content["images"], content["dataset"]) == ("val", 2, None)
    first, *others = content["protocols"]
    assert first["name"] == "default"
    assert first["protocol"] == "own size, whole image, single scale"
    assert first["difference"] == 0
    for row in others:
        assert row["difference"] == row["miou"] - first["miou"]
        assert Protocol.from_dict(row["protocol_options"]).describe() == row["protocol"]


def test_rules_are_those_of_the_data_set_that_is_told(scenes: Path, scene_weights: Path) -> None:
    found = compare_protocols(scene_weights, scenes, dataset="camvid", device="cpu")
    assert found.dataset == "camvid"
    compared = list_compared(Protocol(), "loveda")
    assert compared["mmseg-1.x"].box == (1024, 1024)
    assert compared["default, but box 1024x1024"] == Protocol(box=(1024, 1024))
    with pytest.raises(UsageError, match=r"unknown data set 'isaad': did you mean isaid"):
        compare_protocols(scene_weights, scenes, dataset="isaad")


def test_wrong_data_are_refused(scenes: Path, scene_weights: Path) -> None:
    with pytest.raises(DataError, match=r"no split 'dev'; there are train, val, test"):
        compare_protocols(scene_weights, scenes, split="dev")


def test_rows_have_names_of_their_own() -> None:
    compared = list_compared(Protocol(short_side=512), "ade20k")
    assert compared["default"] == compared["paper"] == Protocol(short_side=512)
    assert compared["default, but flip"] == Protocol(short_side=512, flip=True)
    scales = (0.5, 0.75, 1, 1.25, 1.5, 1.75)
    assert compared["default, but six scales"] == Protocol(short_side=512, scales=scales)
