import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segnext.data.formats.id2label import read_id2label
from segnext.data.taxonomy import Taxonomy
from segnext.errors import DataError


def read(tmp_path: Path, content: Any, notes: list[str], **options: Any) -> Taxonomy:
    path = tmp_path / "id2label.json"
    path.write_text(json.dumps(content))
    return read_id2label(path, notes, **options)


@pytest.mark.parametrize(
    "content",
    [{"1": "sky", "0": "road"}, {"id2label": {"0": "road", "1": "sky"}}, ["road", "sky"]],
)
def test_names_stand_at_their_mask_value(tmp_path: Path, content: Any) -> None:
    found = read(tmp_path, content, [])
    assert found.classes.names == ("road", "sky")
    assert found.classes.raw_to_train == ()


def test_values_with_gaps_become_train_ids(tmp_path: Path) -> None:
    notes: list[str] = []
    content = {"7": "road", "11": "unlabeled", "12": "sky", "255": "void"}
    found = read(tmp_path, content, notes)
    assert found.classes.names == ("road", "unlabeled", "sky")
    raw = np.array([[7, 11, 12, 255]], np.uint8)
    assert found.classes.encode(raw, "a").tolist() == [[0, 1, 2, 255]]
    assert notes == [
        "id2label.json: unlabeled counts as a class like others; --ignore-index 11 leaves its "
        "pixels out"
    ]


def test_reduced_labels_begin_at_one(tmp_path: Path) -> None:
    found = read(tmp_path, {"0": "wall", "1": "sky"}, [], reduce_labels=True)
    raw = np.array([[0, 1, 2, 255]], np.uint8)
    assert found.classes.encode(raw, "a").tolist() == [[255, 0, 1, 255]]


@pytest.mark.parametrize(
    "content", [{}, [], "road", {"-1": "a"}, {"1.5": "a"}, {"0": 3}, {"0": " "}, {"65536": "a"}]
)
def test_what_names_no_classes_is_one_line(tmp_path: Path, content: Any) -> None:
    with pytest.raises(DataError, match=r"id2label\.json: "):
        read(tmp_path, content, [])


def test_names_given_twice_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"id2label\.json: class names must differ"):
        read(tmp_path, {"0": "a", "1": "a"}, [])
