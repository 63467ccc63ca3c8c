"""Reading processes that are slow are named; those that hang are named and ended."""

import multiprocessing
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from segnext.data.loader import Sample, SampleStream, build_train_loader, deliver
from segnext.data.transforms import Augmentation, TrainTransform
from segnext.data.watching import Patience, Reader, Watch, WatchedSamples, WorkerDiedError
from segnext.spec import IMAGENET_NORMALIZATION

STEPS = 4


class SlowImages:
    """Pictures of which one makes a worker wait for a file, the first time that it is read."""

    def __init__(self, folder: Path) -> None:
        self.begun, self.go_on = folder / "begun", folder / "go on"

    def __len__(self) -> int:
        return 8

    def path(self, index: int) -> Path:
        return Path(f"roads/{index}.jpg")

    def __getitem__(self, index: int) -> Mapping[str, Any]:
        if index == slow_picture(self) and multiprocessing.parent_process():
            first = not self.begun.exists()
            self.begun.touch()
            while first and not self.go_on.exists():
                time.sleep(0.01)
        rng = np.random.default_rng(index)
        return {
            "image": rng.integers(0, 256, (40, 40, 3), dtype=np.uint8),
            "mask": rng.integers(0, 3, (40, 40), dtype=np.uint8),
        }


def slow_picture(images: SlowImages) -> int:
    return build_stream(images).index_of(4)


def build_stream(images: SlowImages) -> SampleStream:
    transform = TrainTransform(Augmentation((32, 32)), IMAGENET_NORMALIZATION)
    return SampleStream(images, transform, seed=0, length=2 * STEPS)


def read(
    images: SlowImages,
    patience: Patience | None = None,
    tell: Callable[[str], None] = lambda _: None,
    start_step: int = 0,
) -> Iterator[torch.Tensor]:
    loader = build_train_loader(
        build_stream(images),
        batch_size=2,
        start_step=start_step,
        num_workers=0 if patience is None else 1,
        patience=patience,
    )
    for pictures, *_ in deliver(loader, tell):
        yield pictures.clone()


def test_a_slow_worker_is_named_and_waited_for(tmp_path: Path) -> None:
    images, said = SlowImages(tmp_path), list[str]()

    def hear(text: str) -> None:
        said.append(text)
        if "at sample 4, " in text:
            images.go_on.touch()

    slow = [*read(images, Patience(slow=0.05, hung=600), hear)]
    assert all(torch.equal(*pair) for pair in zip(slow, read(images), strict=True))
    (line,) = [text for text in said if "at sample 4, " in text]
    assert re.fullmatch(
        rf"no batch for \S+ s: the reading worker with process id \d+ has been at sample 4, "
        rf"roads/{slow_picture(images)}\.jpg, for \S+ s; the storage or the network may be slow",
        line,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="kills are for POSIX here")
def test_a_hung_worker_is_named_and_killed_and_no_sample_lost(tmp_path: Path) -> None:
    images, said, batches = SlowImages(tmp_path), list[str](), list[torch.Tensor]()
    before = {child.pid for child in multiprocessing.active_children()}
    # On a busy machine any batch may take that long; then, too, reading goes on where it was.
    while len(batches) < STEPS:
        try:
            for batch in read(images, Patience(hung=1), start_step=len(batches)):
                batches.append(batch)
        except WorkerDiedError as error:
            said.append(str(error))
    assert {child.pid for child in multiprocessing.active_children()} <= before
    assert all(torch.equal(*pair) for pair in zip(batches, read(images), strict=True))
    line, *_ = [text for text in said if "at sample 4, " in text]
    assert re.search(
        rf"roads/{slow_picture(images)}\.jpg, for \S+ s, which counts as hung \(worker_hung\): "
        r"killed$",
        line,
    )


def test_lines_come_ever_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, said = [100], list[str]()
    monkeypatch.setattr("segnext.data.watching.time.monotonic", lambda: clock[0])
    watched = WatchedSamples(build_stream(SlowImages(tmp_path)), 1, Patience(slow=30, hung=300))
    watch = Watch(watched, said.append)
    while clock[0] < 400:
        watch.look()
        clock[0] += 5
    assert [text.split(",")[0] for text in said] == [
        f"no batch for {seconds} s" for seconds in (30, 60, 120, 240)
    ]
    with pytest.raises(WorkerDiedError, match=r"^no batch for 300 s, and no reading worker is at"):
        watch.look()
    watch.start()
    watch.look()
    assert len(said) == 4


def test_who_reads_is_known_only_while_it_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [50.0]
    monkeypatch.setattr("segnext.data.watching.time.monotonic", lambda: clock[0])
    about = SimpleNamespace(id=1)
    monkeypatch.setattr("segnext.data.watching.get_worker_info", lambda: about)
    seen: list[list[Reader]] = []

    class Samples(SampleStream):
        def __getitem__(self, number: int) -> Sample:
            clock[0] += 5
            seen.append(watched.readers())
            return super().__getitem__(number)

    stream = build_stream(SlowImages(tmp_path))
    stream.__class__ = Samples
    watched = WatchedSamples(stream, 2, Patience())
    assert len(watched) == 2 * STEPS
    assert (watched.readers(), watched.processes()) == ([], set())
    watched[3]
    assert seen == [[Reader(os.getpid(), 3, 5.0)]]
    assert (watched.readers(), watched.processes()) == ([], {os.getpid()})


@pytest.mark.parametrize(
    ("patience", "seconds"), [(Patience(), 5), (Patience(slow=2), 2), (Patience(hung=0.5), 0.5)]
)
def test_looks_are_as_often_as_needed(patience: Patience, seconds: float) -> None:
    assert patience.look_every == seconds
