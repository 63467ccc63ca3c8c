import re
from dataclasses import replace

import pytest

from reports import CLASSES, MadeUp, count, report, setting, strip, subject
from segnext.classes import Classes
from segnext.report.confusion_page import MOST_LABELS, MOST_SHOWN
from segnext.report.figures import Report, Starts
from segnext.report.page import MOST_PICTURES, Strips, build_page, judge
from segnext.report.plots import draw_plots
from segnext.report.summary import summarize


def strips_for(found: Report) -> Strips:
    one = strip()
    return Strips(
        pictures=dict.fromkeys((*found.worst, *found.best, *found.random), one),
        suspects=[one] * len(found.suspects),
        behind={
            place: [one] * len(confusion.pictures)
            for place, confusion in enumerate(found.confusions[:MOST_SHOWN])
        },
    )


def build(found: Report, classes: Classes = CLASSES) -> str:
    return build_page(found, classes, strips_for(found), draw_plots(found))


def test_the_page_is_complete_in_itself_and_escapes_names() -> None:
    page = build(report())
    assert page.startswith("<!doctype html>")
    assert "<tree>" not in page
    assert "&lt;tree&gt; &amp; more" in page
    assert "a&amp;b/19" in page
    assert "<script" not in page
    assert not re.search(r'(src|href)="(?!data:image/jpeg;base64,|#)', page)
    assert "default-src 'none'" in page


def test_every_link_leads_somewhere() -> None:
    page = build(report())
    anchors = set(re.findall(r'id="([^"]+)"', page))
    links = set(re.findall(r'href="#([^"]+)"', page))
    assert links <= anchors
    assert "c0" in links  # tree taken for sky
    for section in ("worst", "classes", "sizes", "confusion", "behind", "calibration"):
        assert section in anchors
    outside = re.findall(r' id="([^"]+)"', re.sub(r"(?s)<svg.*?</svg>", "", page))
    assert len(outside) == len(set(outside))


def test_the_verdict_says_what_counts() -> None:
    found = report()
    said = judge(found)
    assert said.startswith(f"mIoU {100 * (found.miou or 0):.1f} % (95 % interval ")
    assert "bootstrap over 24 images" in said
    assert "val, 24 pictures, own size, whole image, single scale" in said
    assert said.endswith(f"worst class: <tree> & more, {100 * (found.classes[1].iou or 0):.1f} %")
    assert "it takes two pictures or groups" in judge(replace(found, interval=None))
    assert judge(replace(found, miou=None)) == "no pixel of val counts, so there is no score"


def test_what_is_not_there_is_not_on_the_page() -> None:
    found = report(confident=False)
    page = build(found)
    for section in ("calibration", "suspects", "starts"):
        assert f'id="{section}"' not in page
    told = build(replace(found, starts=Starts(0.5, (0.4, 0.6), 0.5, 0.1)))
    assert "2 seeds give mIoU 40.000 to 60.000 %, mean 50.000, standard deviation 10.000" in told


def test_long_lists_are_cut() -> None:
    class Many(MadeUp):
        def __len__(self) -> int:
            return MOST_PICTURES + 40

    images = Many()
    classes = Classes.numbered(MOST_LABELS + 10)
    found = summarize(
        subject(classes=classes), setting(images), count(images, classes=classes), report().cost
    )
    page = build(found, classes)
    assert f"The {MOST_PICTURES} worst of 140; all are in pictures.csv." in page
    assert f"The {MOST_LABELS} classes with most errors; the 10 others" in page
    matrix = page[page.index('id="confusion"') : page.index('id="behind"')]
    assert matrix.count("<td") == MOST_LABELS**2
    assert "a&amp;b/19" in page
    assert "Left out, nowhere in truth or prediction: " in page


@pytest.mark.parametrize("number", [0, 3])
def test_smaller_confusions_are_named(number: int) -> None:
    found = report()
    behind = found.confusions[0]
    found = replace(found, confusions=(behind,) * (MOST_SHOWN + number))
    page = build(found)
    assert ("Smaller ones" in page) == bool(number)
    assert page.count("<tr id=") == number
