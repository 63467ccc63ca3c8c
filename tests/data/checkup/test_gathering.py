import os
from pathlib import Path
from typing import Any

import pytest

from checked_folders import stripes, write_pair
from segnext.data.checkup import gathering
from segnext.data.checkup.gathering import gather
from segnext.data.checkup.readings import Job
from segnext.data.pairing import Item
from segnext.errors import DataError


@pytest.fixture
def jobs(tmp_path: Path) -> list[Job]:
    made = []
    for index in range(20):
        picture, mask = write_pair(tmp_path, "train", str(index), stripes([0, index]))
        made.append(Job("train", Item(str(index), picture, mask, str(index))))
    made[7].item.image_path.write_bytes(b"broken")
    return made


def test_processes_and_threads_read_the_same_in_order(jobs: list[Job]) -> None:
    calls: list[tuple[int, int]] = []
    here = gather(jobs, None, workers=0)
    there = gather(jobs, None, workers=2, on_done=lambda *call: calls.append(call))
    assert [reading.item.name for reading in there] == [str(index) for index in range(20)]
    assert calls == [(done, 20) for done in range(21)]
    for one, other in zip(here, there, strict=True):
        assert one.picture == other.picture
        assert one.picture_fault == other.picture_fault
        if one.mask is not None and other.mask is not None:
            assert one.mask.digest == other.mask.digest
    assert [reading.item.name for reading in there if reading.picture_fault] == ["7"]


def test_a_process_that_is_ended_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "_read_with_shared", os._exit)
    jobs: Any = [1]
    with pytest.raises(DataError, match=r"one of 1 processes .* ended .* fewer with --workers"):
        gather(jobs, None, workers=1)
