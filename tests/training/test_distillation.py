from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from conftest import SMALLEST
from runs import lines, run
from segnext.classes import Classes
from segnext.errors import UsageError
from segnext.models import SegNeXt, SegNeXtConfig
from segnext.spec import ModelSpec, Normalization
from segnext.training.distillation import build_teacher
from segnext.weights import describe_model

STUDENT = ("road", "sky", "tree")


def draw_teacher(names: tuple[str, ...]) -> SegNeXt:
    torch.manual_seed(3)
    model = SegNeXt(SegNeXtConfig(num_classes=len(names), **SMALLEST))
    torch.nn.init.normal_(model.decoder.classifier.weight, std=1.0)
    model.spec = describe_model(model, Classes(names))
    return model


def student_spec(model: SegNeXt) -> ModelSpec:
    return describe_model(model, Classes(STUDENT))


def test_the_divergence_is_that_of_the_formula(smallest_model: SegNeXt) -> None:
    teacher_model = draw_teacher(("tree", "car", "road", "sky"))
    spec = student_spec(smallest_model)
    teacher = build_teacher(teacher_model, spec, weight=2.0, temperature=3.0)
    images = torch.randn(2, 3, 64, 64)
    logits = torch.randn(2, 3, 8, 8)
    with torch.no_grad():
        answers = teacher_model(images)[:, [2, 3, 0]]
    p, q = (answers / 3).softmax(1), (logits / 3).log_softmax(1)
    wanted = 2.0 * 9 * functional.kl_div(q, p, reduction="none").sum(1).mean((1, 2)).sum()
    assert teacher.compare(logits, images) == pytest.approx(wanted.item(), rel=1e-5)
    assert teacher.compare(answers, images) == pytest.approx(0, abs=1e-5)


def test_images_are_renormalised_for_the_teacher(smallest_model: SegNeXt) -> None:
    model = draw_teacher(STUDENT)
    assert model.spec is not None
    theirs = Normalization((0.5,) * 3, (0.25,) * 3)
    model.spec = replace(model.spec, normalization=theirs)
    ours = student_spec(smallest_model)
    teacher = build_teacher(model, ours, weight=1.0, temperature=1.0)
    pixels = torch.rand(1, 3, 64, 64)
    mean, std = (
        torch.tensor(values)[:, None, None]
        for values in (ours.normalization.mean, ours.normalization.std)
    )
    with torch.no_grad():
        answers = model((pixels - 0.5) / 0.25)
    assert teacher.compare(answers, (pixels - mean) / std) == pytest.approx(0, abs=1e-5)


def test_a_lone_logit_is_against_nothing() -> None:
    one = SegNeXt(SegNeXtConfig(num_classes=1, **SMALLEST))
    one.spec = describe_model(one, Classes(("crack",)))
    teacher = build_teacher(one, one.spec, weight=1.0, temperature=1.0)
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        answers = one(images)
    assert teacher.compare(answers, images) == pytest.approx(0, abs=1e-6)
    p, q = answers.sigmoid(), (answers + 1).sigmoid()
    wanted = (p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()).mean()
    assert teacher.compare(answers + 1, images) == pytest.approx(wanted.item(), rel=1e-4)


def test_a_teacher_must_know_every_class(smallest_model: SegNeXt) -> None:
    with pytest.raises(UsageError, match=r"the teacher does not know tree; it knows road, sky"):
        build_teacher(
            draw_teacher(("road", "sky")), student_spec(smallest_model), weight=1, temperature=1
        )


def test_a_student_learns_from_unlabelled_pictures(
    scenes: Path, scene_weights: Path, tmp_path: Path
) -> None:
    told = {"teacher": str(scene_weights), "unlabelled": scenes / "test" / "images"}
    run(scenes, tmp_path / "taught", **told)
    run(scenes, tmp_path / "alone")
    taught, alone = (lines(tmp_path / name)[0]["loss"] for name in ("taught", "alone"))
    assert taught != alone
