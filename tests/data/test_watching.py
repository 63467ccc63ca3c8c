"""Reading processes that are slow are named; those that hang are named and ended."""

import multiprocessing
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from segnext.data.loader import SampleStream, build_train_loader, deliver
from segnext.data.transforms import Augmentation, TrainTransform
from segnext.data.watching import Patience, WatchedSamples, WorkerDiedError
from segnext.spec import IMAGENET_NORMALIZATION

STEPS = 4


class SlowImages:
    """Pictures of which the first of step 2 takes its time, once, unless it is read here."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self.folder = folder
        self.seconds = seconds

    def __len__(self) -> int:
        return 8

    def path(self, index: int) -> Path:
        return Path(f"roads/{index}.jpg")

    def __getitem__(self, index: int) -> Mapping[str, Any]:
        once = self.folder / "read"
        if index == slow_picture(self) and multiprocessing.parent_process() and not once.exists():
            once.touch()
            time.sleep(self.seconds)
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
    images: SlowImages, said: list[str], patience: Patience | None, start_step: int = 0
) -> list[torch.Tensor]:
    """Read to the end, with a worker if there is patience; what came before an error is kept."""
    loader = build_train_loader(
        build_stream(images),
        batch_size=2,
        start_step=start_step,
        num_workers=0 if patience is None else 1,
        patience=patience,
    )
    batches = []
    try:
        for images_, _, _ in deliver(loader, said.append):
            batches.append(images_.clone())
    except WorkerDiedError as error:
        said.append(str(error))
    return batches


def test_a_slow_worker_is_named_and_waited_for(tmp_path: Path) -> None:
    images, said = SlowImages(tmp_path, 1.0), list[str]()
    slow = read(images, said, Patience(slow=0.2, hung=60))
    straight = read(images, [], None)
    assert all(torch.equal(*pair) for pair in zip(slow, straight, strict=True))
    assert 1 <= len(said) <= 3  # after 0.2 s, and each time twice as late
    assert re.fullmatch(
        rf"no batch for 0\.\d+ s: the reading worker with process id \d+ has been at sample 4, "
        rf"roads/{slow_picture(images)}\.jpg, for [01]\.\d+ s; the storage or the network may be "
        rf"slow",
        said[0],
    )


@pytest.mark.skipif(sys.platform == "win32", reason="kills are for POSIX here")
def test_a_hung_worker_is_named_and_killed_and_no_sample_lost(tmp_path: Path) -> None:
    images, said = SlowImages(tmp_path, 600.0), list[str]()
    before = set(multiprocessing.active_children())
    patience = Patience(slow=60, hung=0.5)
    batches = read(images, said, patience)
    assert len(batches) == 2
    assert len(said) == 1
    assert re.search(
        rf"at sample 4, roads/{slow_picture(images)}\.jpg, for \S+ s, which counts as hung "
        r"\(worker_hung\): killed$",
        said[0],
    )
    assert set(multiprocessing.active_children()) <= before
    batches += read(images, said, patience, start_step=2)
    straight = read(images, [], None)
    assert all(torch.equal(*pair) for pair in zip(batches, straight, strict=True))


def test_who_reads_is_known_only_while_it_reads(tmp_path: Path) -> None:
    watched = WatchedSamples(build_stream(SlowImages(tmp_path, 0.0)), 1, Patience())
    assert len(watched) == 2 * STEPS
    assert watched.readers() == []
    assert watched.processes() == set()
    watched._table[0] = torch.tensor([77.0, 3.0, time.monotonic() - 5])
    (reader,) = watched.readers()
    assert (reader.process, reader.sample) == (77, 3)
    assert reader.seconds == pytest.approx(5, abs=1)
    assert watched.processes() == {77}


@pytest.mark.parametrize(
    ("patience", "seconds"), [(Patience(), 5), (Patience(slow=2), 2), (Patience(hung=0.5), 0.5)]
)
def test_looks_are_as_often_as_needed(patience: Patience, seconds: float) -> None:
    assert patience.look_every == seconds
