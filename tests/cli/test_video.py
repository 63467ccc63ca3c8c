import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from segnext.cli.main import app
from videos import draw_frames, read_clip, write_clip


def call(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.avi", draw_frames(20))


def test_a_video_to_files_and_two_lines(scene_weights: Path, clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ("--smoothing", 0.5, "--codec", "mjpeg", "--flip", "--backend", "folded")
    result = call("video", scene_weights, clip, "--out", out, *options)
    assert result.exit_code == 0, result.output
    assert "20 frames of 64x48 px predicted by folded: " in result.stdout
    assert "frames/s (the video has 12.5); ms a frame: decode" in result.stdout
    assert " bounds" in result.stdout
    assert len(read_clip(out / "overlay.avi")) == 20
    summary = json.loads((out / "summary.json").read_text())
    assert summary["smoothing"] == 0.5
    assert summary["protocol"].endswith("flip")
    assert len(summary["weights"]) == 64


def test_frames_and_outputs_can_be_left_out(
    scene_weights: Path, clip: Path, tmp_path: Path
) -> None:
    options = ("--frames", 2, "--no-masks", "--no-overlay", "--backend", "folded")
    assert call("video", scene_weights, clip, "--out", tmp_path / "out", *options).exit_code == 0
    assert len((tmp_path / "out" / "timings.csv").read_text().splitlines()) == 3
    assert not (tmp_path / "out" / "masks").exists()


def test_a_truncated_video_is_said_with_exit_code_one(
    scene_weights: Path, clip: Path, tmp_path: Path
) -> None:
    content = clip.read_bytes()
    clip.write_bytes(content[: int(len(content) * 0.9)])
    result = call("video", scene_weights, clip, "--out", tmp_path / "out", "--backend", "folded")
    assert result.exit_code == 1
    assert "clip.avi is cut off: it should have 20 frames, and " in result.stderr


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("none.mp4",), 1, "none.mp4: no such video or folder of frames; a camera is camera:0"),
        (("camera:77",), 1, "camera:77: cannot be opened"),
        (("CLIP", "--smoothing", 1), 2, "smoothing must be 0 or more and below 1, got 1"),
        (("CLIP", "--codec", "x264"), 2, "unknown codec 'x264'"),
        (("CLIP", "--fps", 0), 2, "fps must lie between 0 and 1000, got 0"),
    ],
)
def test_mistakes_get_one_line(
    words: tuple[object, ...],
    code: int,
    message: str,
    scene_weights: Path,
    clip: Path,
    tmp_path: Path,
) -> None:
    told = [clip if word == "CLIP" else word for word in words]
    options = ("--out", tmp_path / "out", "--backend", "folded")
    result = call("video", scene_weights, *told, *options)
    assert result.exit_code == code
    assert message in " ".join(result.stderr.split())
    assert "Traceback" not in result.output


def test_predict_knows_who_is_asked_for_videos(scene_weights: Path, clip: Path) -> None:
    result = call("predict", scene_weights, clip)
    assert result.exit_code == 2
    assert "clip.avi is a video: segnext video WEIGHTS" in " ".join(result.stderr.split())


@pytest.mark.skipif(sys.platform == "win32", reason="SIGINT to one process is POSIX")
def test_ctrl_c_leaves_a_video_that_plays(scene_weights: Path, tmp_path: Path) -> None:
    clip, out = write_clip(tmp_path / "long.avi", draw_frames(5000)), tmp_path / "out"
    words = [sys.executable, "-m", "segnext", "video", str(scene_weights), str(clip)]
    words += ["--out", str(out), "--backend", "folded", "--threads", "1"]
    timings = out / "timings.csv"
    deadline = time.monotonic() + 300
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=os.environ) as process:
        try:
            while not (timings.exists() and timings.read_text().count("\n") > 3):
                assert time.monotonic() < deadline
                assert process.poll() is None
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=300)
        finally:
            process.kill()
    assert process.returncode == 130, said
    done = json.loads((out / "summary.json").read_text())["frames"]
    assert 3 <= done < 5000
    assert f"long.avi: stopped; the {done} frames before are in" in " ".join(said.split())
    assert len(said.splitlines()) == 1
    assert len(read_clip(next(out.glob("overlay.*")))) == done
    assert len(list((out / "masks").iterdir())) == done
    assert timings.read_text().count("\n") == 1 + done
