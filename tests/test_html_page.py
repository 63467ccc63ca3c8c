from segnext.html_page import build_document, mark, write_verdict


def test_a_page_asks_nothing_and_escapes_what_comes_from_outside() -> None:
    page = build_document(
        title="<t>",
        heading="a\x07&b",
        header=write_verdict("<fine>", "good"),
        sections={"first": ("First", "<p>1</p>"), "second": ("Second", "")},
        generator="segnext test",
        style="i { color: red }",
        footer=", at last",
    )
    assert mark("segnext test") in page
    assert "<title>&lt;t&gt;</title>" in page
    assert "<h1>a\N{REPLACEMENT CHARACTER}&amp;b</h1>" in page
    assert '<p class="verdict good" role="status">&lt;fine&gt;</p>' in page
    assert '<section id="first"><h2>First</h2><p>1</p></section>' in page
    assert "Second" not in page
    assert "prefers-color-scheme: dark" in page
    assert "i { color: red }</style>" in page
    assert "Written by segnext test, at last.</footer>" in page
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page


def test_a_verdict_may_be_neither_good_nor_bad() -> None:
    assert write_verdict("so") == '<p class="verdict" role="status">so</p>'
