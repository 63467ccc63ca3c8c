"""What is run: a model at a size in a backend, and all that decides its figures.

A case is plain data, so that the process that measures memory can be given it.

Shapes: B batch, C channels, H and W height and width of the image.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional

from segnext.benchmark.costs import Costs, count_costs
from segnext.errors import UsageError, describe_unknown
from segnext.inference.backends import AUTO, FILES, Runner, is_exported
from segnext.inference.backends.torch_eager import PRECISIONS
from segnext.inference.description import Output
from segnext.models import MIN_SIZE, SegmentationModel, config_from_dict, create_model, list_models
from segnext.models.baselines import find_parts
from segnext.weights import find_weights, list_weights, load_model, read_spec

ALL = "all"
OUTPUTS: tuple[str, ...] = get_args(Output)
SEED = 0

Kind = Literal["model", "weights", "exported"]


Opener = Callable[..., Runner]


@dataclass(frozen=True)
class Subject:
    """A model to run.

    Attributes:
        label: For tables.
        source: Name of a model, published name or path of weights, or path of an exported file.
        kind: Which of these; weights are `weights` by name and by path.
        num_classes: K of a named model; others know their own.
    """

    label: str
    source: str
    kind: Kind
    num_classes: int

    def build(self) -> SegmentationModel | str:
        """Return the model in evaluation mode, or the path of an exported file.

        A named model gets weights from a fixed seed, on the default device.

        Raises:
            WeightsError: The weights cannot be read.
        """
        if self.kind == "exported":
            return self.source
        if self.kind == "weights":
            return load_model(self.source)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            return create_model(self.source, num_classes=self.num_classes).eval()

    def count(self, size: tuple[int, int]) -> Costs | None:
        """Count the model's costs at a size; an exported file cannot be counted.

        Raises:
            WeightsError: The weights cannot be read.
        """
        with torch.device("meta" if self.kind == "model" else "cpu"):
            model = self.build()
        if isinstance(model, str):
            return None
        return count_costs(model, size, in_channels=model.config.in_channels)


def find_subjects(sources: Sequence[str], num_classes: int) -> list[Subject]:
    """Tell what each source is.

    Args:
        sources: Names of models, weights (a file, a published name or a URL), exported files.
        num_classes: K for names of models.

    Raises:
        UsageError: A name that is neither a model nor weights, or an exported file that is not
            there.
        WeightsError: There are no such weights, or their file cannot be read.
    """
    names = [Path(source).name if Path(source).suffix else source for source in sources]
    return [
        _find_subject(source, name if names.count(name) == 1 else source, num_classes)
        for source, name in zip(sources, names, strict=True)
    ]


def _find_subject(source: str, label: str, num_classes: int) -> Subject:
    path = Path(source)
    plain = not path.suffix and source == path.name and source not in list_weights()
    if source in list_models() or (plain and find_parts(source) is not None):
        return Subject(label, source, "model", num_classes)
    if is_exported(source):
        if not path.is_file():
            msg = f"{source}: no such file"
            raise UsageError(msg)
        return Subject(label, source, "exported", num_classes)
    if plain:
        raise UsageError(describe_unknown("model", source, [*list_models(), *list_weights()]))
    config = config_from_dict(read_spec(find_weights(source)).config)
    return Subject(label, source, "weights", config.num_classes)


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row of a benchmark, before it is run.

    Attributes:
        subject: The model.
        backend: A name of `segnext.inference.backends.BACKENDS`, or `auto`.
        size: Height and width of the images [px].
        batch: B.
        precision: `float32`, `bfloat16` or `float16`.
        output: Labels at the images' size, or logits at stride 8.
        device: Where to run; the backend's choice if not given.
        threads: On the CPU; the backend's choice if not given.
    """

    subject: Subject
    backend: str
    size: tuple[int, int]
    batch: int = 1
    precision: str = "float32"
    output: Output = "labels"
    device: str | None = None
    threads: int | None = None

    def open(self, opener: Opener) -> Runner:
        """Build the model and hand it to its backend.

        Args:
            opener: `segnext.inference.backends.open_runner`.

        Raises:
            Exception: Whatever reading the weights or the backend raises.
        """
        return opener(
            self.subject.build(),
            backend=self.backend,
            device=self.device,
            threads=self.threads,
            precision=self.precision,
        )

    def draw_images(self, channels: int, *, pixels: bool) -> Tensor:
        """Draw images (B, C, H, W), the same at every call.

        Smooth in the large, as photographs are: labels of pure noise would change at every pixel.

        Args:
            channels: C.
            pixels: Stored uint8 values instead of normalised float32.
        """
        height, width = self.size
        generator = torch.Generator().manual_seed(SEED)
        coarse = torch.randn(
            self.batch, channels, -(-height // 32), -(-width // 32), generator=generator
        )
        images = functional.interpolate(coarse, size=self.size, mode="bicubic")
        return (images * 50 + 128).clamp(0, 255).byte() if pixels else images


def list_cases(
    subjects: Sequence[Subject],
    sizes: Sequence[tuple[int, int]],
    backends: Sequence[str],
    precisions: Sequence[str],
    **options: Any,
) -> list[Case]:
    """Return every combination, backends varying fastest, then precisions, sizes and models.

    An exported file has one backend, whatever is asked for.

    Args:
        subjects: Models.
        sizes: Heights and widths [px].
        backends: Names.
        precisions: Names.
        **options: What else a `Case` takes, the same for all.
    """
    return [
        Case(subject=subject, size=size, precision=precision, backend=backend, **options)
        for subject in subjects
        for size in sizes
        for precision in precisions
        for backend in _backends_of(subject, backends)
    ]


def _backends_of(subject: Subject, backends: Sequence[str]) -> Iterator[str]:
    if subject.kind == "exported":
        yield FILES[Path(subject.source).suffix.lower()]
    else:
        yield from backends


def choose_backends(names: Sequence[str], known: Mapping[str, Any]) -> list[str]:
    """Check names of backends; `all` stands for every one.

    Args:
        names: As given.
        known: `segnext.inference.backends.BACKENDS`.

    Raises:
        UsageError: A name is unknown.
    """
    if ALL in names:
        return list(known)
    for name in names:
        if name != AUTO and name not in known:
            raise UsageError(describe_unknown("backend", name, [*known, ALL, AUTO]))
    return list(dict.fromkeys(names))


def check_options(
    sizes: Sequence[tuple[int, int]], precisions: Sequence[str], output: str, batch: int
) -> None:
    """Refuse options that no backend could obey.

    Raises:
        UsageError: With the value and what it may be.
    """
    for height, width in sizes:
        if min(height, width) < MIN_SIZE:
            msg = f"size {height}x{width}: at least {MIN_SIZE}x{MIN_SIZE} px"
            raise UsageError(msg)
    for precision in precisions:
        if precision not in PRECISIONS:
            raise UsageError(describe_unknown("precision", precision, PRECISIONS))
    if output not in OUTPUTS:
        raise UsageError(describe_unknown("output", output, OUTPUTS))
    if batch < 1:
        msg = f"batch must be at least 1, got {batch}"
        raise UsageError(msg)
