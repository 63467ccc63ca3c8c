from pathlib import Path

import pytest

from pictures import save_pairs
from segnext.data import Folder, open_folder
from segnext.data.folds import select_fold
from segnext.errors import DataError, UsageError


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Twelve training and three validation pictures of five videos, and a test split."""
    found = [("test", "other_1")]
    for number in range(15):
        found.append(("train" if number < 12 else "val", f"video{number % 5}_{number}"))
    save_pairs(tmp_path, {f"{s}/images/{n}.png": f"{s}/masks/{n}.png" for s, n in found})
    return open_folder(tmp_path, group=r"video\d|other")


def names(folder: Folder, split: str) -> set[str]:
    return {item.name for item in folder.dataset(split).items}


def test_every_picture_is_val_once_and_groups_stay_together(folder: Folder) -> None:
    folds = [select_fold(folder, folds=3, fold=fold) for fold in range(3)]
    everything = names(folder, "train") | names(folder, "val")
    held_out = [names(fold, "val") for fold in folds]
    assert set().union(*held_out) == everything
    assert sum(map(len, held_out)) == 15
    for fold in folds:
        train, val = fold.dataset("train"), fold.dataset("val")
        assert not {item.group for item in train.items} & {item.group for item in val.items}
        assert names(fold, "train") | names(fold, "val") == everything
        assert (train.split, val.split) == ("train", "val")
        assert names(fold, "test") == {"other_1"}


def test_folds_repeat_and_seeds_differ(folder: Folder) -> None:
    assert names(select_fold(folder, folds=2, fold=0), "val") == names(
        select_fold(folder, folds=2, fold=0), "val"
    )
    found = {
        frozenset(names(select_fold(folder, folds=2, fold=0, seed=seed), "val"))
        for seed in range(5)
    }
    assert len(found) > 1


def test_wrong_folds_are_refused(folder: Folder) -> None:
    with pytest.raises(UsageError, match=r"fold 3 of 3: .* a fold is 0 to 2"):
        select_fold(folder, folds=3, fold=3)
    with pytest.raises(UsageError, match=r"fold 0 of 1: folds are 2 or more"):
        select_fold(folder, folds=1, fold=0)
    with pytest.raises(DataError, match=r"5 groups cannot be cut into 6 folds; use fewer"):
        select_fold(folder, folds=6, fold=0)
