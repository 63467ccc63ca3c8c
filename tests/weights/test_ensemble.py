import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from conftest import SMALLEST
from segnext import Predictor
from segnext.data.synthetic import SCENE_CLASSES
from segnext.errors import UsageError, WeightsError
from segnext.models import SegNeXt, SegNeXtConfig
from segnext.spec import Normalization
from segnext.weights import describe_model, load_models, member_files, save_model


def draw_model(seed: int) -> SegNeXt:
    torch.manual_seed(seed)
    model = SegNeXt(SegNeXtConfig(num_classes=SCENE_CLASSES.num_classes, **SMALLEST)).eval()
    model.spec = describe_model(model, SCENE_CLASSES)
    return model


def test_an_ensemble_averages_probabilities() -> None:
    models = draw_model(1), draw_model(2)
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    together = Predictor(models, device="cpu")(image)
    inputs = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
    spec = models[0].spec
    assert spec is not None
    mean, std = (
        torch.tensor(values)[:, None, None]
        for values in (spec.normalization.mean, spec.normalization.std)
    )
    with torch.inference_mode():
        probabilities = [
            torch.nn.functional.interpolate(
                model((inputs - mean) / std), size=(64, 96), mode="bilinear"
            ).softmax(1)
            for model in models
        ]
    wanted = torch.stack(probabilities).mean(0)[0]
    assert (together.mask == wanted.argmax(0).numpy()).mean() > 0.999
    np.testing.assert_allclose(together.confidence, wanted.amax(0).numpy(), atol=1e-4)


def test_a_cross_validation_stands_for_its_folds(tmp_path: Path, scene_weights: Path) -> None:
    for fold in (0, 1):
        (tmp_path / f"fold_{fold}").mkdir()
        shutil.copy(scene_weights, tmp_path / f"fold_{fold}" / "best.safetensors")
    assert len(load_models(tmp_path)) == 2
    assert len(load_models([tmp_path, scene_weights])) == 3
    assert member_files(scene_weights) == [scene_weights]
    (tmp_path / "fold_1" / "best.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"fold_1: this fold has no best.safetensors yet"):
        member_files(tmp_path)


def test_models_must_fit_together(tmp_path: Path) -> None:
    one, other = draw_model(1), draw_model(2)
    assert other.spec is not None
    other.spec = replace(other.spec, normalization=Normalization((0.5,) * 3, (0.5,) * 3))
    with pytest.raises(UsageError, match=r"must have the same classes and normalisation"):
        load_models([one, save_model(other, tmp_path / "other.safetensors")])
    other.spec = None
    with pytest.raises(UsageError, match=r"does not know its classes: set model.spec"):
        load_models([one, other])
    with pytest.raises(UsageError, match=r"no weights given"):
        load_models([])
