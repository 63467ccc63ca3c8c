import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy.io import savemat

from pictures import ids, save_picture
from segnext.data.datasets import prepare as prepare_module
from segnext.data.datasets.prepare import prepare
from segnext.data.folder import open_folder
from segnext.errors import DataError, UsageError


def save_ade(root: Path) -> Path:
    for split, folder in (("train", "training"), ("val", "validation")):
        name = f"ADE_{split}_00000001"
        save_picture(root / f"images/{folder}/{name}.jpg")
        save_picture(root / f"annotations/{folder}/{name}.png", ids(0, 1, 150))
    return root


def save_stuff(root: Path, count: int = 3) -> Path:
    """Write a COCO-Stuff 10k, whose masks have to be converted."""
    (root / "annotations").mkdir(parents=True)
    (root / "imageLists").mkdir()
    names = [f"COCO_train2014_{number:012}" for number in range(count)]
    for name in names:
        save_picture(root / f"images/{name}.jpg")
        savemat(root / f"annotations/{name}.mat", {"S": ids(0, 1)})
    (root / "imageLists/train.txt").write_text("\n".join(names[1:]))
    (root / "imageLists/test.txt").write_text(names[0])
    return root


def test_what_needs_no_conversion_gets_a_data_yaml(tmp_path: Path) -> None:
    root, out = save_ade(tmp_path / "ade"), tmp_path / "out"
    path = prepare("ade20k", root, out, partial=True)
    assert path == out / "data.yaml"
    assert yaml.safe_load(path.read_text()) == {"path": str(root), "format": "ade20k"}
    assert list(out.iterdir()) == [path]
    np.testing.assert_array_equal(open_folder(out).dataset("train")[0]["mask"], ids(255, 0, 149))


def test_in_place_the_path_is_relative(tmp_path: Path) -> None:
    path = prepare("ade20k", save_ade(tmp_path), tmp_path, partial=True)
    assert yaml.safe_load(path.read_text()) == {"path": ".", "format": "ade20k"}
    assert len(open_folder(tmp_path).dataset("val")) == 1


def test_half_a_data_set_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    root, out = save_ade(tmp_path / "ade"), tmp_path / "out"
    message = r"ade: train of ADE20K has 20,210 pictures, found 1; .*--partial"
    with pytest.raises(DataError, match=message):
        prepare("ade20k", root, out)
    (root / "images/validation/ADE_val_00000001.jpg").unlink()
    (root / "images/validation").rmdir()
    with pytest.raises(DataError, match=r"found 1"):
        prepare("ade20k", root, out)
    assert not out.exists()


def test_the_official_number_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = prepare_module.DATASETS["ade20k"]
    monkeypatch.setitem(known.counts, "train", (1, 7))  # type: ignore[arg-type]
    monkeypatch.setitem(known.counts, "val", 2)  # type: ignore[arg-type]
    root = save_ade(tmp_path / "ade")
    with pytest.raises(DataError, match=r"val of ADE20K has 2 pictures, found 1"):
        prepare("ade20k", root, tmp_path / "out")
    save_picture(root / "images/validation/ADE_val_00000002.jpg")
    save_picture(root / "annotations/validation/ADE_val_00000002.png", ids(1))
    assert prepare("ade20k", root, tmp_path / "out").is_file()
    monkeypatch.setitem(known.counts, "test", 5)  # type: ignore[arg-type]
    assert prepare("ade20k", root, tmp_path / "out").is_file(), "test need not be there"


def test_a_split_without_its_masks_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = prepare_module.DATASETS["ade20k"]
    for split in ("train", "val"):
        monkeypatch.setitem(known.counts, split, 1)  # type: ignore[arg-type]
    root = save_ade(tmp_path / "ade")
    (root / "annotations/validation/ADE_val_00000001.png").unlink()
    with pytest.raises(
        DataError, match=r"val of ADE20K has no masks for its 1 pictures; .*partial"
    ):
        prepare("ade20k", root, tmp_path / "out")


def test_conversion_is_resumed_and_not_repeated(tmp_path: Path) -> None:
    root, out = save_stuff(tmp_path / "stuff"), tmp_path / "out"
    done = out / "annotations_png/COCO_train2014_000000000001.png"
    save_picture(done, ids(0, 9))
    steps: list[tuple[int, int]] = []
    for _ in range(2):
        prepare(
            "coco_stuff10k", root, out, partial=True, workers=0,
            on_progress=lambda *step: steps.append(step),
        )  # fmt: skip
    assert (steps[0], steps[-1]) == ((1, 3), (3, 3))
    assert steps.count((3, 3)) == 2
    train = open_folder(out).dataset("train")
    np.testing.assert_array_equal(train[0]["mask"], ids(255, 8))
    np.testing.assert_array_equal(train[1]["mask"], ids(255, 0))


def test_data_yaml_comes_last_and_keeps_what_was_added(tmp_path: Path) -> None:
    root, out = save_stuff(tmp_path / "stuff"), tmp_path / "out"
    broken = root / "annotations/COCO_train2014_000000000002.mat"
    whole = broken.read_bytes()
    broken.write_bytes(b"broken")
    with pytest.raises(DataError, match=r"000000000002\.mat"):
        prepare("coco_stuff10k", root, out, partial=True, workers=0)
    assert not (out / "data.yaml").exists()
    assert list(out.glob("annotations_png/*.png"))
    broken.write_bytes(whole)
    path = prepare("coco_stuff10k", root, out, partial=True, workers=0)
    path.write_text(path.read_text() + "drop: [wood]\n")
    prepare("coco_stuff10k", root, out, partial=True, workers=0)
    assert "wood" not in open_folder(out).classes.names


def test_a_folder_of_another_preparation_is_refused(tmp_path: Path) -> None:
    root, out = save_stuff(tmp_path / "stuff"), tmp_path / "out"
    prepare("coco_stuff10k", root, out, partial=True, workers=0)
    marker = out / prepare_module.MARKER
    assert json.loads(marker.read_text())["name"] == "coco_stuff10k"
    with pytest.raises(UsageError, match=r"was filled with .*coco_stuff10k.*; choose another"):
        prepare("ade20k", save_ade(tmp_path / "ade"), out, partial=True)
    marker.write_text("no json")
    with pytest.raises(UsageError, match=r"was filled with None"):
        prepare("coco_stuff10k", root, out, partial=True)


def test_published_data_stay_as_they_are(tmp_path: Path) -> None:
    root = save_stuff(tmp_path)
    with pytest.raises(UsageError, match=r"is where the data are, .*choose another --out"):
        prepare("coco_stuff10k", root, root, partial=True)
    assert not (root / prepare_module.MARKER).exists()


def test_wrong_names_options_and_places(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"unknown data set 'ade': did you mean ade20k "):
        prepare("ade", tmp_path, tmp_path / "out")
    with pytest.raises(DataError, match=r"none: no such folder or archive; ADE20K: ADEChall"):
        prepare("ade20k", tmp_path / "none", tmp_path / "out")
    with pytest.raises(UsageError, match=r"ade20k has no options, so 'coarse' is none"):
        prepare("ade20k", tmp_path, tmp_path / "out", coarse=True)
    with pytest.raises(UsageError, match=r"unknown option of cityscapes 'coarce': did you mean co"):
        prepare("cityscapes", tmp_path, tmp_path / "out", coarce=True)


def test_options_of_the_reader_are_kept(tmp_path: Path) -> None:
    for split, kind in (("train_extra", "gtCoarse"), ("val", "gtFine")):
        name = f"{split}/bonn/{split}_000001_000019"
        save_picture(tmp_path / f"leftImg8bit/{name}_leftImg8bit.png")
        save_picture(tmp_path / f"{kind}/{name}_{kind}_labelIds.png", ids(7))
    out = tmp_path / "out"
    content = prepare("cityscapes", tmp_path, out, partial=True, coarse=True).read_text()
    assert yaml.safe_load(content)["options"] == {"coarse": True}
    assert len(open_folder(out).dataset("train")) == 1


def test_imagenet_gets_its_list_of_classes(tmp_path: Path) -> None:
    for split in ("train", "val"):
        save_picture(tmp_path / split / "n01440764" / "a.jpg")
    path = prepare("imagenet", tmp_path, tmp_path / "out", partial=True)
    assert path.read_text() == "n01440764 tench\n"
