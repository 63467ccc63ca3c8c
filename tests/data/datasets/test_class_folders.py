from pathlib import Path

import pytest

from pictures import save_picture
from segnext.data.datasets.class_folders import read_class_folders
from segnext.errors import DataError


def write(root: Path, *photos: str) -> Path:
    for photo in photos:
        save_picture(root / photo)
    return root


def test_any_folders_are_classes(tmp_path: Path) -> None:
    write(tmp_path, "train/dog/a.png", "train/cat/b.jpg", "train/cat/c.PNG", "val/dog/d.png")
    (tmp_path / "train" / ".hidden").mkdir()
    (tmp_path / "train" / "cat" / "notes.txt").touch()
    found = read_class_folders(tmp_path)
    assert found.wnids == found.names == ("cat", "dog")
    assert found.splits["train"].files == ("cat/b.jpg", "cat/c.PNG", "dog/a.png")
    assert found.splits["train"].labels.tolist() == [0, 0, 1]
    # A class that is not in val keeps its number.
    assert found.splits["val"].labels.tolist() == [1]


def test_imagenets_folders_have_names(tmp_path: Path) -> None:
    write(tmp_path, "train/n02123045/a.JPEG", "train/n01443537/a.JPEG", "val/n01443537/a.JPEG")
    assert read_class_folders(tmp_path).names == ("goldfish", "tabby")


def test_a_list_gives_names(tmp_path: Path) -> None:
    write(tmp_path, "train/0/a.png", "train/1/a.png", "train/2/a.png", "val/0/a.png")
    (tmp_path / "classes.txt").write_text("0 crane\n1 crane\n2\n\n")
    assert read_class_folders(tmp_path).names == ("crane (0)", "crane (1)", "2")


def test_weights_say_what_the_labels_are(tmp_path: Path) -> None:
    write(tmp_path, "val/dog/a.png")
    found = read_class_folders(tmp_path, classes=("cat", "dog", "eel"), needed=("val",))
    assert found.wnids == ("cat", "dog", "eel")
    assert found.splits["val"].labels.tolist() == [1]
    with pytest.raises(DataError, match="val: has classes that the weights do not know: dog"):
        read_class_folders(tmp_path, classes=("cat", "eel"), needed=("val",))


def test_mistakes_are_explained(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder train with a folder of photos for each class"):
        read_class_folders(tmp_path)
    write(tmp_path, "train/a.png", "val/cat/a.png")
    with pytest.raises(DataError, match=r"train: 1 photos lie outside class folders, such as a"):
        read_class_folders(tmp_path)
    write(tmp_path, "train/cat/a.png")
    with pytest.raises(DataError, match="holds 1 class folders; two are the least"):
        read_class_folders(tmp_path)
    write(tmp_path, "train/dog/a.png", "val/eel/a.png", "val/yak/a.png")
    with pytest.raises(DataError, match="val: has classes that train lacks: eel, yak"):
        read_class_folders(tmp_path)
    (tmp_path / "train" / "dog" / "a.png").unlink()
    (tmp_path / "val" / "eel").rename(tmp_path / "eel")
    (tmp_path / "val" / "yak").rename(tmp_path / "yak")
    with pytest.raises(DataError, match="dog: holds no photo"):
        read_class_folders(tmp_path)
