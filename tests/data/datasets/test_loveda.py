import zipfile
from pathlib import Path

import numpy as np
import pytest

from pictures import ids, save_pairs, save_picture
from segnext.data import open_folder
from segnext.data.datasets.loveda import CLASSES, LOVEDA, read
from segnext.errors import DataError, UsageError


def write_published(root: Path) -> Path:
    for split, domain, number in (
        *(("Train", "Urban", 1366), ("Train", "Rural", 0), ("Val", "Urban", 3514)),
        ("Val", "Rural", 2522),
    ):
        folder = f"{split}/{domain}"
        pair = {f"{folder}/images_png/{number}.png": f"{folder}/masks_png/{number}.png"}
        save_pairs(root, pair, ids(0, 1, 4, 7))
    save_picture(root / "Test/Rural/images_png/4191.png")
    return root


def test_classes_and_submission() -> None:
    assert CLASSES.names[0] == "background"
    assert CLASSES.names[6] == "agricultural"
    assert CLASSES.submission == tuple(range(7))
    assert CLASSES.raw_to_train == ((0, None), *((raw, raw - 1) for raw in range(1, 8)))
    with pytest.raises(UsageError, match=r"reducing zero again would shift every class"):
        CLASSES.reduce_zero()


def test_published_folders(tmp_path: Path) -> None:
    folder = open_folder(write_published(tmp_path))
    assert any("looks like LoveDA" in note for note in folder.notes)
    assert {name: len(part) for name, part in folder.splits.items()} == {
        **{"train": 2, "val": 2, "test": 1},
    }
    item = folder.dataset("val")[1]
    assert item["name"] == "3514"
    np.testing.assert_array_equal(item["mask"], np.resize([255, 0, 3, 6], 30)[None].repeat(20, 0))


def test_one_domain(tmp_path: Path) -> None:
    write_published(tmp_path)
    layout = read(tmp_path, domain="rural")
    names = {split: [item.name for item in part] for split, part in layout.splits.items()}
    assert names == {"train": ["0"], "val": ["2522"], "test": ["4191"]}
    assert list(read(tmp_path, domain="urban").splits) == ["train", "val"]
    (tmp_path / "data.yaml").write_text("format: loveda\noptions: {domain: urban}\n")
    assert len(open_folder(tmp_path).dataset("train")) == 1
    with pytest.raises(UsageError, match=r"domain='town': should be one of urban, rural, both"):
        read(tmp_path, domain="town")


def test_read_in_place_from_an_archive(tmp_path: Path) -> None:
    root = write_published(tmp_path / "raw")
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        for path in sorted(root.rglob("*.png")):
            archive.write(path, path.relative_to(root))
    assert LOVEDA.detect(tmp_path / "data.zip")
    assert open_folder(tmp_path / "data.zip").dataset("train")[0]["mask"].max() == 255


def test_prepared_folders(tmp_path: Path) -> None:
    pairs = {f"img_dir/{s}/{n}.png": f"ann_dir/{s}/{n}.png" for s, n in (("train", 0), ("val", 9))}
    root = save_pairs(tmp_path / "loveDA", pairs, ids(0, 7))
    assert LOVEDA.detect(root)
    assert set(np.unique(open_folder(root).dataset("val").mask(0))) == {6, 255}
    with pytest.raises(UsageError, match=r"img_dir holds both domains in one folder; domain=rural"):
        read(root, domain="rural")
    # Names that are numbers say nothing about whose pictures these are.
    root.rename(tmp_path / "fields")
    assert not LOVEDA.detect(tmp_path / "fields")


def test_odd_folders_are_refused(tmp_path: Path) -> None:
    assert not LOVEDA.detect(tmp_path)
    with pytest.raises(DataError, match=r"no Train, Val or Test with Urban or Rural/images_png"):
        read(tmp_path)
    write_published(tmp_path)
    save_pairs(tmp_path, {"Train/Urban/images_png/0.png": "Train/Urban/masks_png/0.png"})
    with pytest.raises(DataError, match=r"0\.png have one number; numbers are unique in LoveDA"):
        read(tmp_path)


def test_unknown_labels_and_broken_masks_are_refused(tmp_path: Path) -> None:
    folder = open_folder(write_published(tmp_path))
    save_picture(tmp_path / "Train/Rural/masks_png/0.png", ids(1, 8))
    with pytest.raises(DataError, match=r"0\.png: 300 pixels hold the value 8"):
        folder.dataset("train").mask(0)
    (tmp_path / "Train/Rural/masks_png/0.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(DataError, match=r"0\.png"):
        folder.dataset("train").mask(0)
    with pytest.raises(DataError, match=r"no split 'dev'"):
        folder.dataset("dev")


def test_real_pictures(shared: Path) -> None:
    layout = read(shared / "data/layout_samples/loveda")
    assert [item.name for item in layout.pool] == ["0", "1", "2"]
    assert layout.masks is not None
    counts = np.bincount(layout.masks.read(layout.pool[1]).reshape(-1), minlength=256)
    assert int(counts.sum()) == 1024**2
    assert int(counts[7:255].sum()) == 0
