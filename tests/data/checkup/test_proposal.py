import zipfile
from pathlib import Path

import yaml

from checked_folders import stripes, write_data
from segnext.classes import Classes
from segnext.data import open_folder
from segnext.data.arrangement import arrange
from segnext.data.checkup.proposal import LabelMap, Proposal, map_labels, write_proposal
from segnext.data.taxonomy import Taxonomy

SHIFTED = map_labels(Classes(("road", "sky, blue", "no")), {0: None, 1: 0, 2: 1, 3: 2})


def propose(root: Path, label_map: LabelMap, source: Path | None = None) -> Proposal:
    return write_proposal(label_map, arrange(source or root), source or root)


def test_a_label_map_becomes_a_data_yaml_that_is_read(tmp_path: Path) -> None:
    write_data(tmp_path, stripes([1, 2, 3]))
    made = propose(tmp_path, LabelMap("", Taxonomy(SHIFTED)))
    assert made.path == tmp_path / "data.yaml"
    assert "label_mapping: {0: ignore, 1: 0, 2: 1, 3: 2}\n" in made.text
    made.path.write_text(made.text)
    folder = open_folder(tmp_path)
    assert folder.classes.names == ("road", "sky, blue", "no")
    assert set(folder.dataset("train").mask(0).reshape(-1).tolist()) == {0, 1, 2}


def test_what_a_data_yaml_says_besides_stays(tmp_path: Path) -> None:
    write_data(tmp_path, stripes([0, 1, 4]))
    path = tmp_path / "data.yaml"
    path.write_text("train: train/images\nval: val/images\nnames: [a, b]\nignore_index: 9\n")
    for source in (tmp_path, path):
        made = propose(tmp_path, LabelMap("", ignored=(4,)), source)
        assert made.path == path
        assert yaml.safe_load(made.text) == {
            "train": "train/images",
            "val": "val/images",
            "names": ["a", "b"],
            "ignore_index": [4, 9],
        }


def test_colours_and_void_are_written(tmp_path: Path) -> None:
    write_data(tmp_path, stripes([0, 1]))
    classes = Classes(("a", "b"), ((1, 2, 3), (4, 5, 6)))
    taxonomy = Taxonomy(classes, has_colors=True, void_colors=((0, 0, 0), (9, 9, 9)))
    content = yaml.safe_load(propose(tmp_path, LabelMap("", taxonomy)).text)
    assert content["colors"] == {
        "a": [1, 2, 3],
        "b": [4, 5, 6],
        "void": [0, 0, 0],
        "ignore": [9, 9, 9],
    }


def test_beside_an_archive(tmp_path: Path) -> None:
    write_data(tmp_path / "plain", stripes([0, 1, 7]), "a, b")
    archive = tmp_path / "roads.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in (tmp_path / "plain").rglob("*.*"):
            file.write(path, path.relative_to(tmp_path / "plain"))
    made = propose(archive, LabelMap("", ignored=(7,)))
    assert made.path == tmp_path / "data.yaml"
    assert made.text == "path: roads.zip\nformat: folder\nignore_index: [7]\n"
    made.path.write_text(made.text)
    assert open_folder(made.path).classes.names == ("a", "b")
