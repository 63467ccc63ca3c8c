import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from segnext.serve.assets import load_assets

PAGE = Path(__file__).resolve().parents[2] / "src" / "segnext" / "serve" / "page"
FILES = sorted(PAGE.iterdir())


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_files_ask_nobody_else_and_hold_no_inline_code(file: Path) -> None:
    text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|//[a-z]+\.[a-z]+/|@import|\beval\(|innerHTML", text)
    if file.suffix == ".html":
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\bsrc=)", text)
    assert len(text.splitlines()) <= 380


def test_every_file_is_served_by_its_name(client: TestClient) -> None:
    for path, asset in load_assets().items():
        answer = client.get(path)
        assert answer.content == asset.content
        assert answer.headers["content-type"] == asset.media_type
        again = client.get(path, headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    assert len(load_assets()) == len(FILES)


def test_what_pages_refer_to_is_there() -> None:
    assets = load_assets()
    for asset in assets.values():
        text = asset.content.decode()
        for path in re.findall(r'(?:src|href)="(/[^"]*)"', text):
            assert path in {*assets, "/openapi.json"}, path
        for name in re.findall(r'from "\./([^"]+)"', text):
            assert f"/page/{name}" in assets
