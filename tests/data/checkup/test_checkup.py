import json
import zipfile
from pathlib import Path

import pytest

from checked_folders import check, codes, find, stripes, write_data, write_pair
from pictures import save_picture
from segnext.classes import Classes
from segnext.data import open_folder
from segnext.data.checkup import check_data
from segnext.data.formats.format import Format
from segnext.data.formats.registry import FORMATS
from segnext.data.layout import Layout, find_layout
from segnext.data.shape_masks import Annotation, ShapeMasks
from segnext.data.shapes import Shape, build_box
from segnext.errors import UsageError

MASK = stripes([0, 1, 255])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_data(tmp_path / "data", MASK, "a, b", train=12, val=10)


def test_what_is_read_is_what_training_reads(root: Path) -> None:
    checkup, folder = check(root), open_folder(root)
    assert checkup.passed
    assert checkup.folder is not None
    assert checkup.classes == folder.classes
    assert checkup.folder.splits == folder.splits
    assert checkup.folder.channels == folder.channels
    assert checkup.shares["train"].ignored_share == pytest.approx(1 / 3)
    assert checkup.splits == {"train": 12, "val": 10}


def test_an_archive_is_checked_in_place(root: Path, tmp_path: Path) -> None:
    archive = tmp_path / "data.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(root.rglob("*.*")):
            file.write(path, path.relative_to(root))
    packed, plain = check(archive), check(root)
    assert packed.passed
    assert (packed.shares["train"].pixels == plain.shares["train"].pixels).all()
    assert packed.sizes == plain.sizes


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda root: root.mkdir(), "no folder of images; understood are"),
        (lambda root: save_picture(root / "a.png"), "no folder of images"),
        (lambda root: save_picture(root / "images/a.png"), "no folder of masks beside images"),
        (
            lambda root: (save_picture(root / "images/a.png"), save_picture(root / "masks/b.png")),
            "no image has a mask",
        ),
        (lambda root: root.write_bytes(b"PK"), "is no folder, data.yaml, .zip"),
        (lambda root: None, "no such folder"),
    ],
)
def test_a_folder_that_cannot_be_arranged_is_a_finding(
    tmp_path: Path, make: object, words: str
) -> None:
    root = tmp_path / "data"
    make(root)  # type: ignore[operator]
    checkup = check(root)
    assert not checkup.passed
    assert words in find(checkup, "not_understood").title


def test_the_files_of_a_folder_that_cannot_be_arranged_are_listed(tmp_path: Path) -> None:
    for index in range(3):
        save_picture(tmp_path / f"rgb/{index}.png")
    (tmp_path / "notes.txt").write_text("x")
    finding = find(check(tmp_path), "not_understood")
    assert finding.examples == ("./: 1 other file", "rgb/: 3 pictures")


def test_broken_files_that_describe_the_data_are_findings(root: Path, tmp_path: Path) -> None:
    (root / "classes.txt").write_text("a\na\n")
    assert "class names must differ" in find(check(root), "not_understood").title
    (root / "data.yaml").write_text("trains: images\n")
    assert "did you mean train" in find(check(root), "not_understood").title
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"PK\3\4 nothing")
    assert "cannot be opened as an archive" in find(check(broken), "not_understood").title


def test_wrong_options_are_wrong_use(root: Path) -> None:
    with pytest.raises(UsageError, match=r"unknown format 'nothing'"):
        check(root, format="nothing")
    with pytest.raises(UsageError, match=r"neither a .csv file nor a regular expression"):
        check(root, group="(")


def test_masks_without_a_counted_pixel(root: Path) -> None:
    write_pair(root, "val", "empty", stripes([255]))
    finding = find(check(root), "empty_masks")
    assert finding.examples == ("val/masks/empty.png",)
    assert finding.severity == "warning"


def test_masks_that_are_all_ignored_are_an_error(tmp_path: Path) -> None:
    write_data(tmp_path, stripes([3, 4]), "a, b")
    checkup = check(tmp_path, ignore_index=(3, 4))
    assert find(checkup, "empty_masks").severity == "error"


def test_a_mask_that_goes_on_being_read_after_a_broken_picture(root: Path) -> None:
    (root / "val/images/val_0.png").write_bytes(b"")
    checkup = check(root)
    assert checkup.shares["val"].masks == 10
    assert checkup.folder is not None
    assert len(checkup.folder.splits["val"]) == 9


def test_everything_broken_is_survived(root: Path) -> None:
    for path in root.rglob("*.png"):
        path.write_bytes(b"\x89PNG")
    checkup = check(root)
    assert set(codes(checkup)) == {"broken_pictures", "broken_masks"}
    assert checkup.folder is None
    assert checkup.sizes is None
    json.dumps(checkup.to_dict())


def test_the_report_is_ready_for_json(root: Path) -> None:
    write_pair(root, "val", "strange", stripes([0, 9]))
    told = json.loads(json.dumps(check(root).to_dict()))
    assert told["passed"] is False
    assert told["proposed"] is True
    assert told["splits"] == {"train": 12, "val": 11}
    assert told["classes"][0]["name"] == "a"
    assert told["classes"][0]["pixels"]["train"] == 12 * 40 * 16
    assert told["proposals"][0]["path"] == str(root / "data.yaml")
    assert told["sizes"]["common"] == [[48, 40, 23]]
    assert {finding["code"] for finding in told["findings"]} == {"undeclared_values"}


def test_labels_that_are_shapes_are_painted_and_checked(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes = [Shape(7, build_box(0, 0, 10, 10))]
    annotations = {f"val_{index}": Annotation(shapes, 40, 48) for index in range(10)}
    annotations |= {f"train_{index}": Annotation(shapes, 40, 48) for index in range(12)}
    annotations["train_3"] = Annotation([Shape(8, shapes[0].area)], 40, 48)
    annotations["train_4"] = Annotation(shapes, 20, 24)
    classes = Classes(("background", "box"), raw_to_train=((0, 0), (7, 1)))

    def read_boxes(folder: Path) -> Layout:
        layout = find_layout(folder)
        layout.masks = ShapeMasks(classes, annotations)
        return layout

    boxes = Format("boxes", "Boxes", lambda _: False, read_boxes)
    monkeypatch.setitem(FORMATS, "boxes", boxes)
    checkup = check(root, format="boxes")
    assert codes(checkup) == {"unreadable_labels": "error", "masks_of_other_size": "error"}
    assert find(checkup, "unreadable_labels").title.startswith("1 picture has labels that")
    assert checkup.shares["val"].pixels.tolist() == [10 * (40 * 48 - 100), 10 * 100]
    assert checkup.folder is not None
    assert len(checkup.folder.splits["train"]) == 10


def test_processes_find_the_same(root: Path) -> None:
    write_pair(root, "val", "strange", stripes([0, 9]))
    assert check_data(root, workers=2).findings == check(root).findings


def test_real_data_pass(shared: Path) -> None:
    for name in ("crop_weed", "isaid_sample"):
        assert check(shared / "data" / name).passed, name
    assert not check(shared / "data" / "photos").passed


def test_real_masks_without_their_void_get_the_right_label_map(
    shared: Path, tmp_path: Path
) -> None:
    # CamVid as a plain folder: nothing says that 11 is void.
    for split in ("train", "val"):
        for kind in ("images", "masks"):
            (tmp_path / split / kind).mkdir(parents=True)
            for path in sorted((shared / "data/camvid" / split / kind).iterdir())[:6]:
                (tmp_path / split / kind / path.name).symlink_to(path)
    (tmp_path / "classes.txt").write_text("\n".join(f"class {index}" for index in range(11)))
    checkup = check(tmp_path, format="folder")
    assert "11 is void, and 0 is class 0" in find(checkup, "undeclared_values").title
    proposal = checkup.proposals[0]
    assert proposal.text == "path: .\nformat: folder\nignore_index: [11]\n"
    proposal.path.write_text(proposal.text)
    assert check(tmp_path).passed
