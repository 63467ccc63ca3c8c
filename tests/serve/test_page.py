"""The page in a real browser, which may ask nobody but the server."""

import base64
import io
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from segnext.data.synthetic import draw_scene

# Debian's; playwright's own are not downloaded here. Where neither is installed, as may be the case
# in CI, the page is not tested.
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")

QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDTH, HEIGHT = 160, 120
SHOTS = os.environ.get("SEGNEXT_SHOTS")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        fakes = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, *fakes])
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Any, live_url: str) -> Iterator[Any]:
    """Open the page with the example on show; nothing may go wrong or elsewhere meanwhile."""
    contexts, troubles = [], []

    def open_one(*, width: int = 1280, height: int = 860, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: _check_origin(request.url, live_url, troubles))
        page.on(
            "console",
            lambda said: (
                troubles.append(said.text)
                if said.type == "error" and "status of 4" not in said.text
                else None
            ),
        )
        page.goto(live_url)
        page.wait_for_selector("#legend button")
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert troubles == []


def _check_origin(url: str, origin: str, troubles: list[str]) -> None:
    if not url.startswith((f"{origin}/", "blob:", "data:")):
        troubles.append(f"asked for {url}")


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    path = tmp_path / "my scene.png"
    PIL.Image.fromarray(draw_scene(1, 1, width=WIDTH, height=HEIGHT)[0]).save(path)
    return path


def shoot(page: Any, name: str) -> None:
    """Keep a picture of the page where SEGNEXT_SHOTS names a folder to look at them."""
    if SHOTS:
        page.wait_for_timeout(250)
        page.screenshot(path=f"{SHOTS}/{name}.png", full_page=name.startswith("phone"))


def upload(page: Any, path: Path) -> None:
    page.set_input_files("#file", str(path))
    expect(page, "#code", path.name)


def expect(page: Any, place: str, text: str) -> None:
    # The page's policy forbids playwright's wait_for_function, which evaluates a text.
    sync_api.expect(page.locator(place)).to_contain_text(text)


def look(page: Any) -> str:
    """Return what the canvas shows, as a data URL; painting waits for the next frame."""
    return page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => setTimeout(() =>"
        "done(document.getElementById('canvas').toDataURL()), 20)))"
    )


def count_colors(page: Any) -> int:
    content = base64.b64decode(look(page).split(",")[1])
    return len(PIL.Image.open(io.BytesIO(content)).convert("RGB").getcolors(1 << 24))


def test_the_example_is_segmented_on_load(open_page: Any) -> None:
    page = open_page()
    assert "a synthetic scene" in page.inner_text("#status")
    assert page.locator("#legend button").count() >= 1
    assert "scenes.safetensors" in page.inner_text("#identity")
    assert "abababababab" in page.inner_text("#model")
    assert "640 \u00d7 480" in page.inner_text("#status")
    assert count_colors(page) > 100
    shoot(page, "desk")


def test_a_photo_is_uploaded(open_page: Any, scene: Path) -> None:
    page = open_page()
    upload(page, scene)
    assert "160 \u00d7 120 px" in page.inner_text("#status")
    assert "In all" in page.inner_text("#times")
    assert "Transfer" in page.inner_text("#times")
    shares = page.locator("#legend .share").all_inner_texts()
    assert sum(float(one.replace("%", "").replace("<", "")) for one in shares) == pytest.approx(
        100, abs=3
    )
    assert "my scene.png" in page.get_attribute("#canvas", "aria-label")


def test_classes_are_switched_off_and_on(open_page: Any) -> None:
    page = open_page()
    before = look(page)
    first = page.locator("#legend button").first
    first.click()
    page.mouse.move(5, 5)
    assert first.get_attribute("aria-pressed") == "false"
    assert look(page) != before
    page.click("#all")
    assert look(page) == before
    page.click("#none")
    states = page.locator("#legend button[aria-pressed=true]").count()
    assert states == 0


def test_the_border_moves_by_mouse_and_keys(open_page: Any) -> None:
    page = open_page()
    divider = page.locator("#divider")
    before = look(page)
    box = divider.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] - 150, box["y"] + 80, steps=3)
    page.mouse.up()
    after = look(page)
    assert after != before
    now = int(divider.get_attribute("aria-valuenow"))
    assert 20 < now < 45
    divider.press("ArrowRight")
    sync_api.expect(divider).to_have_attribute("aria-valuenow", str(now + 2))
    divider.press("Home")
    page.wait_for_selector("#divider[aria-valuetext='0 % photo, 100 % labels']")


def test_opacity_and_confidence(open_page: Any) -> None:
    page = open_page()
    before = look(page)
    page.fill("#opacity", "20")
    assert page.inner_text("#opacity-value") == "20 %"
    faint = look(page)
    assert faint != before
    page.check("input[value=confidence]")
    assert look(page) != faint
    assert page.is_visible("#ramp")
    assert page.inner_text("#side-layer") == "Confidence"
    shoot(page, "confidence")


def test_hover_names_the_class(open_page: Any) -> None:
    page = open_page()
    box = page.locator("#canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.4)
    page.wait_for_selector("#pixel:not([hidden])")
    names = page.locator("#legend .name").all_inner_texts()
    said = page.inner_text("#pixel")
    assert any(said.startswith(name) for name in names)
    assert "%" in said
    shoot(page, "hover")
    page.mouse.move(5, 5)
    page.wait_for_selector("#pixel", state="hidden")


def test_keys_read_pixels_aloud_and_zoom(open_page: Any) -> None:
    page = open_page()
    page.focus("#canvas")
    page.keyboard.press("ArrowRight")
    expect(page, "#spoken", "row")
    page.keyboard.press("+")
    expect(page, "#zoom-fit", "%")
    for _ in range(9):
        page.keyboard.press("+")
    page.wait_for_timeout(100)
    shoot(page, "pixels")
    page.keyboard.press("0")
    expect(page, "#zoom-fit", "Fit")


def test_everything_is_reached_by_tab(open_page: Any) -> None:
    page = open_page()
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.name"))
    wanted = ["open", "camera", "layer", "canvas", "divider", "zoom-out", "opacity", "all", "copy"]
    assert [one for one in wanted if one not in reached] == []
    nameless = page.evaluate(
        "[...document.querySelectorAll('button, input, canvas, [role]')].filter((e) => !("
        "e.textContent.trim() || e.ariaLabel || e.labels?.length)).map((e) => e.outerHTML)"
    )
    assert [one for one in nameless if 'role="status"' not in one and 'id="alert"' not in one] == []


def test_what_is_no_picture_is_said(open_page: Any, tmp_path: Path) -> None:
    page = open_page()
    wrong = tmp_path / "wrong.png"
    wrong.write_bytes(b"GIF89a")
    page.set_input_files("#file", str(wrong))
    page.wait_for_selector("#alert:not([hidden])")
    assert "not a JPEG, PNG, WebP, BMP or TIFF picture" in page.inner_text("#alert")
    assert page.get_attribute("#alert", "role") == "alert"
    shoot(page, "error")


def test_a_photo_beyond_the_limit_is_made_smaller(open_page: Any, tmp_path: Path) -> None:
    page = open_page()
    large = tmp_path / "large.png"
    PIL.Image.fromarray(draw_scene(2, 2, width=1024, height=768)[0]).save(large)
    upload(page, large)
    expect(page, "#status", "smaller")
    width, height = page.inner_text("#status").split(" px")[0].split(" \u00d7 ")
    assert 380_000 < int(width) * int(height) <= 400_000


def test_a_tiff_that_browsers_do_not_know(open_page: Any, tmp_path: Path) -> None:
    page = open_page()
    path = tmp_path / "map.tif"
    PIL.Image.fromarray(draw_scene(1, 4, width=128, height=96)[0]).save(path)
    upload(page, path)
    assert "128 \u00d7 96 px" in page.inner_text("#status")
    assert count_colors(page) > 100


def test_drop_and_paste(open_page: Any, scene: Path) -> None:
    page = open_page()
    data = list(scene.read_bytes())
    for kind, name in (("drop", "dropped.png"), ("paste", "pasted.png")):
        page.evaluate(
            """([kind, name, data]) => {
              const transfer = new DataTransfer();
              transfer.items.add(new File([new Uint8Array(data)], name, { type: "image/png" }));
              const field = kind === "drop" ? "dataTransfer" : "clipboardData";
              const make = kind === "drop" ? DragEvent : ClipboardEvent;
              document.body.dispatchEvent(
                new make(kind, { [field]: transfer, bubbles: true, cancelable: true }));
            }""",
            [kind, name, data],
        )
        expect(page, "#code", name)


def test_the_camera(open_page: Any) -> None:
    page = open_page(permissions=["camera"])
    page.click("#camera")
    page.wait_for_selector("#camera-dialog[open]")
    page.locator("#video").evaluate(
        "(video) => video.videoWidth || new Promise((done) => video.onloadedmetadata = done)"
    )
    page.click("#shoot")
    expect(page, "#code", "camera.jpg")


def test_downloads_and_code(open_page: Any, scene: Path) -> None:
    page = open_page()
    upload(page, scene)
    with page.expect_download() as started:
        page.click("[data-download=mask]")
    assert started.value.suggested_filename == "my scene.mask.png"
    with PIL.Image.open(started.value.path()) as mask:
        assert mask.size == (WIDTH, HEIGHT)
    with page.expect_download() as started:
        page.click("[data-download=polygons]")
    assert started.value.suggested_filename == "my scene.coco.json"
    content = json.loads(Path(started.value.path()).read_text())
    assert sum(one["area"] for one in content["annotations"]) == WIDTH * HEIGHT
    with page.expect_download() as started:
        page.click("[data-download=geojson]")
    assert started.value.suggested_filename == "my scene.geojson"
    content = json.loads(Path(started.value.path()).read_text())
    assert sum(one["properties"]["pixels"] for one in content["features"]) == WIDTH * HEIGHT
    assert page.inner_text("#code").startswith("curl -F 'image=@my scene.png' \\")
    page.check("input[value=python]")
    code = page.inner_text("#code")
    compile(code, "snippet", "exec")
    assert 'open("my scene.png", "rb")' in code


def test_code_is_copied(open_page: Any) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    for language in ("curl", "python"):
        page.check(f"input[value={language}]")
        page.click("#copy")
        expect(page, "#copy", "Copied")
        copied = page.evaluate("() => navigator.clipboard.readText()")
        assert copied == page.text_content("#code")


def test_the_wheel_and_buttons_zoom(open_page: Any) -> None:
    page = open_page()
    before = look(page)
    page.hover("#canvas", position={"x": 200, "y": 200})
    page.mouse.wheel(0, -400)
    expect(page, "#zoom-fit", "%")
    assert look(page) != before
    page.click("#zoom-fit")
    expect(page, "#zoom-fit", "Fit")
    page.click("#zoom-in")
    expect(page, "#zoom-fit", "%")
    page.click("#zoom-out")
    expect(page, "#zoom-fit", "Fit")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone(open_page: Any, scheme: str) -> None:
    page = open_page(width=390, height=844, color_scheme=scheme, has_touch=True, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    small = page.evaluate(
        "[...document.querySelectorAll('#open, #camera, .zoom button, #legend button')]"
        ".filter((e) => e.getBoundingClientRect().height < 43).map((e) => e.outerHTML)"
    )
    assert small == []
    shoot(page, f"phone_{scheme}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out(open_page: Any, scheme: str) -> None:
    page = open_page(color_scheme=scheme)
    pairs = page.evaluate(
        """() => {
          const style = getComputedStyle(document.documentElement);
          const value = (name) => style.getPropertyValue(`--${name}`).trim();
          return [["ink", "paper"], ["ink", "card"], ["soft", "card"], ["soft", "paper"],
            ["soft", "code"], ["accent", "card"], ["accent-ink", "accent"], ["error", "error-soft"],
            ["accent", "accent-soft"]].map((pair) => [...pair, ...pair.map(value)]);
        }"""
    )
    for front, back, *colors in pairs:
        assert contrast(*colors) >= 4.5, (front, back)
    shoot(page, f"desk_{scheme}")


def contrast(front: str, back: str) -> float:
    """WCAG 2.2's contrast ratio of two #rrggbb colours."""

    def luminance(color: str) -> float:
        channels = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(front), luminance(back)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_api_page_lists_the_routes(open_page: Any, live_url: str) -> None:
    page = open_page()
    page.goto(f"{live_url}/docs")
    page.wait_for_selector("#routes section")
    text = page.inner_text("#routes")
    for route in ("/v1/predict", "/v1/model", "/healthz", "/readyz", "/metrics"):
        assert route in text
    shoot(page, "docs")


def test_the_token_is_asked_for(browser: Any, start_live: Any) -> None:
    token = "0123456789abcdef"
    url = start_live(token=token)
    context = browser.new_context()
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(url)
    page.wait_for_selector("#token-form:not([hidden])")
    assert page.evaluate("document.activeElement.id") == "token"
    expect(page, "#alert", "this server needs its token")
    page.fill("#token", token)
    page.keyboard.press("Enter")
    page.wait_for_selector("#legend button")
    assert page.is_hidden("#token-form")
    assert page.is_hidden("#alert")
    expect(page, "#code", "Authorization: Bearer $SEGNEXT_TOKEN")
    assert token not in page.content()
    assert [one for one in said if "401" not in one] == []
    context.close()
