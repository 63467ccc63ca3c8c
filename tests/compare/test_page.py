import pytest

from comparisons import build_config, make_measured, make_run
from segnext.compare.page import build_page, judge
from segnext.compare.result import CompareResult, summarize


def compared(first: list[float], second: list[float]) -> CompareResult:
    config = build_config()
    runs = [make_run(config, "first", seed, score) for seed, score in enumerate(first)]
    runs += [make_run(config, "second", seed, score) for seed, score in enumerate(second)]
    measured = {"first": make_measured(4_000_000, 10.0), "second": make_measured(5_000_000, 9.0)}
    return summarize(config, runs, measured, "one machine")


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        ([], [], "nothing is trained yet: published figures alone"),
        ([40.0], [], "first leads with mIoU 40.0"),
        ([40.0], [38.0], "2.0 points ahead of second; a single seed does not rule out chance"),
        ([40.0], [38.0, 38.2], "ahead of second; a single seed does not rule out chance"),
        ([40.0, 40.2], [38.0, 38.2], "ahead of second; two seeds say too little of chance"),
        (
            [40.0, 40.2, 40.1],
            [38.0, 38.2, 38.1],
            "second, more than two standard errors of the difference over 3 seeds",
        ),
        (
            [40.0, 44.0, 42.0],
            [39.0, 43.0, 41.0],
            "within two standard errors of the difference over 3 seeds: chance may explain it",
        ),
    ],
)
def test_the_verdict_says_what_seeds_say_of_chance(
    first: list[float], second: list[float], verdict: str
) -> None:
    assert judge(compared(first, second)).endswith(verdict)


def test_the_page_is_complete_in_itself_and_escapes_names() -> None:
    page = build_page(compared([40.0, 41.0], [38.0, 39.0]), "segnext compare x.yaml")
    assert page.startswith("<!doctype html>")
    assert "Two &amp; more" in page
    assert "arXiv &lt;1&gt;" in page
    assert "other&#x27;s" in page
    assert "<b>40.5 +- 0.7</b>" in page
    assert "published cityscapes mIoU" in page
    assert "gate=False" in page
    assert "<b>50.5</b>" in page  # road, the mean of two seeds
    assert "segnext compare x.yaml" in page
    assert page.count("<svg") == 2
    assert "<script" not in page
    for address in ("src=", 'href="http'):
        assert address not in page


def test_a_page_without_runs_has_published_figures() -> None:
    page = build_page(summarize(build_config(), [], {}))
    assert "37.0" in page
    assert "<svg" not in page


def test_the_least_published_cost_is_the_best() -> None:
    systems = [
        {"name": name, "published": {"cityscapes_gmacs": cost, "cityscapes_miou": score}}
        for name, cost, score in (("a", 50.5, 79.8), ("b", 125.5, 76.2))
    ]
    page = build_page(summarize(build_config(systems=systems), [], {}))
    assert "<b>50.5</b>" in page
    assert "<b>79.8</b>" in page
    assert "published cityscapes GMACs" in page
