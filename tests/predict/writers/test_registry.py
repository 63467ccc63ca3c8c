import pytest

from segnext.errors import UsageError
from segnext.predict.writers.registry import OUTPUTS, WRITERS, check_outputs, list_places


def test_every_output_has_a_place_of_its_own() -> None:
    places = list_places(OUTPUTS)
    assert len(set(places)) == len(places) == len(OUTPUTS) + 1
    assert all(name.islower() and " " not in name for name in WRITERS)


def test_what_is_always_written() -> None:
    assert list_places([]) == ["masks", "areas.json"]


def test_a_wrong_name_is_answered_with_the_right_ones() -> None:
    check_outputs(OUTPUTS)
    with pytest.raises(UsageError, match=r"unknown output 'cocco': did you mean coco"):
        check_outputs(["labels", "cocco"])
