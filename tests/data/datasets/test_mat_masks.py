import io
import pickle
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from pictures import ids, save_picture
from segnext.data.datasets.label_maps import read_label_map
from segnext.data.datasets.mat_masks import (
    MatMasks,
    convert_mat,
    plan_conversion,
    read_mat,
    scan_mats,
)
from segnext.data.masks import FileMasks
from segnext.data.pairing import Item
from segnext.data.taxonomy import Taxonomy
from segnext.errors import DataError, UsageError


def save_mat(path: Path, content: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    savemat(path, content, do_compression=True)
    return path


def test_an_array_and_one_inside_a_structure(tmp_path: Path) -> None:
    mask = ids(0, 1, 182)
    plain = save_mat(tmp_path / "a.mat", {"S": mask.astype(np.uint16), "captions": ["a dog"]})
    np.testing.assert_array_equal(read_mat(plain, ("S",)), mask)
    nested = save_mat(tmp_path / "b.mat", {"GTcls": {"Segmentation": mask, "Boundaries": [1]}})
    np.testing.assert_array_equal(read_mat(nested, ("GTcls", "Segmentation")), mask)
    doubles = save_mat(tmp_path / "c.mat", {"S": mask.astype(np.float64)})
    np.testing.assert_array_equal(read_mat(doubles, ("S",)), mask)


def test_values_become_raw_ids(tmp_path: Path) -> None:
    path = save_mat(tmp_path / "a.mat", {"LabelMap": np.array([[2, 458, 3]], np.uint16)})
    raw_ids = ((2, 1), (458, 59))
    np.testing.assert_array_equal(read_mat(path, ("LabelMap",), raw_ids), [[1, 59, 0]])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"T": np.zeros((2, 2))}, r"a\.mat: holds no array S of labels, or is broken"),
        ({"S": np.zeros((2, 2, 3))}, r"a\.mat: holds float64 \(2, 2, 3\), not labels"),
        ({"S": np.array([[0.5]])}, r"a\.mat: holds fractions"),
        ({"S": np.array([[np.nan]])}, r"not labels \(H, W\) of 0 to 65535"),
        ({"S": np.array([[-1]])}, r"not labels"),
        ({"S": "text"}, r"not labels"),
        ({"S": np.zeros((0, 5))}, r"a\.mat: holds"),
    ],
)
def test_what_is_no_mask_is_refused(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_mat(save_mat(tmp_path / "a.mat", content), ("S",))


def test_broken_missing_and_lying_files(tmp_path: Path) -> None:
    path = save_mat(tmp_path / "a.mat", {"S": ids(0, 1)})
    whole = path.read_bytes()
    for data in (whole[:150], whole[:-10], b"\x00" * 200, whole[:128] + b"\xff" * 100):
        path.write_bytes(data)
        with pytest.raises(DataError, match=r"a\.mat: holds no array S"):
            read_mat(path, ("S",))
    with pytest.raises(DataError, match=r"b\.mat: no such picture"):
        read_mat(tmp_path / "b.mat", ("S",))
    # Claims 40,000 x 40,000 pixels in a few bytes.
    plain = io.BytesIO()
    savemat(plain, {"S": np.zeros((4, 4), np.uint8)})
    sized = np.array([4, 4], "<i4").tobytes()
    path.write_bytes(plain.getvalue().replace(sized, np.array([40_000] * 2, "<i4").tobytes()))
    with pytest.raises(DataError, match=r"a\.mat: holds no array S"):
        read_mat(path, ("S",))


def test_huge_files_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_mat(tmp_path / "a.mat", {"S": ids(0, 1)})
    monkeypatch.setattr("segnext.data.datasets.mat_masks._MOST_BYTES", 10)
    with pytest.raises(DataError, match=r"bytes are more than a mask may have, 10$"):
        read_mat(path, ("S",))


def test_without_scipy_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(UsageError, match=r'pip install "segnext\[annotations\]"'):
        read_mat(tmp_path / "a.mat", ("S",))


def test_pictures_and_matlab_files_side_by_side(tmp_path: Path) -> None:
    classes = read_label_map("pascal_voc")
    reader = MatMasks(FileMasks("ids", Taxonomy(classes)), ("GTcls", "Segmentation"))
    one = save_picture(tmp_path / "a.png", ids(0, 20, 255))
    other = save_mat(tmp_path / "b.mat", {"GTcls": {"Segmentation": ids(0, 20, 255)}})
    for path in (one, other):
        item = Item(path.stem, tmp_path / "x.jpg", path, path.stem)
        copy = pickle.loads(pickle.dumps(reader))
        np.testing.assert_array_equal(copy.read(item), ids(0, 20, 255))
        dropped = copy.with_classes(copy.classes.drop(["tvmonitor"]))
        np.testing.assert_array_equal(dropped.read(item), ids(0, 255, 255))
    strange = save_mat(tmp_path / "c.mat", {"GTcls": {"Segmentation": ids(0, 21)}})
    with pytest.raises(DataError, match=r"c\.mat: 300 pixels hold the value 21"):
        reader.read(Item("c", tmp_path / "x.jpg", strange, "c"))


def test_conversion_keeps_every_value(tmp_path: Path) -> None:
    path = save_mat(tmp_path / "mats/a.mat", {"S": ids(0, 182).astype(np.uint16)})
    assert scan_mats(tmp_path) == {"a": path}
    items = [
        Item("a", tmp_path / "a.jpg", path, "a"),
        Item("b", tmp_path / "b.jpg", tmp_path / "b.png", "b"),
        Item("c", tmp_path / "c.jpg", None, "c"),
    ]
    (task,) = plan_conversion([*items, items[0]], "annotations_png", ("S",))
    assert task.output == "annotations_png/a.png"
    copy = pickle.loads(pickle.dumps(task))
    assert copy.make is convert_mat
    made = copy.make(*copy.arguments)
    decoded = cv2.imdecode(np.frombuffer(made, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(decoded, ids(0, 182))
    assert decoded.dtype == np.uint8
