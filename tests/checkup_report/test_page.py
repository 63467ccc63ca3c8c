import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from checked_folders import check, stripes, write_data, write_pair
from segnext.checkup_report import build_page, draw_overlays, suggest
from segnext.checkup_report.page import MARK

VOID = {"meta", "img", "input", "br"}


class Reader(HTMLParser):
    """Checks that tags are closed, and keeps what the tests ask about."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.addresses: list[str] = []
        self.tags: set[str] = set()
        self.words = ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                assert value not in self.ids
                self.ids.add(value or "")
            if name == "href":
                self.links.append(value or "")
            if name == "src":
                self.addresses.append(value or "")
            assert not name.startswith("on")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_data(tmp_path / "roads & <b>", stripes([0, 1]), "a, b <script>", train=12, val=10)


def build(root: Path) -> str:
    checkup = check(root)
    return build_page(checkup, suggest(checkup), draw_overlays(checkup))


def test_the_page_is_complete_in_itself(root: Path) -> None:
    text = build(root)
    page = Reader(text)
    assert text.startswith("<!doctype html>")
    assert MARK in text[:1000]
    assert len(page.addresses) == 24
    assert all(address.startswith("data:image/jpeg;base64,") for address in page.addresses)
    assert not page.tags & {"script", "link", "iframe", "object"}
    assert not re.search(r"https?://|@import|url\(", text)
    assert "default-src 'none'; img-src data:" in text


def test_every_section_is_linked(root: Path) -> None:
    write_pair(root, "val", "strange", stripes([0, 9]))
    page = Reader(build(root))
    sections = {"findings", "proposals", "classes", "pictures", "training", "reading"}
    assert page.ids == sections | {"masks"}
    assert {link.removeprefix("#") for link in page.links} == sections


def test_names_from_files_are_text_and_nothing_else(root: Path) -> None:
    name = "x<img src=x onerror=alert(1)>"
    write_pair(root, "val", name, stripes([0, 9]))
    write_pair(root, "train", "bell\a\N{RIGHT-TO-LEFT OVERRIDE}", stripes([0, 9]))
    text = build(root)
    page = Reader(text)
    assert f"val/masks/{name}.png: 9 (960 pixels)" in page.words
    assert "roads & <b>" in page.words
    assert "b <script>" in page.words
    assert "\a" not in text
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in text


def test_what_was_found_is_told(root: Path) -> None:
    good = Reader(build(root)).words
    assert "ready to train: nothing found" in good
    assert "Nothing odd was found." in good
    assert "crop_size: [64, 64]" in good
    write_pair(root, "val", "strange", stripes([0, 9]))
    bad = Reader(build(root)).words
    assert "a training would be spoilt: 1 error" in bad
    assert "ignore_index: [9]" in bad
    assert "As they would be with the proposed label map." in bad


def test_bars_show_shares_and_sizes_are_listed_where_they_differ(root: Path) -> None:
    assert "width x height" not in Reader(build(root)).words
    from checked_folders import photo
    from pictures import save_picture

    save_picture(root / "val/images/val_0.png", photo("tall", 80, 48))
    save_picture(root / "val/masks/val_0.png", stripes([0, 1]).repeat(2, axis=0))
    text = build(root)
    assert "48 x 80" in Reader(text).words
    assert '<i style="width:100.0%"></i>' in text


def test_data_that_cannot_be_read_at_all_have_a_page(tmp_path: Path) -> None:
    page = Reader(build(tmp_path / "nowhere"))
    assert page.ids == {"findings"}
    assert "no such folder" in page.words
