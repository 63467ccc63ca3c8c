import pytest

from segnext.data.datasets.registry import DATASETS
from segnext.errors import UsageError
from segnext.submissions.servers import SERVERS, find_server

# From the publishers' pages and scripts; see docs/submissions.md.
IDS = {
    "ade20k": [*range(1, 151)],
    "cityscapes": [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33],
    "pascal_voc": [*range(21)],
    "loveda": [*range(7)],
}


@pytest.mark.parametrize("name", list(SERVERS))
def test_every_server_belongs_to_a_data_set_with_its_ids(name: str) -> None:
    server, known = SERVERS[name], DATASETS[name]
    assert server.dataset == name
    assert known.allowed_counts(server.split), "how many it wants must be known"
    if name in IDS:
        assert list(known.classes.submission) == IDS[name]
    else:
        assert server.encoding == "color"
        assert len(set(known.classes.label_colors)) == 6


@pytest.mark.parametrize("name", list(SERVERS))
def test_a_place_leads_back_to_its_picture(name: str) -> None:
    server = SERVERS[name]
    examples = {
        "ade20k": "ADE_test_00000001",
        "cityscapes": "berlin_000000_000019",
        "pascal_voc": "2008_000006",
        "loveda": "4191",
        "potsdam": "2_13",
        "vaihingen": "area2",
    }
    options = server.choose({})
    place = server.place(examples[name], options)
    assert server.find_name(place, options) == examples[name]
    assert server.find_name(f"x{place}y", options) is None
    assert server.find_name(place.replace(examples[name], "holiday"), options) is None


def test_options_are_completed_and_checked() -> None:
    server = find_server("pascal_voc")
    assert server.choose({}) == {"comp": 6}
    assert server.choose({"comp": 5}) == {"comp": 5}
    for wrong in (7, "6", 6.0, True):
        with pytest.raises(UsageError, match=r"comp=.*: should be 5 or 6"):
            server.choose({"comp": wrong})
    with pytest.raises(UsageError, match=r"unknown option .* 'comb': did you mean comp"):
        server.choose({"comb": 5})


def test_data_sets_without_a_server_are_refused() -> None:
    with pytest.raises(UsageError, match=r"'cityscape': did you mean cityscapes"):
        find_server("cityscape")
