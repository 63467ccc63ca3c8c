import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segnext.classes import Classes
from segnext.data import open_folder
from segnext.data.synthetic import SCENE_CLASSES
from segnext.errors import DataError, UsageError
from segnext.evaluation import evaluate
from segnext.inference import named_protocol
from segnext.models import SegNeXt
from segnext.predict import Predictor
from segnext.protocol import Protocol
from segnext.weights import describe_model


@pytest.mark.parametrize(
    "protocol", [Protocol(), Protocol(window=48, stride=32), Protocol(scales=(0.75, 1), flip=True)]
)
def test_agrees_with_masks_and_definitions(
    scenes: Path, scene_weights: Path, protocol: Protocol
) -> None:
    found = evaluate(scene_weights, scenes, split="test", protocol=protocol, device="cpu")
    predictor = Predictor(scene_weights, device="cpu", protocol=protocol)
    images = sorted((scenes / "test" / "images").iterdir())
    truth = np.stack([np.array(Image.open(scenes / "test/masks" / p.name)) for p in images])
    masks = np.stack([predictor(path).mask for path in images])
    ious = []
    for label in range(6):
        either = ((truth == label) | (masks == label)).sum()
        if either:
            ious.append(((truth == label) & (masks == label)).sum() / either)
    assert found.miou == pytest.approx(np.mean(ious), abs=1e-9)
    assert found.metrics.pixel_accuracy == pytest.approx((truth == masks).mean(), abs=1e-9)
    assert found.images == 3


def test_json_names_everything(scenes: Path, scene_weights: Path) -> None:
    content = json.loads(json.dumps(evaluate(scene_weights, scenes, device="cpu").to_dict()))
    assert content["images"] == 2
    assert content["split"] == "val"
    assert content["protocol"] == "own size, whole image, single scale"
    assert set(content["iou_per_class"]) == {"sky", "building", "tree", "road", "grass", "car"}
    assert 0 <= content["miou"] <= 1
    assert 0 <= content["pixel_accuracy"] <= 1
    assert 0 <= content["mean_accuracy"] <= 1


def test_progress_is_told(scenes: Path, scene_weights: Path) -> None:
    seen = []
    evaluate(
        scene_weights,
        scenes,
        split="test",
        device="cpu",
        on_image=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_other_classes_are_refused(
    scenes: Path, scene_weights: Path, smallest_model: SegNeXt, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match="no split 'dev'; there are train, val, test"):
        evaluate(scene_weights, scenes, split="dev")
    with pytest.raises(UsageError, match="does not know its classes"):
        evaluate(smallest_model, scenes)
    folder = tmp_path / "renamed"
    for split in ("train", "val"):
        for kind in ("images", "masks"):
            (folder / split / kind).mkdir(parents=True)
            for path in (scenes / split / kind).iterdir():
                (folder / split / kind / path.name).write_bytes(path.read_bytes())
    lines = (scenes / "classes.txt").read_text().splitlines()
    (folder / "classes.txt").write_text("\n".join([lines[1], lines[0], *lines[2:]]))
    with pytest.raises(DataError, match="class 0 is 'building', but 'sky' in the model"):
        evaluate(scene_weights, folder)
    (folder / "classes.txt").write_text("\n".join([*lines, "boat 1 2 3"]))
    with pytest.raises(
        DataError,
        match=r"has 7 classes, the model 6; in the data alone: boat.*; give the data\.yaml",
    ):
        evaluate(scene_weights, folder)


def test_a_model_without_names_goes_by_number(scenes: Path, smallest_model: SegNeXt) -> None:
    count = SCENE_CLASSES.num_classes
    model = SegNeXt(replace(smallest_model.config, num_classes=count)).eval()
    model.spec = describe_model(model, Classes.numbered(count))
    found = evaluate(model, scenes, device="cpu")
    named = describe_model(model, SCENE_CLASSES)
    model.spec = named
    assert evaluate(model, scenes, device="cpu").miou == found.miou
    model.spec = replace(named, classes=Classes.numbered(count + 1))
    with pytest.raises(DataError, match="has 6 classes, the model 7"):
        evaluate(model, scenes, device="cpu")


def test_protocols_go_by_name(scenes: Path, scene_weights: Path) -> None:
    found = evaluate(scene_weights, scenes, protocol="mmseg-1.x", device="cpu")
    assert found.spec.protocol == named_protocol("mmseg-1.x", None)
    content = json.loads(json.dumps(found.to_dict()))
    assert content["protocol"].startswith("own size, padded to multiples of 32, whole image")
    assert Protocol.from_dict(content["protocol_options"]) == found.spec.protocol
    assert content["dataset"] is None
    with pytest.raises(UsageError, match=r"unknown protocol 'papers': did you mean paper"):
        evaluate(scene_weights, scenes, protocol="papers", device="cpu")


def test_published_rules_are_told(scenes: Path, scene_weights: Path) -> None:
    found = evaluate(scene_weights, open_folder(scenes), device="cpu")
    content = found.to_dict()
    assert content["published_rules"]["cityscapes"] == pytest.approx(found.miou, abs=1e-9)
    assert set(content["published_rules"]) == {"cityscapes", "ade20k", "coco_stuff"}
    assert found.counts.sum() == found.metrics.pixels
    assert "ade20k_score" not in content
    ade = evaluate(scene_weights, scenes, dataset="ade20k", device="cpu")
    score = (ade.metrics.pixel_accuracy + content["published_rules"]["ade20k"]) / 2
    assert ade.to_dict()["ade20k_score"] == pytest.approx(score, abs=1e-9)
