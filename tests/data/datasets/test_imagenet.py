import zipfile
from pathlib import Path

import numpy as np
import pytest

from segnext.data.datasets import imagenet
from segnext.data.datasets.imagenet import prepare_imagenet, read_imagenet, read_synsets
from segnext.errors import DataError


def write_photos(root: Path, *wnids: str, val: int = 1) -> Path:
    for wnid in wnids:
        for split, count in (("train", 2), ("val", val)):
            (root / split / wnid).mkdir(parents=True, exist_ok=True)
            for index in range(count):
                (root / split / wnid / f"{wnid}_{index}.JPEG").write_bytes(b"jpeg")
    return root


def test_the_usual_thousand() -> None:
    synsets = read_synsets()
    assert len(synsets) == 1000
    assert list(synsets) == sorted(synsets)
    assert len(set(synsets.values())) == 1000
    order = list(synsets.values())
    assert [order[index] for index in (0, 1, 281, 999)] == [
        *("tench", "goldfish", "tabby", "toilet tissue"),
    ]
    assert [order[index] for index in (134, 517)] == ["crane (bird)", "crane (machine)"]


def test_a_part_keeps_the_order(tmp_path: Path) -> None:
    write_photos(tmp_path, "n02123045", "n01443537")
    (tmp_path / "train/n01443537/readme.txt").touch()
    (tmp_path / "train/.listing").touch()
    found = read_imagenet(tmp_path, partial=True)
    assert found.wnids == ("n01443537", "n02123045")
    assert found.names == ("goldfish", "tabby")
    train = found.splits["train"]
    assert len(train) == 4
    assert train[2] == (tmp_path / "train/n02123045/n02123045_0.JPEG", 1)
    assert train.labels.dtype == np.int16
    assert len(found.splits["val"]) == 2
    listed = prepare_imagenet(tmp_path, tmp_path / "out", partial=True)
    assert listed.read_text() == "n01443537 goldfish\nn02123045 tabby\n"
    (tmp_path / "val/n02123045/n02123045_0.JPEG").unlink()
    with pytest.raises(DataError, match=r"n02123045: holds no photo; unpack the archive"):
        read_imagenet(tmp_path, partial=True)


def test_everything_has_to_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_photos(tmp_path, *read_synsets())
    monkeypatch.setattr(imagenet, "COUNTS", {"train": 2000, "val": 1000})
    found = read_imagenet(tmp_path)
    assert found.wnids == tuple(read_synsets())
    assert found.splits["val"].labels.tolist() == list(range(1000))
    (tmp_path / "train/n01440764/n01440764_0.JPEG").unlink()
    with pytest.raises(DataError, match=r"train: 1,999 photos, but ImageNet-1k has 2,000"):
        read_imagenet(tmp_path)
    (tmp_path / "val/n01443537/n01443537_0.JPEG").unlink()
    (tmp_path / "val/n01443537").rmdir()
    with pytest.raises(DataError, match=r"val: 1 of 1000 .* the first n01443537 \(goldfish\)"):
        read_imagenet(tmp_path)
    assert imagenet.COUNTS["train"] == 2000


def test_half_of_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no folder train with a folder for each class"):
        read_imagenet(tmp_path)
    write_photos(tmp_path, "n01443537")
    with pytest.raises(DataError, match=r"train: 999 of 1000 classes are missing, the first n0144"):
        read_imagenet(tmp_path)
    (tmp_path / "train/n02123045").mkdir()
    with pytest.raises(DataError, match=r"val: 1 of 2 classes are missing, the first n02123045"):
        read_imagenet(tmp_path, partial=True)


def test_strange_folders_are_refused(tmp_path: Path) -> None:
    write_photos(tmp_path, "n01443537", "n99999999")
    with pytest.raises(DataError, match=r"train: no classes of ImageNet-1k: n99999999; move"):
        read_imagenet(tmp_path, partial=True)


def test_a_flat_val_is_told_how_to_sort(tmp_path: Path) -> None:
    write_photos(tmp_path, "n01443537")
    (tmp_path / "val/ILSVRC2012_val_00000001.JPEG").write_bytes(b"jpeg")
    with pytest.raises(DataError, match=r"val: 1 photos lie outside .* list LOC_val_solution\.csv"):
        read_imagenet(tmp_path, partial=True)


def test_read_in_place_from_an_archive(tmp_path: Path) -> None:
    root = write_photos(tmp_path / "raw", "n01443537")
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        for path in root.rglob("*.JPEG"):
            archive.write(path, path.relative_to(root))
    assert len(read_imagenet(tmp_path / "data.zip", partial=True).splits["train"]) == 2


def test_twenty_real_classes(shared: Path) -> None:
    root = shared / "data/tiny_imagenet_20"
    found = read_imagenet(root, partial=True)
    assert len(found.wnids) == 20
    assert [len(found.splits[split]) for split in ("train", "val")] == [10_000, 1000]
    path, label = found.splits["val"][999]
    assert path.is_file()
    assert path.parent.name == found.wnids[label] == found.wnids[-1]
    lines = (root / "classes.tsv").read_text().splitlines()
    for line, name in zip(lines, found.names, strict=True):
        assert name in line
