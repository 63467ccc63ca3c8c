from collections import Counter

from segnext.classes import Classes
from segnext.data.checkup.id_masks import accepted_values, diagnose_gaps, diagnose_no_classes
from segnext.data.checkup.readings import ValueCounts


def counts(*values: int) -> ValueCounts:
    return ValueCounts(Counter(dict.fromkeys(values, 10)), Counter(dict.fromkeys(values, 1)))


def test_declared_values_are_accepted_and_255_is_void() -> None:
    assert accepted_values(Classes(("a", "b"))) == {0: 0, 1: 1, 255: None}
    assert accepted_values(Classes(("a",))) == {0: 0, 1: 1, 255: None}
    mapped = Classes(("a", "b"), raw_to_train=((3, 0), (4, None), (255, 1)))
    assert accepted_values(mapped) == {3: 0, 4: None, 255: 1}
    assert accepted_values(Classes.numbered(300))[65535] is None


def test_no_gaps_are_no_finding() -> None:
    assert diagnose_gaps(counts(0, 1, 2), Classes.numbered(3), ()) == ([], [])
    assert diagnose_gaps(counts(0, 2, 255), Classes.numbered(3), ())[0][0].code == "gaps_in_ids"
    # One value alone cannot be a set of classes.
    assert diagnose_gaps(counts(2), Classes.numbered(3), ()) == ([], [])


def test_instance_ids_get_no_label_map() -> None:
    (finding,), maps = diagnose_no_classes(counts(*range(0, 40_000, 100)), [])
    assert "look like instance ids" in finding.remedy
    assert not maps
