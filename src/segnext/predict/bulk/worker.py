"""Pictures in, files out: what every process of a job does, wherever it runs."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segnext.data.containers.shard_cache import open_storage
from segnext.data.headers import parse_header
from segnext.data.images import Image, decode_image
from segnext.data.reading import read_ahead
from segnext.errors import DataError, SegnextError, UsageError
from segnext.predict.bulk.listing import Listed, describe_failure, is_url
from segnext.predict.bulk.storing import open_store
from segnext.predict.folder import fingerprint
from segnext.predict.predictor import Predictor
from segnext.spec import Protocol


@dataclass(frozen=True)
class Outcome:
    """What became of a picture.

    Attributes:
        name: Of its outputs.
        source: Where it lies.
        error: What was wrong, in one line; empty if it was predicted.
        size: Height and width in pixels.
        areas: Pixels by class, of the classes that it shows.
    """

    name: str
    source: str
    error: str = ""
    size: tuple[int, int] = (0, 0)
    areas: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return its line in a manifest."""
        named = {"name": self.name, "source": self.source}
        if self.error:
            return {**named, "error": self.error}
        return {**named, "size": self.size, "areas": dict(self.areas)}


@dataclass(frozen=True)
class Job:
    """What a worker needs to know, and all that is sent to one.

    Attributes:
        weights: Files, which lie at the same place for every worker.
        made_by: Their `fingerprint`.
        protocol: By which pictures become masks.
        out: Folder or URL.
        backend: As in `Predictor`; also the next three.
        device: As in `Predictor`.
        threads: As in `Predictor`.
        precision: As in `Predictor`.
        how: Options of `Prediction.save`.
    """

    weights: tuple[Path, ...]
    made_by: str
    protocol: Protocol
    out: str
    backend: str = "auto"
    device: str | None = None
    threads: int | None = None
    precision: str = "float32"
    how: Mapping[str, Any] = field(default_factory=dict)

    @property
    def made(self) -> dict[str, Any]:
        """What outputs of one folder must have in common."""
        return {
            "weights": self.made_by,
            "protocol": self.protocol.describe(),
            "outputs": dict(self.how),
        }

    def open_predictor(self) -> Predictor:
        """Load the weights.

        Raises:
            UsageError: They are not those of the job.
            WeightsError: They cannot be loaded.
        """
        for path in self.weights:
            if not path.exists():
                msg = f"{path}: not there for a worker; put weights where all machines find them"
                raise UsageError(msg)
        if fingerprint(self.weights) != self.made_by:
            msg = f"{self.weights[0]}: a worker found other weights there than the job began with"
            raise UsageError(msg)
        return Predictor(
            list(self.weights),
            backend=self.backend,
            device=self.device,
            threads=self.threads,
            precision=self.precision,
            protocol=self.protocol,
        )


class Worker:
    """Predict listed pictures and write their files.

    Args:
        job: What to do.
        predictor: That of the job if it is open already.
    """

    def __init__(self, job: Job, predictor: Predictor | None = None) -> None:
        self._predictor = predictor or job.open_predictor()
        self._store = open_store(job.out)
        self._how = job.how

    def run(self, pictures: Iterable[Listed]) -> Iterator[Outcome]:
        """Predict pictures one by one, reading a few ahead.

        Yields:
            What became of each, once its files are written.

        Raises:
            SegnextError: Files cannot be written, or not of this kind.
        """
        for picture, reading in read_ahead(lambda picture: self._read(picture.source), pictures):
            try:
                prediction = self._predictor.predict(reading.result())
            except SegnextError as error:
                yield Outcome(picture.name, picture.source, error=str(error))
                continue
            self._store.save(prediction, picture.name, self._how)
            height, width = prediction.mask.shape
            areas = {label: a.pixels for label, a in prediction.areas.items() if a.pixels}
            yield Outcome(picture.name, picture.source, size=(height, width), areas=areas)

    def _read(self, source: str) -> Image:
        if not is_url(source):
            return self._predictor.read(source)
        storage, path = open_storage(source)
        try:
            content: bytes = storage.cat_file(path)
        except Exception as error:  # every kind of storage has errors of its own
            msg = f"{source}: cannot be fetched ({describe_failure(error)})"
            raise DataError(msg) from error
        # A path would lose a slash of the URL.
        place = Path(path)
        try:
            channels = self._predictor.spec.normalization.channels
            return decode_image(content, parse_header(content, place), place, channels)
        except DataError as error:
            raise DataError(str(error).replace(str(place), source)) from error
