import re

from reports import CLASSES, duel, strip
from segnext.report.duel import most_changed
from segnext.report.duel_page import MOST_CHANGED, build_duel_page


def test_the_page_tells_wins_and_shows_what_changed() -> None:
    found = duel(-5)
    worse, better = most_changed(found, MOST_CHANGED)
    page = build_duel_page(found, CLASSES, dict.fromkeys([*worse, *better], strip()))
    assert page.startswith("<!doctype html>")
    assert "the second is better: " in page
    assert page.count('<td class="win">won</td>') == 2  # tree, and sky that it was taken for
    assert "may be chance" in page
    assert "2 : 0" in page
    assert "classes the second won and lost, beyond chance" in page
    assert page.count('<figure class="strip">') == len(worse) + len(better)
    assert "&lt;tree&gt; &amp; more" in page
    assert "<script" not in page
    assert not re.search(r'(src|href)="(?!data:image/jpeg;base64,|#)', page)


def test_the_same_model_twice_shows_no_pictures() -> None:
    page = build_duel_page(duel(0), CLASSES, {})
    assert 'id="better"' not in page
    assert "no clear winner" in page
