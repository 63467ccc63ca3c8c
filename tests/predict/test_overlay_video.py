from pathlib import Path

import cv2
import numpy as np
import pytest

from segnext.errors import SegnextError, UsageError
from segnext.predict.overlay_video import CODECS, open_overlay_video
from videos import draw_frames, read_clip


def write(path: Path, frames: list[np.ndarray], codec: str = "auto", fps: float = 12.5) -> str:
    with open_overlay_video(path, frames[0].shape[:2], fps, codec) as video:
        for frame in frames:
            video.write(frame)
    assert video.frames == len(frames)
    return video.codec


@pytest.mark.parametrize("codec", ["auto", "mpeg4", "mjpeg"])
def test_a_video_keeps_frames_size_rate_and_colours(codec: str, tmp_path: Path) -> None:
    drawn = draw_frames(20)
    chosen = write(tmp_path / "new" / "overlay", drawn, codec, fps=29.97)
    (path,) = (tmp_path / "new").iterdir()
    assert path.name == f"overlay{CODECS[chosen].suffix}"
    assert cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FPS) == pytest.approx(29.97, abs=1e-3)
    frames = read_clip(path)
    assert len(frames) == 20
    for frame, expected in zip(frames, drawn, strict=True):
        assert np.abs(frame.astype(int) - expected).mean() < 8


def test_an_odd_size_loses_nothing(tmp_path: Path) -> None:
    drawn = draw_frames(3, width=63, height=47)
    write(tmp_path / "overlay", drawn, "mjpeg")
    for frame, expected in zip(read_clip(tmp_path / "overlay.avi"), drawn, strict=True):
        assert frame.shape == (48, 64, 3)
        assert np.abs(frame[:47, :63].astype(int) - expected).mean() < 8


def test_the_next_codec_is_taken_where_one_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = {name: codec._replace(fourcc="none") for name, codec in CODECS.items()}
    monkeypatch.setattr(
        "segnext.predict.overlay_video.CODECS", missing | {"mjpeg": CODECS["mjpeg"]}
    )
    assert write(tmp_path / "overlay", draw_frames(2)) == "mjpeg"
    assert len(read_clip(tmp_path / "overlay.avi")) == 2
    with pytest.raises(UsageError, match=r"cannot write mpeg4 \(64x48 px, 12\.5 frames a second\)"):
        write(tmp_path / "other", draw_frames(2), "mpeg4")
    assert [path.name for path in tmp_path.iterdir()] == ["overlay.avi"]


def test_an_unknown_codec_is_answered_with_the_right_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"unknown codec 'mpeg': did you mean .*mjpeg"):
        write(tmp_path / "overlay", draw_frames(2), "mpeg")


def test_frames_that_did_not_reach_the_disk_are_noticed(tmp_path: Path) -> None:
    def lose_one() -> None:
        with open_overlay_video(tmp_path / "overlay", (48, 64), 10, "mjpeg") as video:
            for frame in draw_frames(5):
                video.write(frame)
            video.frames += 1

    with pytest.raises(SegnextError, match=r"overlay\.avi: cannot be written to its end"):
        lose_one()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_noticed(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    import signal

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    noise = np.random.default_rng(0).integers(0, 256, (30, 48, 64, 3), np.uint8)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
        with pytest.raises(SegnextError, match=r"overlay\.avi: cannot be written to its end"):
            write(tmp_path / "overlay", list(noise), "mjpeg")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert list(tmp_path.iterdir()) == []
