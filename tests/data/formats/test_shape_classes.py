import pytest

from segnext.data.formats.shape_classes import declare_shape_classes, number_labels
from segnext.errors import DataError, UsageError


def test_background_is_put_in_front() -> None:
    declared = declare_shape_classes({1: "car", 7: "road"}, "a.json")
    assert declared.classes.names == ("background", "car", "road")
    assert declared.classes.raw_to_train == ((0, 0), (1, 1), (7, 2))
    assert declared.background == 0
    assert declared.raw_id("road", "here") == 7


def test_background_takes_a_free_raw_id() -> None:
    declared = declare_shape_classes({0: "car", 3: "road"}, "a.json")
    assert declared.classes.names == ("background", "car", "road")
    assert declared.classes.raw_to_train == ((0, 1), (3, 2), (4, 0))
    assert declared.background == 4


def test_a_declared_background_is_the_background() -> None:
    declared = declare_shape_classes({1: "car", 2: "Background", 3: "road"}, "a.json")
    assert declared.classes.names == ("Background", "car", "road")
    assert declared.classes.raw_to_train == ((1, 1), (2, 0), (3, 2))
    assert declared.background == declared.raw_id("Background", "here") == 2


def test_unlabelled_pixels_may_be_ignored() -> None:
    declared = declare_shape_classes({0: "car", 1: "road"}, "a.json", unlabelled="ignore")
    assert declared.classes.names == ("car", "road")
    assert declared.classes.raw_to_train == ((0, 0), (1, 1), (2, None))
    assert declared.background == 2
    drawn = declare_shape_classes({1: "car", 2: "background"}, "a.json", unlabelled="ignore")
    assert drawn.classes.names == ("background", "car")
    assert drawn.classes.raw_to_train == ((0, None), (1, 1), (2, 0))


def test_colors_are_kept_if_every_class_has_its_own() -> None:
    names = {1: "car", 2: "road"}
    red, green, black = (255, 0, 0), (0, 255, 0), (0, 0, 0)
    colors = {"car": red, "road": green}
    assert declare_shape_classes(names, "a", colors=colors).classes.colors == (black, red, green)
    for lacking in ({"car": red}, {"car": red, "road": red}, {"car": black, "road": red}):
        made_up = declare_shape_classes(names, "a", colors=lacking).classes.colors
        assert len(set(made_up)) == 3
        assert made_up == declare_shape_classes(names, "a").classes.colors


def test_unknown_label() -> None:
    declared = declare_shape_classes({1: "car", 2: "road"}, "a.json")
    with pytest.raises(DataError, match=r"b\.json: unknown label 'raod': did you mean road\?"):
        declared.raw_id("raod", "b.json")


def test_what_cannot_be_classes() -> None:
    with pytest.raises(UsageError, match=r"unlabelled: 'void' is not one of background, ignore"):
        declare_shape_classes({1: "car"}, "a.json", unlabelled="void")
    with pytest.raises(DataError, match=r"a\.json: with unlabelled: ignore there are 1 classes"):
        declare_shape_classes({1: "car"}, "a.json", unlabelled="ignore")
    with pytest.raises(DataError, match=r"there are 1 classes"):
        declare_shape_classes({1: "background"}, "a.json")
    with pytest.raises(DataError, match=r"a\.json: class names must differ, given twice: car"):
        declare_shape_classes({1: "car", 2: "car"}, "a.json")


def test_labels_without_ids_are_numbered_and_background_is_0() -> None:
    assert number_labels(["car", "tree"]) == {1: "car", 2: "tree"}
    assert number_labels(["car", "Background", "tree"]) == {0: "Background", 1: "car", 2: "tree"}
