"""Learning from a teacher's answers as well as from masks (Hinton et al., arXiv 1503.02531).

The student's distribution at each position of its logits is drawn towards the teacher's, both
softened by a temperature t: t^2 KL(softmax(teacher / t) || softmax(student / t)), averaged over
positions. Pictures without masks take part in this and in nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from segnext.errors import UsageError, list_some
from segnext.models import SegmentationModel
from segnext.spec import ModelSpec, Normalization


@dataclass(frozen=True)
class Teacher:
    """A trained model, and how its world maps to the student's.

    Attributes:
        model: In evaluation mode, on the device of training.
        columns: For each class of the student, the teacher's.
        normalization: The teacher's.
        student_normalization: By which the images were prepared.
        weight: Of this part of the loss.
        temperature: By which logits are divided.
    """

    model: SegmentationModel
    columns: tuple[int, ...]
    normalization: Normalization
    student_normalization: Normalization
    weight: float
    temperature: float

    def compare(self, logits: Tensor, images: Tensor) -> Tensor:
        """Return the sum over pictures of the divergence from the teacher's answers.

        Args:
            logits: The student's (B, K, h, w).
            images: (B, C, H, W), normalised for the student.
        """
        with torch.no_grad():
            answers = self.model(self._renormalize(images)).float()
            answers = answers[:, list(self.columns)]
            if answers.shape[-2:] != logits.shape[-2:]:
                answers = functional.interpolate(
                    answers, size=logits.shape[-2:], mode="bilinear", align_corners=False
                )
        wanted = _log_probabilities(answers / self.temperature)
        found = _log_probabilities(logits / self.temperature)
        divergence = (wanted.exp() * (wanted - found)).sum(1).mean((1, 2)).sum()
        return self.weight * self.temperature**2 * divergence

    def _renormalize(self, images: Tensor) -> Tensor:
        if self.normalization == self.student_normalization:
            return images
        ours, theirs = self.student_normalization, self.normalization

        def channels(values: Sequence[float]) -> Tensor:
            return images.new_tensor(values)[:, None, None]

        pixels = images * channels(ours.std) + channels(ours.mean)
        if theirs.low is not None and theirs.high is not None:
            pixels = torch.minimum(pixels.maximum(channels(theirs.low)), channels(theirs.high))
        return (pixels - channels(theirs.mean)) / channels(theirs.std)


def build_teacher(
    model: SegmentationModel, student: ModelSpec, *, weight: float, temperature: float
) -> Teacher:
    """Fit a teacher to a student.

    Args:
        model: The teacher, with a spec, on the device of training.
        student: What the student's logits mean.
        weight: Of this part of the loss.
        temperature: By which logits are divided.

    Raises:
        UsageError: The teacher lacks a class of the student, or reads other channels.
    """
    spec = model.spec
    assert spec is not None, "load_model sets it"
    theirs = list(spec.classes.names)
    lacking = [name for name in student.classes.names if name not in theirs]
    if lacking or (len(theirs) == 1) != (student.classes.num_classes == 1):
        wanted = list_some(lacking) if lacking else "one logit as the student has"
        msg = f"the teacher does not know {wanted}; it knows {list_some(theirs)}"
        raise UsageError(msg)
    if spec.normalization.channels != student.normalization.channels:
        msg = (
            f"the teacher reads {spec.normalization.channels} channels, the student "
            f"{student.normalization.channels}"
        )
        raise UsageError(msg)
    return Teacher(
        model=model.eval().requires_grad_(False),
        columns=tuple(theirs.index(name) for name in student.classes.names),
        normalization=spec.normalization,
        student_normalization=student.normalization,
        weight=weight,
        temperature=temperature,
    )


def _log_probabilities(logits: Tensor) -> Tensor:
    if logits.shape[1] == 1:  # a lone logit is against 0
        logits = torch.cat([torch.zeros_like(logits), logits], dim=1)
    return functional.log_softmax(logits, dim=1)
