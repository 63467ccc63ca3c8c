from pathlib import Path

import pytest
import torch

from class_photos import FOLDERS, write_classifier
from pictures import save_picture
from segnext.classification.files import load_classifier
from segnext.classification.photos import read_photo, view_photo
from segnext.classification.prediction import classify_photos


def test_the_most_probable_classes_are_named(tmp_path: Path) -> None:
    model, spec = load_classifier(write_classifier(tmp_path / "a.safetensors"))
    torch.nn.init.normal_(model.head.weight)
    photo = save_picture(tmp_path / "photo.png")
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG")
    found, failed = classify_photos(model, spec, [photo, broken], top=5)
    with torch.no_grad():
        image = view_photo(read_photo(photo), spec.view, spec.normalization)
        expected = model(image[None])[0].softmax(0)
    assert sum(found.probabilities) == pytest.approx(1.0, abs=1e-5)
    assert list(found.probabilities) == sorted(found.probabilities, reverse=True)
    assert found.probabilities[0] == pytest.approx(expected.max().item(), abs=1e-5)
    assert found.folders[0] == FOLDERS[int(expected.argmax())]
    assert found.to_dict()["classes"][0]["class"] == found.names[0]
    assert "broken.png" in failed.problem
    assert failed.to_dict().keys() == {"path", "problem"}
    assert len(next(classify_photos(model, spec, [photo], top=1)).names) == 1
