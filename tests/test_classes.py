import numpy as np
import pytest

from segnext.classes import Classes, distinct_colors
from segnext.errors import DataError, UsageError

ROADS = Classes(("road", "tree", "car"))


def test_colours_are_made_up_and_differ() -> None:
    assert ROADS.colors == distinct_colors(3)
    assert len(set(distinct_colors(40))) == 40


def test_raw_ids_are_train_ids_unless_mapped() -> None:
    mask = np.array([[0, 1], [2, 255]], np.uint8)
    assert ROADS.encode(mask, "a.png") is mask
    mapped = Classes(("road", "tree"), (), ((7, 0), (8, 1), (9, 1), (3, None)))
    raw = np.array([[7, 8], [9, 3]], np.uint8)
    assert mapped.encode(raw, "a.png").tolist() == [[0, 1], [1, 255]]
    assert mapped.decode(np.array([[0, 1]], np.uint8)).tolist() == [[7, 8]]


def test_undeclared_values_are_named_with_a_remedy() -> None:
    mask = np.array([[0, 11], [11, 12]], np.uint8)
    message = (
        r"b.png: 2 pixels hold the value 11 \(also 12\), which is none of the 3 classes "
        r"\(road to car\); if it means void, ignore it with --ignore-index 11"
    )
    with pytest.raises(DataError, match=message):
        ROADS.encode(mask, "b.png")
    ignoring = ROADS.with_ignored((11, 12))
    assert ignoring.encode(mask, "b.png").tolist() == [[0, 255], [255, 255]]


def test_one_class_has_two_labels() -> None:
    cracks = Classes(("crack",))
    assert (cracks.num_classes, cracks.num_labels) == (1, 2)
    assert cracks.label_names == ("background", "crack")
    assert cracks.encode(np.array([[0, 1, 255]], np.uint8), "a").tolist() == [[0, 1, 255]]
    with pytest.raises(DataError, match="hold the value 2"):
        cracks.encode(np.array([[2]], np.uint8), "a")


def test_many_classes_need_sixteen_bits() -> None:
    many = Classes.numbered(300)
    assert many.ignore_index == 65535
    encoded = many.encode(np.array([[255, 299, 65535]], np.uint16), "a")
    assert encoded.dtype == np.uint16
    assert encoded.tolist() == [[255, 299, 65535]]


STREET = Classes(
    ("void", "road", "car", "truck"),
    ((0, 0, 0), (1, 1, 1), (2, 2, 2), (3, 3, 3)),
    ((0, 0), (4, 1), (7, 2), (8, 3), (9, None)),
    (0, 40, 70, 80),
)


def test_reducing_zero_makes_it_void_once() -> None:
    reduced = STREET.reduce_zero()
    assert reduced.names == ("road", "car", "truck")
    assert reduced.raw_to_train == ((0, None), (4, 0), (7, 1), (8, 2), (9, None))
    assert reduced.submission == (40, 70, 80)
    with pytest.raises(UsageError, match=r"raw id 0 is void already and road the first class"):
        reduced.reduce_zero()


def test_merged_classes_share_a_train_id() -> None:
    merged = STREET.merge({"vehicle": ["car", "truck"]})
    assert merged.names == ("void", "road", "vehicle")
    assert merged.colors[2] == (2, 2, 2)
    assert merged.raw_to_train == ((0, 0), (4, 1), (7, 2), (8, 2), (9, None))
    assert merged.submission == ()
    plain = Classes(("a", "b", "c")).merge({"x": ["a", "c"]})
    assert plain.names == ("x", "b")
    assert plain.encode(np.array([[0, 1, 2]], np.uint8), "m").tolist() == [[0, 1, 0]]


def test_dropped_classes_are_ignored() -> None:
    dropped = STREET.drop(["road"])
    assert dropped.names == ("void", "car", "truck")
    assert dropped.encode(np.array([[0, 4, 7, 8]], np.uint8), "m").tolist() == [[0, 255, 1, 2]]


def test_what_cannot_be_merged_or_dropped_is_named() -> None:
    with pytest.raises(UsageError, match=r"unknown class 'lorry': .*valid: car, road, truck"):
        STREET.merge({"vehicle": ["car", "lorry"]})
    with pytest.raises(UsageError, match="one group only"):
        STREET.merge({"x": ["car"], "y": ["car"]})
    with pytest.raises(UsageError, match="1 class is left of 4"):
        STREET.drop(["void", "road", "car"])


def test_submission_ids() -> None:
    assert STREET.submit(np.array([[3, 0]], np.uint8)).tolist() == [[80, 0]]
    with pytest.raises(DataError, match="holds 4, but train ids run to 3"):
        STREET.submit(np.array([[4]], np.uint8))
    with pytest.raises(UsageError, match="no submission ids"):
        ROADS.submit(np.array([[0]], np.uint8))


def test_json_round_trip() -> None:
    classes = Classes(("a", "b"), ((1, 2, 3), (4, 5, 6)), ((0, None), (1, 0), (2, 1)), (1, 2))
    assert Classes.from_dict(classes.to_dict()) == classes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((),), "at least one class name"),
        ((("a", "b", "a"),), "given twice: a"),
        ((("a", "b"), ((1, 2, 3),)), "2 class names but 1 colours"),
        ((("a", "b"), (), ((3, 2),)), "sends mask value 3 to class 2, but ids run from 0 to 1"),
        ((("a", "b"), (), ((70000, 1),)), "mask value 70000"),
        ((("a", "b"), (), (), (1,)), "2 labels but 1 submission ids"),
    ],
)
def test_wrong_taxonomies_are_named(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Classes(*arguments)
