import pytest

from segnext.data.split_names import split_in_words, split_order, standard_split


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train-000000.tar", "train"),
        ("roads_val_0001.tar", "val"),
        ("validation-3.tar", "val"),
        ("test00.tar", "test"),
        ("roads-000000.tar", ""),
        ("train-and-val.tar", ""),
        ("trains-0.tar", ""),
    ],
)
def test_the_words_of_a_name_say_the_split(name: str, split: str) -> None:
    assert split_in_words(name) == split


@pytest.mark.parametrize(
    ("name", "split"),
    [("Training", "train"), ("valid", "val"), ("test", "test"), ("trainaug", None), ("", None)],
)
def test_the_usual_names_of_a_split_are_known(name: str, split: str | None) -> None:
    assert standard_split(name) == split


def test_usual_splits_come_first() -> None:
    names = ["b", "val", "a", "test", "train"]
    assert sorted(names, key=split_order) == ["train", "val", "test", "a", "b"]
