from pathlib import Path

from segnext.data.checkup.finding import (
    MOST_LISTED,
    Finding,
    Severity,
    agree,
    count_of,
    list_examples,
    percent,
    shorten,
    sort_findings,
)


def test_what_matters_most_comes_first_and_equals_keep_their_order() -> None:
    order = [Severity.NOTE, Severity.ERROR, Severity.WARNING, Severity.ERROR]
    findings = [Finding(str(index), severity, "") for index, severity in enumerate(order)]
    assert [finding.code for finding in sort_findings(findings)] == ["1", "3", "2", "0"]


def test_counts_and_verbs_agree() -> None:
    assert count_of(1, "mask") == "1 mask"
    assert count_of(2000, "mask") == "2,000 masks"
    assert count_of(2, "class") == "2 classes"
    assert agree(1, "mask", "hold") == "1 mask holds"
    assert agree(2, "mask", "hold") == "2 masks hold"
    assert agree(1, "mask", "are") == "1 mask is"
    assert agree(1, "picture", "cannot") == "1 picture cannot"


def test_small_shares_do_not_vanish() -> None:
    shares = (0, 0.00001, 0.0012, 0.3333, 0.9999, 1)
    written = ["0 %", "< 0.01 %", "0.12 %", "33.3 %", "> 99.9 %", "100 %"]
    assert [percent(share) for share in shares] == written


def test_examples_have_a_limit() -> None:
    assert len(list_examples(str(number) for number in range(10_000))) == MOST_LISTED


def test_paths_are_seen_from_the_root() -> None:
    assert shorten(Path("a/b/c.png"), Path("a")) == "b/c.png"
    assert shorten(Path("x/c.png"), Path("a")) == "x/c.png"
    assert shorten(None, Path("a")) == "no mask"


def test_a_finding_is_ready_for_json() -> None:
    finding = Finding("code", Severity.ERROR, "title", "remedy", 2, ("a", "b"))
    assert finding.to_dict() == {
        "code": "code",
        "severity": "error",
        "title": "title",
        "remedy": "remedy",
        "count": 2,
        "examples": ["a", "b"],
    }
