import functools
import os
from pathlib import Path

import fsspec
import numpy as np
import pytest
from PIL import Image

from segnext.data.synthetic import SCENE_CLASSES
from segnext.errors import SegnextError
from segnext.predict import Prediction
from segnext.predict.bulk import storing
from segnext.predict.bulk.storing import LocalStore, RemoteStore, open_store


@pytest.fixture
def prediction() -> Prediction:
    mask = np.arange(48, dtype=np.uint8).reshape(6, 8) % SCENE_CLASSES.num_classes
    confidence = functools.partial(np.full, (6, 8), 0.5, np.float32)
    return Prediction(np.zeros((6, 8, 3), np.uint8), mask, SCENE_CLASSES, confidence)


def test_the_same_files_here_and_in_storage(prediction: Prediction, tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    for place in (str(tmp_path / "out"), "memory://out"):
        open_store(place).save(prediction, "a/b.jpg", {"confidence": True})
    local = {
        path.relative_to(tmp_path).as_posix(): path.read_bytes()
        for path in tmp_path.rglob("*")
        if path.is_file()
    }
    assert set(local) == {
        f"out/{kind}/a/b.jpg.png" for kind in ("masks", "overlays", "confidence")
    }  # fmt: skip
    assert {path.lstrip("/"): memory.cat(path) for path in memory.find("/out")} == local
    memory.rm("/out", recursive=True)
    mask = np.array(Image.open(tmp_path / "out/masks/a/b.jpg.png"))
    assert np.array_equal(mask, prediction.mask)


def test_places() -> None:
    assert isinstance(open_store("file:///data/out"), LocalStore)
    assert open_store("file:///data/out").place == "/data/out"
    assert isinstance(open_store("memory://out"), RemoteStore)


@pytest.mark.skipif(os.name != "posix", reason="folders are synced on POSIX")
def test_folders_with_new_files_are_synced(
    prediction: Prediction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []
    monkeypatch.setattr(storing, "_sync_folder", synced.append)
    store = LocalStore(str(tmp_path))
    store.save(prediction, "a/b.jpg", {})
    store.save(prediction, "c.jpg", {})
    store.sync(["a/b.jpg", "c.jpg"])
    assert set(synced) == {
        tmp_path, tmp_path / "masks", tmp_path / "masks/a", tmp_path / "overlays",
        tmp_path / "overlays/a",
    }  # fmt: skip
    LocalStore(str(tmp_path / "nothing yet")).sync([])


def test_parts_of_a_manifest_are_numbered_on() -> None:
    for content in (b"1\n", b"2\n"):
        store = RemoteStore("memory://parts")
        store.append("shard-0", content)
        store.append("shard-0", content)
    parts = [file.partition("-0.")[2].split("-") for file in store.manifests()]
    assert [number for number, _ in parts] == ["000000", "000001", "000002", "000003"]
    assert len({mark for _, mark in parts}) == 2  # of two processes, of which none replaces files
    lines = [line for file in store.manifests() for line in store.read_lines(file)]
    assert lines == [b"1\n", b"1\n", b"2\n", b"2\n"]
    fsspec.filesystem("memory").rm("/parts", recursive=True)


def test_what_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "manifest").write_text("a file")
    with pytest.raises(SegnextError, match=r"shard-0\.jsonl: cannot be written \(File exists\)"):
        LocalStore(str(tmp_path)).append("shard-0", b"1\n")

    def refuse(*_: object) -> None:
        msg = "access denied"
        raise PermissionError(msg)

    store = RemoteStore("memory://closed")
    monkeypatch.setattr(store._storage, "pipe_file", refuse)
    with pytest.raises(
        SegnextError,
        match=r"memory://closed/manifest/shard-0\.000000-\w+\.jsonl: cannot be written \(",
    ):
        store.append("shard-0", b"1\n")
