"""Photos to the names of their most probable classes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from segnext.classification.files import ClassifierSpec
from segnext.classification.photos import read_photo, view_photo
from segnext.errors import DataError
from segnext.models import Classifier


@dataclass(frozen=True)
class PhotoClasses:
    """What a photo shows.

    Attributes:
        path: The photo.
        names: Of the most probable classes, best first.
        folders: Of these classes.
        probabilities: Of these classes, 0-1.
        problem: Why the photo could not be classified; empty if it was.
    """

    path: Path
    names: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    probabilities: tuple[float, ...] = ()
    problem: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return what `--json` prints of a photo."""
        if self.problem:
            return {"path": str(self.path), "problem": self.problem}
        columns = zip(self.names, self.folders, self.probabilities, strict=True)
        classes = [
            {"class": name, "folder": folder, "probability": probability}
            for name, folder, probability in columns
        ]
        return {"path": str(self.path), "classes": classes}


def classify_photos(
    model: Classifier, spec: ClassifierSpec, paths: Sequence[Path], *, top: int = 5
) -> Iterator[PhotoClasses]:
    """Classify photos one by one; a broken one does not stop the others.

    Args:
        model: In evaluation mode.
        spec: Of the model.
        paths: The photos.
        top: How many classes to name.
    """
    device = next(model.parameters()).device
    count = min(top, len(spec.names))
    for path in paths:
        try:
            image = view_photo(read_photo(path), spec.view, spec.normalization)
        except DataError as error:
            yield PhotoClasses(path, problem=str(error))
            continue
        with torch.inference_mode():
            logits = model(image[None].to(device, memory_format=torch.channels_last))
        best = logits[0].float().softmax(dim=0).topk(count)
        indices = best.indices.tolist()
        yield PhotoClasses(
            path,
            tuple(spec.names[index] for index in indices),
            tuple(spec.folders[index] for index in indices),
            tuple(best.values.tolist()),
        )
