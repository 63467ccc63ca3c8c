"""Weights to a file for another runtime: written, read back, compared, and only then kept."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from segnext.data import Folder, open_folder, read_image
from segnext.data.images import Image
from segnext.data.statistics import spread_sample
from segnext.deploy.bundle import check_bundle, fill_bundle
from segnext.deploy.formats import Format, Job, check_format, find_format
from segnext.deploy.pictures import draw_pictures, fill_batches, read_pictures, record_inputs
from segnext.deploy.report import ExportReport, FileScore
from segnext.deploy.verify import check_parity, compare, measure_latency
from segnext.errors import SegnextError, UsageError
from segnext.evaluation import evaluate
from segnext.inference import Runner, open_runner
from segnext.inference.description import GraphDescription, Output
from segnext.models import SegmentationModel
from segnext.storage import replace_atomically
from segnext.weights import load_models, spec_of

CALIBRATION_PICTURES = 64
VERIFIED_PICTURES = 4


def export(
    model: SegmentationModel | str | Path,
    out: str | Path,
    *,
    data: str | Path | Folder | None = None,
    split: str = "val",
    ignore_index: Sequence[int] = (),
    data_format: str | None = None,
    int8: bool = False,
    int8_all: bool = False,
    calibrate: str | Path | None = None,
    calibration_pictures: int = CALIBRATION_PICTURES,
    fp16: bool = False,
    output: Output = "logits",
    size: tuple[int, int] | None = None,
    batch: int | None = None,
    pixels: bool = False,
    bundle: str | Path | None = None,
    on_step: Callable[[str], None] = lambda _: None,
) -> ExportReport:
    """Write a model as a file for another runtime, and prove that it is the same model.

    The file is loaded back and compared with PyTorch on pictures of `data` or `calibrate`, else on
    synthetic scenes. If anything fails, nothing is written and an older file stands. Beside the
    file comes what was found, as `OUT.report.json`.

    Args:
        model: A model with a spec, or weights as `load_model` takes them.
        out: Ends in .onnx, .xml (OpenVINO, with a .bin beside it), .pt2 (AOTInductor) or .pte
            (ExecuTorch, with a .pte.json beside it).
        data: A labelled data set on which the mIoU is measured before and after.
        split: Of `data`.
        ignore_index: Mask values of `data` that count for nothing, besides 255.
        data_format: Of `data`; found out if not given.
        int8: Quantize weights and activations, but for the decomposition and normalisations.
        int8_all: Quantize these, too, where the tool can.
        calibrate: For int8: a folder of pictures, or a data set whose train split is taken; the
            train split of `data` if not given.
        calibration_pictures: How many at most.
        fp16: Weights in float16; in ONNX the activations, too.
        output: `logits` at the network's stride, or `labels` of every pixel.
        size: Height and width of every input; open if not given.
        batch: Pictures at once; 1 with a size, else open.
        pixels: Take stored pixels (B, H, W, C) uint8 and normalise them inside.
        bundle: Folder for a copy with examples that need no segnext; for .onnx.
        on_step: Called with what is done now.

    Raises:
        UsageError: The options contradict each other, or a tool is not installed.
        WeightsError: The weights cannot be loaded.
        DataError: The data cannot be read.
        SegnextError: A tool failed, or the file is not the same model.
    """
    out = Path(out)
    format_ = find_format(out)
    precision = _choose_precision(int8=int8 or int8_all, fp16=fp16)
    check_format(format_, out, precision, output=output, size=size, batch=batch)
    # Whatever can be refused is, before anything takes time.
    if precision == "int8" and calibrate is None and data is None:
        msg = (
            "int8 needs pictures to find the range of its numbers: give --calibrate DIR, a folder "
            "of pictures or a data set, or --data DIR"
        )
        raise UsageError(msg)
    source = _load(model)
    spec = spec_of(source)
    fixed = 1 if size is not None and batch is None else batch
    multiple = 1 if size is not None else format_.multiple
    description = GraphDescription(spec, output, pixels, size, fixed, multiple, precision)
    place = None if bundle is None else Path(bundle)
    if place is not None:
        check_bundle(place, out.suffix.lower(), description)
    if isinstance(data, str | Path):
        data = open_folder(data, ignore_index=ignore_index, format=data_format)
    pictures = _find_pictures(
        description,
        data,
        split,
        None if calibrate is None else Path(calibrate),
        ignore_index,
        calibration_pictures,
    )
    inputs = record_inputs(pictures, spec, description)
    samples = fill_batches(inputs, description) if precision == "int8" else []
    work = _Work(out, format_, Job(source, description, samples, int8_all), inputs, place, on_step)
    return work.do(data, split)


@dataclass(frozen=True)
class _Work:
    """An export that nothing is left to be asked about.

    Attributes:
        out: The file.
        format: Of it.
        job: What is written.
        inputs: To verify with.
        bundle: Folder, or `None`.
        on_step: Called with what is done now.
    """

    out: Path
    format: Format
    job: Job
    inputs: Sequence[Tensor]
    bundle: Path | None
    on_step: Callable[[str], None]

    def do(self, folder: Folder | None, split: str) -> ExportReport:
        """Write, verify, score and publish."""
        with _stage(self.out) as stage:
            staged = stage / self.out.name
            self.on_step(f"writing {self.format.name}")
            self.format.write(self.job, staged)
            report = self._verify(staged, folder, split)
            told = stage / f"{self.out.name}.report.json"
            told.write_text(json.dumps(report.to_dict(), indent=1) + "\n", encoding="utf-8")
            self._publish(stage, [told.name, *report.sizes])
        return report

    def _verify(self, staged: Path, folder: Folder | None, split: str) -> ExportReport:
        model, description = self.job.model, self.job.description
        normalization = description.spec.normalization
        file = open_runner(staged, device="cpu", threads=torch.get_num_threads())
        eager = open_runner(model, backend="eager", device="cpu")
        self.on_step("comparing with the model")
        chosen = [
            self.inputs[index] for index in spread_sample(len(self.inputs), VERIFIED_PICTURES)
        ]
        parity = compare(eager, file, chosen, normalization)
        check_parity(parity, description.precision, self.out)
        if self.bundle is not None:
            picture = record_inputs(draw_pictures(file.channels, 1), description.spec, description)
            fill_bundle(staged.parent / "bundle", staged, file, picture[0])
        score = None
        if folder is not None:
            self.on_step(f"scoring {split} before and after")
            score = _score(eager, file, folder, split)
        self.on_step("timing")
        return ExportReport(
            path=self.out,
            format=self.format.name,
            description=description,
            sizes={path.name: path.stat().st_size for path in self.format.files(staged)},
            model_bytes=sum(p.numel() * p.element_size() for p in model.parameters()),
            parity=parity,
            latency=measure_latency(eager, file, chosen[0], normalization),
            score=score,
            calibration_pictures=len(self.job.samples),
            bundle=self.bundle,
        )

    def _publish(self, stage: Path, names: Sequence[str]) -> None:
        """Move what was staged into place, all of it or nothing."""
        with ExitStack() as moves:
            for name in names:
                temporary = moves.enter_context(replace_atomically(self.out.with_name(name)))
                (stage / name).replace(temporary)
            if self.bundle is not None:
                _place_folder(stage / "bundle", self.bundle)


@contextmanager
def _stage(out: Path) -> Iterator[Path]:
    """Make a folder beside a file, where its parts are written and tried; it goes afterwards."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    except OSError as error:
        msg = f"{out}: cannot be written ({error.strerror or error})"
        raise SegnextError(msg) from error
    try:
        yield stage
    finally:
        # A runtime may still have a file open, which some systems do not let go.
        shutil.rmtree(stage, ignore_errors=True)


def _place_folder(staged: Path, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.exists():
        folder.rmdir()  # empty, or it would have been refused
    shutil.move(staged, folder)


def _choose_precision(*, int8: bool, fp16: bool) -> str:
    if int8 and fp16:
        msg = "--int8 and --fp16 exclude each other: a file has one precision"
        raise UsageError(msg)
    if int8:
        return "int8"
    return "float16" if fp16 else "float32"


def _load(model: SegmentationModel | str | Path) -> SegmentationModel:
    """Return a model of our own, on the CPU, in evaluation mode and float32."""
    models = load_models(model)
    if len(models) > 1:
        msg = f"{model}: an ensemble of {len(models)} models is as many files; export its folds"
        raise UsageError(msg)
    return deepcopy(models[0]).cpu().float().eval()


def _find_pictures(
    description: GraphDescription,
    folder: Folder | None,
    split: str,
    calibrate: Path | None,
    ignore_index: Sequence[int],
    count: int,
) -> list[Image]:
    """Return pictures to calibrate and verify with: the user's, or synthetic ones."""
    channels = description.spec.normalization.channels
    if count < 1:
        msg = f"calibration needs 1 picture or more, got {count}"
        raise UsageError(msg)
    if calibrate is not None:
        return read_pictures(calibrate, channels, count, ignore_index)
    if folder is None:
        return draw_pictures(channels)
    if description.precision == "int8":
        return read_pictures(folder, channels, count)
    images = folder.dataset(split)
    chosen = spread_sample(len(images), VERIFIED_PICTURES)
    return [read_image(images.path(index), channels) for index in chosen]


def _score(eager: Runner, file: Runner, folder: Folder, split: str) -> FileScore:
    before, after = (evaluate(runner, folder, split=split) for runner in (eager, file))
    at_size = None
    if file.size is not None:
        spec = spec_of(file)
        eager.describe_as(GraphDescription(spec, size=file.size))
        at_size = evaluate(eager, folder, split=split).miou
        eager.description = None
    protocol = before.spec.protocol.describe()
    return FileScore(split, before.images, protocol, before.miou, after.miou, at_size)
