"""A model, or two, on a labelled split to figures and a folder that shows them.

A report's folder:
    index.html                the page, complete in itself
    report.json               every figure; report.schema.json says what is what
    classes.csv, sizes.csv, confusion.csv, pictures.csv, suspects.csv, reliability.csv, coverage.csv
    datapackage.json          says what their columns are
    plots/*.svg               what the page shows

A comparison's has index.html, comparison.json with its schema, classes.csv and pictures.csv with
theirs.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from segnext.benchmark.memory import peak_resident_bytes
from segnext.data import Folder, open_folder
from segnext.data.reading import read_ahead
from segnext.errors import UsageError
from segnext.evaluation.evaluation import check_same_classes, open_split
from segnext.inference import Source, named_protocol, open_networks
from segnext.inference.protocols import find_dataset
from segnext.protocol import Protocol
from segnext.report.duel import compare_tallies, most_changed
from segnext.report.duel_page import MOST_CHANGED, build_duel_page
from segnext.report.figures import Duel, Report, schema_of, to_json
from segnext.report.markup import MARK
from segnext.report.observing import Images, Subject, names_and_groups, observe
from segnext.report.page import build_page
from segnext.report.plots import draw_plots
from segnext.report.shown import draw_report_strips
from segnext.report.starts import check_starts, measure_starts
from segnext.report.strips import Strip, draw_change, unpack_mask
from segnext.report.summary import Setting, cost_of, summarize
from segnext.report.tables import write_duel_tables, write_report_tables
from segnext.report.tally import ScoreTally, Tally
from segnext.storage import write_atomically
from segnext.weights import spec_of

PAGE = "index.html"
# What only some reports have, or only comparisons: must not stay beside a page that is newer.
_NOT_ALWAYS = (
    "report.json",
    "report.schema.json",
    "sizes.csv",
    "confusion.csv",
    "suspects.csv",
    "reliability.csv",
    "coverage.csv",
    "plots/pictures.svg",
    "plots/reliability.svg",
    "plots/coverage.svg",
    "comparison.json",
    "comparison.schema.json",
)

Model = Source | Sequence[Source]
OnImage = Callable[[int, int], None]


def make_report(
    model: Model,
    data: str | Path | Folder,
    out: str | Path | None = None,
    *,
    name: str | None = None,
    split: str = "val",
    protocol: Protocol | str | None = None,
    dataset: str | None = None,
    device: str | None = None,
    backend: str | None = None,
    stitch: bool = False,
    seeds: int | None = None,
    on_image: OnImage = lambda _done, _total: None,
) -> Report:
    """Score a model on a split, and find out what the score is made of.

    Args:
        model: As in `segnext.evaluate`.
        data: Folder or data.yaml, or for other options what `open_folder` returned.
        out: Folder for a page and its figures, over an older report; nothing is written if not
            given.
        name: What to call the model; where it was opened from if not given.
        split: Which split.
        protocol: As in `segnext.evaluate`.
        dataset: As in `segnext.evaluate`.
        device: As in `segnext.evaluate`.
        backend: As in `segnext.evaluate`.
        stitch: As in `segnext.evaluate`.
        seeds: Also score with this many other starts of the decomposition.
        on_image: Called with pictures done and in all, and once more so for `seeds`.

    Raises:
        DataError: The folder cannot be read, or has other classes than the model.
        WeightsError: The weights cannot be loaded.
        UsageError: A value is out of range, or `out` holds another page.
    """
    out = None if out is None else check_out(Path(out))
    folder = data if isinstance(data, Folder) else open_folder(data)
    subject, found = _open(model, folder, name, protocol, dataset, device, backend)
    if seeds is not None:
        check_starts(subject, seeds)
    images = open_split(subject.spec, folder, split, stitch=stitch)
    setting = _set(folder, split, found, images)
    start, classes = time.perf_counter(), subject.spec.classes
    tally = Tally(classes)
    for seen in observe([subject], images, on_image):
        tally.update(seen.picture, seen.truth, seen.seen[0])
    seconds = time.perf_counter() - start
    report = summarize(subject, setting, tally, cost_of(subject, tally, seconds, _peaks(subject)))
    if seeds is not None:
        assert report.miou is not None
        starts = measure_starts(subject, images, seeds=seeds, fixed=report.miou, on_image=on_image)
        report = replace(report, starts=starts)
    if out is None:
        return report
    plots = draw_plots(report)
    strips = draw_report_strips(report, images, tally.scores.packed, classes)
    files = {
        "report.json": to_json(report),
        "report.schema.json": schema_of(Report),
        **write_report_tables(report),
        **{f"plots/{key}.svg": svg.encode() for key, svg in plots.items()},
    }
    _write(out, files, build_page(report, classes, strips, plots))
    return report


def compare_models(
    first: Model,
    second: Model,
    data: str | Path | Folder,
    out: str | Path | None = None,
    *,
    names: tuple[str | None, str | None] = (None, None),
    split: str = "val",
    protocol: Protocol | str | None = None,
    dataset: str | None = None,
    device: str | None = None,
    backend: str | None = None,
    stitch: bool = False,
    on_image: OnImage = lambda _done, _total: None,
) -> Duel:
    """Score two models on the same pictures and tell whether their difference may be chance.

    Args:
        first: As in `segnext.evaluate`.
        second: The same.
        data: Folder or data.yaml, or for other options what `open_folder` returned.
        out: Folder for a page and its figures; nothing is written if not given.
        names: What to call the models; where they were opened from if not given.
        split: Which split.
        protocol: For both; each one's own if not given.
        dataset: As in `segnext.evaluate`.
        device: As in `segnext.evaluate`.
        backend: As in `segnext.evaluate`.
        stitch: As in `segnext.evaluate`.
        on_image: Called with pictures done and in all.

    Raises:
        DataError: The folder cannot be read, or has other classes than a model.
        WeightsError: Weights cannot be loaded.
        UsageError: A value is out of range, or `out` holds another page.
    """
    out = None if out is None else check_out(Path(out))
    folder = data if isinstance(data, Folder) else open_folder(data)
    one, found = _open(first, folder, names[0], protocol, dataset, device, backend)
    other, _ = _open(second, folder, names[1], protocol, dataset, device, backend)
    check_same_classes(other.spec.classes, folder)
    images = open_split(one.spec, folder, split, stitch=stitch)
    classes = one.spec.classes
    tallies = ScoreTally(classes), ScoreTally(classes)
    for observation in observe([one, other], images, on_image, confidence=False):
        for tally, seen in zip(tallies, observation.seen, strict=True):
            tally.update(observation.truth, seen.mask)
    duel = compare_tallies(one, other, _set(folder, split, found, images), tallies)
    if out is not None:
        files = {
            "comparison.json": to_json(duel),
            "comparison.schema.json": schema_of(Duel),
            **write_duel_tables(duel),
        }
        worse, better = most_changed(duel, MOST_CHANGED)
        strips: dict[int, Strip] = {}
        for number, reading in read_ahead(images.__getitem__, sorted({*worse, *better})):
            item = reading.result()
            before, after = (unpack_mask(tally.packed[number]) for tally in tallies)
            strips[number] = draw_change(item["image"], item["mask"], before, after, classes)
        _write(out, files, build_duel_page(duel, classes, strips))
    return duel


def check_out(out: Path) -> Path:
    """Refuse a folder whose page is somebody else's, before hours of work for it.

    Raises:
        UsageError: `out` is a file, or holds such a page.
    """
    page = out / PAGE
    if out.exists() and not out.is_dir():
        msg = f"{out}: a file, and a report is a folder; give another name"
        raise UsageError(msg)
    if page.exists() and MARK.encode() not in page.read_bytes()[:1000]:
        msg = f"{page} was not written by segnext evaluate and is left alone; give another folder"
        raise UsageError(msg)
    return out


def _open(
    model: Model,
    folder: Folder,
    name: str | None,
    protocol: Protocol | str | None,
    dataset: str | None,
    device: str | None,
    backend: str | None,
) -> tuple[Subject, str | None]:
    networks = open_networks(model, backend=backend, device=device)
    spec = spec_of(networks[0])
    found = find_dataset(spec.classes, folder.format, dataset)
    if isinstance(protocol, str):
        protocol = named_protocol(protocol, found, spec.protocol)
    called = str(model) if isinstance(model, str | Path) else spec.model
    return Subject.of(name or called, networks, protocol), found


def _set(folder: Folder, split: str, dataset: str | None, images: Images) -> Setting:
    names, groups = names_and_groups(images)
    return Setting(str(folder.root), split, dataset, names, groups)


def _peaks(subject: Subject) -> tuple[float, float | None]:
    """Return the most memory held so far by the process and on its CUDA device, in MB."""
    device = subject.networks[0].device
    held = torch.cuda.max_memory_allocated(device) / 1e6 if device.type == "cuda" else None
    return peak_resident_bytes() / 1e6, held


def _write(out: Path, files: Mapping[str, bytes], page: str) -> None:
    ours = (out / PAGE).exists()  # and so are all of these; see `check_out`
    for name, content in files.items():
        write_atomically(out / name, content)
    for name in _NOT_ALWAYS:
        if ours and name not in files:
            (out / name).unlink(missing_ok=True)
    # The page comes last: where it is, everything is.
    write_atomically(out / PAGE, page.encode())
