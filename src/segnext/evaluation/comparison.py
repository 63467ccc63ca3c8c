"""One checkpoint under every protocol: what each choice is worth."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from segnext.data import Folder, open_folder
from segnext.evaluation.evaluation import json_number, open_split
from segnext.inference import Source, named_protocol, open_networks, score_protocols
from segnext.inference.protocols import NAMES, find_dataset, vary_protocol
from segnext.metrics import Metrics, compute_metrics
from segnext.protocol import Protocol
from segnext.weights import spec_of


@dataclass(frozen=True)
class ProtocolScore:
    """The score by one protocol.

    Attributes:
        name: Of the protocol, or what one choice was changed to.
        protocol: What was done.
        metrics: From the confusion matrix of the whole split.
    """

    name: str
    protocol: Protocol
    metrics: Metrics


@dataclass(frozen=True)
class Comparison:
    """The scores of a model on a split by several protocols.

    Attributes:
        scores: By protocol; the first is what the others are compared with.
        split: Name of the split.
        images: Pictures in it.
        dataset: Whose rules the names stand for; `None` for those of unknown data.
    """

    scores: tuple[ProtocolScore, ...]
    split: str
    images: int
    dataset: str | None

    def difference(self, score: ProtocolScore) -> float:
        """Return by how much mIoU lies above that of the first protocol, in 0-1."""
        return score.metrics.miou - self.scores[0].metrics.miou

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description; undefined values are `None`."""
        return {
            "split": self.split,
            "images": self.images,
            "dataset": self.dataset,
            "protocols": [
                {
                    "name": score.name,
                    "miou": json_number(score.metrics.miou),
                    "pixel_accuracy": json_number(score.metrics.pixel_accuracy),
                    "difference": json_number(self.difference(score)),
                    "protocol": score.protocol.describe(),
                    "protocol_options": asdict(score.protocol),
                }
                for score in self.scores
            ],
        }


def compare_protocols(
    model: Source | Sequence[Source],
    data: str | Path | Folder,
    *,
    split: str = "val",
    default: Protocol | None = None,
    dataset: str | None = None,
    device: str | None = None,
    backend: str | None = None,
    stitch: bool = False,
    on_image: Callable[[int, int], None] = lambda _done, _total: None,
) -> Comparison:
    """Score a model by all named protocols, and by the default with one choice changed at a time.

    Every picture is read once. Protocols that feed the network alike share its runs.

    Args:
        model: As in `segnext.evaluate`.
        data: Folder or data.yaml, or for other options what `open_folder` returned.
        split: Which split.
        default: The first protocol; the weights' own if not given.
        dataset: Whose rules the names stand for; known from the data or the classes if not given.
        device: `cpu`, `cuda` or `mps`; the fastest there is if not given.
        backend: As in `segnext.evaluate`.
        stitch: Put patches together to whole pictures first.
        on_image: Called with pictures done and in all.

    Raises:
        DataError: The split is missing, cannot be read, or has other classes than the model.
        WeightsError: The weights cannot be loaded.
        UsageError: The model has no spec.
    """
    networks = open_networks(model, backend=backend, device=device)
    spec = spec_of(networks[0])
    folder = data if isinstance(data, Folder) else open_folder(data)
    dataset = find_dataset(spec.classes, folder.format, dataset)
    protocols = list_compared(default or spec.protocol, dataset)
    images = open_split(spec, folder, split, stitch=stitch)
    matrices = score_protocols(
        networks,
        spec,
        images,
        list(protocols.values()),
        on_image=lambda done: on_image(done, len(images)),
    )
    scores = tuple(
        ProtocolScore(name, protocol, compute_metrics(matrices[protocol].counts))
        for name, protocol in protocols.items()
    )
    return Comparison(scores, split, len(images), dataset)


def list_compared(default: Protocol, dataset: str | None) -> Mapping[str, Protocol]:
    """Return the named protocols, then the default with one choice changed at a time."""
    named = {name: named_protocol(name, dataset, default) for name in NAMES}
    varied = vary_protocol(default, dataset)
    return {**named, **{f"{NAMES[0]}, but {what}": one for what, one in varied.items()}}
