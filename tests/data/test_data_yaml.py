from pathlib import Path

import numpy as np
import pytest

from pictures import ids, save_pairs, save_picture, save_splits
from segnext.data.data_yaml import DataYaml, read_data_yaml
from segnext.data.folder import open_folder
from segnext.errors import DataError, UsageError

NAMES = "names: [road, sky]\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    pairs = {f"images/{s}/{n}.jpg": f"masks/{s}/{n}.png" for s in ("train", "val") for n in "ab"}
    return save_pairs(tmp_path, pairs)


def _read(root: Path, text: str) -> DataYaml:
    path = root / "data.yaml"
    path.write_text(text, encoding="utf-8")
    return read_data_yaml(path)


def _names(described: DataYaml) -> dict[str, list[str]]:
    splits = described.layout.splits
    return {split: [item.name for item in items] for split, items in splits.items()}


def test_folders(root: Path) -> None:
    described = _read(root, "train: images/train\nval: images/val\ntest:\nnc: 2\n" + NAMES)
    assert _names(described) == {"train": ["a", "b"], "val": ["a", "b"]}
    assert described.layout.splits["val"][0].mask_path == root / "masks/val/a.png"
    assert described.taxonomy
    assert described.taxonomy.classes.names == ("road", "sky")


def test_the_file_may_lie_elsewhere(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    described = _read(elsewhere, f"path: '{root.as_posix()}'\ntrain: images/train\n")
    assert described.root == root
    assert described.taxonomy is None


def test_lists(root: Path) -> None:
    (root / "train.txt").write_text("./images/train/a.jpg\nimages/val/b.jpg\n")
    described = _read(root, "train: train.txt\nval: [images/val]\n")
    assert _names(described) == {"train": ["train/a", "val/b"], "val": ["a", "b"]}


def test_several_folders(root: Path) -> None:
    described = _read(root, "train: [images/train, images/val]\n")
    assert _names(described) == {"train": ["train/a", "train/b", "val/a", "val/b"]}


def test_folder_of_masks(root: Path) -> None:
    (root / "masks").rename(root / "labels_png")
    described = _read(root, "train: images/train\nmasks_dir: labels_png\n")
    assert described.layout.splits["train"][0].mask_path == root / "labels_png/train/a.png"


def test_names_by_id(root: Path) -> None:
    described = _read(root, "train: images/train\nnames: {26: car, 7: road}\nignore_index: 3\n")
    assert described.taxonomy
    assert described.taxonomy.classes.names == ("road", "car")
    assert described.taxonomy.classes.raw_to_train == ((7, 0), (26, 1))
    assert described.ignore_index == (3,)


def test_label_mapping(root: Path) -> None:
    text = "train: images/train\nlabel_mapping: {0: ignore, 1: 0, 2: 1, 3: 1, 4: null, 5: 255}\n"
    described = _read(root, text + NAMES)
    assert described.taxonomy
    assert described.taxonomy.classes.raw_to_train == (
        (0, None),
        (1, 0),
        (2, 1),
        (3, 1),
        (4, None),
        (5, None),
    )


@pytest.mark.parametrize(
    "colors", ["[[1, 2, 3], [4, 5, 6]]", "{sky: [4, 5, 6], void: [0, 0, 0], road: [1, 2, 3]}"]
)
def test_colors(root: Path, colors: str) -> None:
    described = _read(root, f"train: images/train\ncolors: {colors}\n{NAMES}")
    assert described.taxonomy
    assert described.taxonomy.classes.colors == ((1, 2, 3), (4, 5, 6))
    assert described.taxonomy.void_colors == (((0, 0, 0),) if "void" in colors else ())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train: images/train\nmask_dir: x\n", "unknown key 'mask_dir': did you mean masks_dir"),
        ("train: ../other/images\n", "leads out of the data set"),
        ("train: /images\n", "leads out of the data set"),
        ("train: C:\\images\n", "leads out of the data set"),
        ("train: images/train\nmasks_dir: ../masks\n", "leads out of the data set"),
        ("train: images/absent\n", "neither a folder nor a .txt list"),
        ("train: masks/train\n", "has no part called images"),
        ("train: 3\n", "train must be a path, not 3"),
        ("path: absent\ntrain: images/train\n", "path names no folder"),
        (NAMES, "names no split"),
        ("- a\n", "must hold keys"),
        ("train: [\n", "is no valid YAML"),
        ("train: !!python/object:os.system {}\n", "is no valid YAML"),
        ("train: images/train\ncolors: [[1, 2, 3]]\n", "colors needs the class names"),
        (
            f"train: images/train\ncolors: [[1, 2, 3]]\n{NAMES}",
            "colors must be a list of 2 colours",
        ),
        (f"train: images/train\ncolors: [[1, 2, 3], red]\n{NAMES}", "'red' is no colour"),
        (f"train: images/train\ncolors: {{sky: [1, 2, 3]}}\n{NAMES}", "none for the class 'road'"),
        (f"train: images/train\nlabel_mapping: [1]\n{NAMES}", "must hold lines"),
        (f"train: images/train\nlabel_mapping: {{0: 7}}\n{NAMES}", "sends mask value 0 to class 7"),
        (f"train: images/train\nlabel_mapping: {{a: 1}}\n{NAMES}", "'a' is no mask value"),
        ("train: images/train\nignore_index: [x]\n", "'x' is no mask value"),
        ("train: images/train\nignore_index: 1.5\n", "1.5 is no mask value"),
        (f"train: images/train\ncolors: 5\n{NAMES}", "colors must be a list of 2"),
        ("train: images/train\nnames: {a: road}\n", "'a' is no mask value"),
        ("train: images/train\nnames: road\n", "names must be a list"),
    ],
)
def test_malformed_files(root: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        _read(root, text)


def test_lists_that_leave_the_root_or_name_nothing(root: Path) -> None:
    (root / "train.txt").write_text("images/train/a.jpg\n../b.jpg\n")
    with pytest.raises(DataError, match=r"train\.txt, line 2: \.\./b\.jpg leads out"):
        _read(root, "train: train.txt\n")
    (root / "train.txt").write_text("images/train/z.jpg\n")
    with pytest.raises(DataError, match=r"there is no picture .*z\.jpg"):
        _read(root, "train: train.txt\n")


def test_test_images_without_masks(root: Path) -> None:
    save_picture(root / "images/test/t.jpg")
    described = _read(root, "train: images/train\ntest: images/test\n")
    assert described.layout.splits["test"][0].mask_path is None
    assert described.layout.notes == ["test: its 1 images have no masks"]


def test_zero_is_reduced_once_and_names_begin_with_raw_id_1(tmp_path: Path) -> None:
    root = save_splits(tmp_path, train=2, val=1)
    for path in root.glob("*/masks/*.png"):
        save_picture(path, ids(0, 1, 2))
    path = root / "data.yaml"
    head = "format: folder\nreduce_zero_label: true\n"
    path.write_text(f"{head}names: [road, tree]\n")
    folder = open_folder(root)
    assert folder.classes.names == ("road", "tree")
    assert np.unique(folder.dataset("train").mask(0)).tolist() == [0, 1, 255]
    path.write_text(f"{head}names: {{0: other, 1: road, 2: tree}}\n")
    assert open_folder(root).classes.raw_to_train == folder.classes.raw_to_train
    path.write_text(f"{head}names: [road, tree]\nlabel_mapping: {{0: ignore, 1: 0, 2: 1}}\n")
    with pytest.raises(DataError, match="both say what mask values mean; keep one"):
        open_folder(root)
    path.write_text(f"{head}names: {{1: road, 2: tree}}\n")
    with pytest.raises(UsageError, match="raw id 0 is void already"):
        open_folder(root)


def test_names_that_no_disk_can_have(root: Path) -> None:
    for name in ("a" * 5000, '"a\\0b"'):
        with pytest.raises(DataError, match="is neither a folder nor"):
            _read(root, f"train: {name}\n")


def test_void_colors_with_whole_numbers_as_names(root: Path) -> None:
    text = f"train: images/train\n{NAMES}colors: {{road: [1, 1, 1], sky: [2, 2, 2], 7: [0, 0, 0]}}"
    described = _read(root, text)
    assert described.taxonomy
    assert "7" in described.taxonomy.classes.names
