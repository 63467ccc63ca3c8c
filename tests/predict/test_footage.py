import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pictures import save_picture
from segnext.data import read_image
from segnext.errors import DataError, UsageError
from segnext.predict import open_footage
from videos import FakeCamera, draw_frames, write_clip


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.avi", draw_frames(20))


def test_a_video_file(clip: Path) -> None:
    footage = open_footage(clip)
    assert (footage.fps, footage.count, footage.live) == (12.5, 20, False)
    frames = list(footage.frames())
    assert [frame.index for frame in frames] == list(range(20))
    assert [frame.name for frame in frames[:2]] == ["000000", "000001"]
    assert [frame.time_s for frame in frames] == pytest.approx([k / 12.5 for k in range(20)])
    # Motion JPEG loses some; red and blue in each other's place would be far off.
    for frame, drawn in zip(frames, draw_frames(20), strict=True):
        assert np.abs(frame.image.astype(int) - drawn).mean() < 6


def test_grey_models_get_grey_frames(clip: Path) -> None:
    (first, *_) = open_footage(clip, channels=1).frames()
    assert first.image.shape == (48, 64, 1)
    with pytest.raises(UsageError, match="trained on 5 channels, and videos have 3"):
        open_footage(clip, channels=5)


def test_a_truncated_file_gives_what_is_left(clip: Path) -> None:
    content = clip.read_bytes()
    clip.write_bytes(content[: int(len(content) * 0.9)])
    footage = open_footage(clip)
    assert footage.count == 20
    assert 10 < len(list(footage.frames())) < 20


@pytest.mark.parametrize("content", [b"", b"RIFF", b"nothing" * 100])
def test_no_video_is_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "broken.avi"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"broken\.avi: cannot be read as a video; it is broken"):
        open_footage(path)


def test_a_folder_of_frames_in_natural_order(tmp_path: Path) -> None:
    for number, frame in zip((1, 2, 10), draw_frames(3), strict=True):
        save_picture(tmp_path / f"shot_{number}.png", frame)
    save_picture(tmp_path / "below" / "other.png")
    (tmp_path / "notes.txt").write_text("no frame")
    footage = open_footage(tmp_path)
    assert (footage.fps, footage.count, footage.live) == (25, 3, False)
    frames = list(footage.frames())
    assert [frame.name for frame in frames] == ["shot_1", "shot_2", "shot_10"]
    assert [frame.time_s for frame in frames] == [0, 0.04, 0.08]
    assert np.array_equal(frames[2].image, read_image(tmp_path / "shot_10.png"))
    assert open_footage(tmp_path, fps=5).fps == 5


def test_frames_that_differ_in_suffix_keep_it_in_their_names(tmp_path: Path) -> None:
    for name in ("a.png", "a.jpg", "b.png"):
        save_picture(tmp_path / name)
    assert [frame.name for frame in open_footage(tmp_path).frames()] == ["a.jpg", "a.png", "b"]


def test_bands_beyond_rgb_come_from_folders(tmp_path: Path) -> None:
    import tifffile

    bands = np.random.default_rng(0).integers(0, 60000, (20, 30, 5), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", bands, photometric="minisblack", planarconfig="contig")
    (frame,) = open_footage(tmp_path, channels=5).frames()
    assert np.array_equal(frame.image, bands)


def test_frames_of_another_size_end_it(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.png")
    save_picture(tmp_path / "b.png", np.zeros((20, 31, 3), np.uint8))
    frames = open_footage(tmp_path).frames()
    next(frames)
    with pytest.raises(DataError, match="frame b has 31x20 px, the first one 30x20"):
        next(frames)


def test_a_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    camera = FakeCamera(draw_frames(5), fps=10)
    camera.plug_in(monkeypatch, 2)
    footage = open_footage("camera:2")
    assert (footage.name, footage.fps, footage.count, footage.live) == ("camera:2", 10, None, True)
    times = [frame.time_s for frame in footage.frames()]
    assert len(times) == 5
    assert times[0] == 0
    assert times == sorted(times)
    assert camera.released


def test_a_camera_that_tells_nonsense_has_the_rate_that_was_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for told in (0, -1, 90000, float("nan")):
        FakeCamera([], fps=told).plug_in(monkeypatch)
        assert open_footage("camera:0", fps=8).fps == 8
        assert open_footage("camera:0").fps == 25


def test_a_camera_without_a_frame_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    FakeCamera([]).plug_in(monkeypatch)
    with pytest.raises(DataError, match="camera:0: no frame could be read"):
        list(open_footage("camera:0").frames())


def test_sources_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="camera:77: cannot be opened; is it there"):
        open_footage("camera:77")
    with pytest.raises(DataError, match=r"none\.mp4: no such video or folder of frames"):
        open_footage(tmp_path / "none.mp4")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty: no frames in this folder"):
        open_footage(tmp_path / "empty")
    with pytest.raises(UsageError, match="fps must lie between 0 and 1000, got -1"):
        open_footage("camera:0", fps=-1)


@pytest.fixture
def address(clip: Path) -> Iterator[str]:
    """A server on this machine that gives the clip away."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(clip.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_file_behind_a_url_is_not_live(address: str) -> None:
    footage = open_footage(f"http://{address}/clip.avi")
    assert (footage.fps, footage.count, footage.live) == (12.5, 20, False)
    assert len(list(footage.frames())) == 20


def test_a_url_that_does_not_answer_is_named_without_its_secrets(address: str) -> None:
    url = f"http://user:secret@{address}/missing.avi?key=secret"
    with pytest.raises(DataError, match=r"missing\.avi: cannot be opened") as raised:
        open_footage(url)
    assert "secret" not in str(raised.value)
