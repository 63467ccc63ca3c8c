import zipfile
from pathlib import Path

import pytest

from coco_files import annotation, box, content, save_coco
from pictures import save_splits
from segnext.data.folder import open_folder
from segnext.data.wrapping import unwrap


def pack(folder: Path, archive: Path, top: str) -> Path:
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(folder.rglob("*.*")):
            file.write(path, f"{top}/{path.relative_to(folder).as_posix()}")
    return archive


@pytest.mark.parametrize("top", ["roads", "downloads/roads"])
def test_wrappings_are_taken_off(tmp_path: Path, top: str) -> None:
    save_splits(tmp_path / "roads", train=2, val=1)
    archive = pack(tmp_path / "roads", tmp_path / "a.zip", top)
    assert unwrap(archive) == archive / top
    assert unwrap(archive / top) == archive / top


def test_what_is_no_wrapping_stays(tmp_path: Path) -> None:
    save_splits(tmp_path / "roads", train=2)
    assert unwrap(tmp_path) == tmp_path
    assert unwrap(tmp_path / "missing") == tmp_path / "missing"
    train = pack(tmp_path / "roads/train", tmp_path / "train.zip", "train")
    assert unwrap(train) == train
    save_coco(
        tmp_path / "coco/train/_annotations.coco.json",
        content(["a.jpg"], [annotation(1, 7, [box(2, 3, 6, 5)])]),
        [tmp_path / "coco/train/a.jpg"],
    )
    assert unwrap(pack(tmp_path / "coco", tmp_path / "b.zip", ".")) == tmp_path / "b.zip"


@pytest.mark.parametrize("content", ["format: folder", "train: train/images\nval: val/images"])
def test_a_data_yaml_may_name_a_wrapped_archive(tmp_path: Path, content: str) -> None:
    save_splits(tmp_path / "roads", train=2, val=1)
    pack(tmp_path / "roads", tmp_path / "roads.zip", "roads")
    path = tmp_path / "data.yaml"
    path.write_text(f"path: roads.zip\n{content}\nnames: [road, sky]\n")
    folder = open_folder(path)
    assert folder.classes.names == ("road", "sky")
    assert {split: len(part) for split, part in folder.splits.items()} == {"train": 2, "val": 1}
