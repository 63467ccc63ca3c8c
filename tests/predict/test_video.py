import csv
import itertools
import json
import signal
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pictures import save_picture
from segnext.errors import DataError, SegnextError, UsageError
from segnext.predict import Predictor, open_footage, write_video
from segnext.stopping import StoppedError
from videos import FakeCamera, count_stages, draw_frames, read_clip, write_clip


@pytest.fixture(scope="module")
def predictor(scene_weights: Path) -> Predictor:
    return Predictor(scene_weights, device="cpu", backend="folded")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.avi", draw_frames(20))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "timings.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def check_that_all_have(out: Path, frames: int) -> None:
    """Everything that was written has as many frames."""
    (overlay,) = out.glob("overlay.*")
    assert len(read_clip(overlay)) == frames
    assert len(list((out / "masks").iterdir())) == frames
    assert len(rows(out)) == frames
    assert json.loads((out / "summary.json").read_text())["frames"] == frames
    assert not list(out.glob(".*"))
    assert count_stages() == 0


def test_frames_come_lazily_with_index_and_time(predictor: Predictor, clip: Path) -> None:
    results = predictor.predict_video(clip)
    assert count_stages() == 0
    first, second = next(results), next(results)
    assert (first.frame.index, second.frame.index) == (0, 1)
    assert second.frame.time_s == pytest.approx(0.08)
    assert first.prediction.mask.shape == (48, 64)
    results.close()
    assert count_stages() == 0


def test_every_frame_has_the_labels_of_the_picture(predictor: Predictor, clip: Path) -> None:
    images = [frame.image for frame in open_footage(clip).frames()]
    for results in (predictor.predict_video(clip), predictor.predict_video(open_footage(clip))):
        for result, image in zip(results, images, strict=True):
            assert np.array_equal(result.frame.image, image)
            assert np.array_equal(result.prediction.mask, predictor(image).mask)


def test_smoothing_begins_with_the_pictures_own_labels_and_lags(
    predictor: Predictor, clip: Path
) -> None:
    plain = [result.prediction for result in predictor.predict_video(clip)]
    smooth = [result.prediction for result in predictor.predict_video(clip, smoothing=0.8)]
    assert np.array_equal(smooth[0].mask, plain[0].mask)
    assert any(not np.array_equal(a.mask, b.mask) for a, b in zip(smooth, plain, strict=True))

    def unrest(predictions: list[Any]) -> int:
        pairs = itertools.pairwise(predictions)
        return sum(int((a.mask != b.mask).sum()) for a, b in pairs)

    assert unrest(smooth) < unrest(plain)
    assert smooth[-1].confidence.shape == (48, 64)


def test_smoothing_needs_probabilities(
    predictor: Predictor, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("segnext.inference.Runner.output", "labels")
    with pytest.raises(UsageError, match="this file gives labels; export with --output logits"):
        predictor.predict_video(clip, smoothing=0.5)


def test_overlay_masks_and_timings(predictor: Predictor, clip: Path, out: Path) -> None:
    seen = []
    report = write_video(
        predictor, clip, out, made_by="x", on_frame=lambda done, total: seen.append((done, total))
    )
    check_that_all_have(out, 20)
    assert (report.frames, report.declared, report.passed, report.ended) == (20, 20, 0, "complete")
    assert (report.width, report.height, report.fps) == (64, 48, 12.5)
    assert seen == [(done, 20) for done in range(1, 21)]
    for index, result in enumerate(predictor.predict_video(clip)):
        with Image.open(out / "masks" / f"{index:06d}.png") as stored:
            assert stored.mode == "P"
            assert np.array_equal(np.array(stored), result.prediction.mask)
    last = read_clip(next(out.glob("overlay.*")))[-1]
    assert np.abs(last.astype(int) - result.prediction.overlay()).mean() < 10
    timed = rows(out)
    assert [row["frame"] for row in timed] == [str(index) for index in range(20)]
    assert timed[-1]["time_s"] == "1.520"
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["weights"], summary["backend"]) == ("x", "folded")
    for stage in ("decode", "inference", "encode"):
        mean = sum(float(row[f"{stage}_ms"]) for row in timed[1:]) / 19
        assert summary["mean_ms"][stage] == pytest.approx(mean, abs=0.02)
    assert summary["bound_by"] == max(summary["mean_ms"], key=summary["mean_ms"].get)


def test_only_what_is_wanted(predictor: Predictor, clip: Path, out: Path) -> None:
    report = write_video(predictor, clip, out, overlay=False, masks=False, limit=3)
    assert sorted(path.name for path in out.iterdir()) == ["summary.json", "timings.csv"]
    assert (report.frames, report.codec, report.ended) == (3, None, "limit")
    assert len(rows(out)) == 3


def test_masks_of_a_folder_have_the_frames_names(predictor: Predictor, tmp_path: Path) -> None:
    for number, frame in zip((9, 10), draw_frames(2), strict=True):
        save_picture(tmp_path / "frames" / f"shot_{number}.png", frame)
    out = tmp_path / "out"
    report = write_video(predictor, tmp_path / "frames", out, fps=5)
    assert (report.frames, report.fps) == (2, 5)
    assert sorted(path.name for path in (out / "masks").iterdir()) == ["shot_10.png", "shot_9.png"]
    for number in (9, 10):
        with Image.open(out / "masks" / f"shot_{number}.png") as stored:
            expected = predictor(tmp_path / "frames" / f"shot_{number}.png").mask
            assert np.array_equal(np.array(stored), expected)


def test_a_truncated_file_ends_with_what_was_there(
    predictor: Predictor, clip: Path, out: Path
) -> None:
    content = clip.read_bytes()
    clip.write_bytes(content[: int(len(content) * 0.9)])
    report = write_video(predictor, clip, out)
    assert report.ended == "cut off"
    assert 10 < report.frames < 20
    assert report.declared == 20
    check_that_all_have(out, report.frames)


def test_a_broken_frame_ends_it_with_the_frames_before(
    predictor: Predictor, tmp_path: Path, out: Path
) -> None:
    for number, frame in enumerate(draw_frames(4)):
        save_picture(tmp_path / "frames" / f"{number}.png", frame)
    (tmp_path / "frames" / "3.png").write_bytes(b"broken")
    with pytest.raises(SegnextError, match=r"3\.png: .*; the 3 frames before are in .*out"):
        write_video(predictor, tmp_path / "frames", out)
    check_that_all_have(out, 3)
    assert json.loads((out / "summary.json").read_text())["ended"] == "failed"


def fail_at(count: int, error: Exception) -> Any:
    """Return a method that does as before `count` times and then raises."""
    calls = iter(range(count))

    def fail(before: Any) -> Any:
        def call(*words: Any, **more: Any) -> Any:
            if next(calls, None) is None:
                raise error
            return before(*words, **more)

        return call

    return fail


@pytest.mark.parametrize(
    ("stage", "error", "message"),
    [
        ("decode", DataError("the tape tore"), "the tape tore; the 5 frames before are in"),
        ("inference", RuntimeError("no memory\nat all"), "frame 5: RuntimeError: no memory; the 5"),
        ("encode", OSError(28, "No space left on device"), "cannot be written .No space left"),
    ],
)
def test_an_error_in_any_stage_stops_all_of_them(
    stage: str,
    error: Exception,
    message: str,
    scene_weights: Path,
    clip: Path,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    predictor = Predictor(scene_weights, device="cpu", backend="folded")
    footage, fail = open_footage(clip), fail_at(5, error)
    if stage == "decode":
        monkeypatch.setattr(footage, "read", fail(footage.read))
    elif stage == "inference":
        monkeypatch.setattr(predictor, "predict", fail(predictor.predict))
    else:
        monkeypatch.setattr("os.fsync", fail(lambda _: None))
    with pytest.raises(SegnextError, match=message) as raised:
        write_video(predictor, footage, out)
    monkeypatch.undo()
    assert "\n" not in str(raised.value)
    assert count_stages() == 0
    if stage != "encode":  # a disk that is full takes no summary, either
        check_that_all_have(out, 5)


def test_nothing_is_made_where_the_first_frame_fails(
    predictor: Predictor, tmp_path: Path, out: Path
) -> None:
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "0.png").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"0\.png: not a JPEG"):
        write_video(predictor, tmp_path / "frames", out)
    assert not out.exists()


def test_no_empty_overlay_is_left_where_the_first_mask_fails(
    predictor: Predictor, clip: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fsync", fail_at(0, OSError(28, "No space left"))(None))
    with pytest.raises(SegnextError, match=r"000000\.png: cannot be written \(No space left\)"):
        write_video(predictor, clip, out)
    assert not [path for path in out.rglob("*") if path.suffix in {".png", ".mp4", ".avi"}]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_what_was_done(
    number: signal.Signals, predictor: Predictor, clip: Path, out: Path
) -> None:
    def interrupt(done: int, _total: int | None) -> None:
        if done == 7:
            signal.raise_signal(number)

    with pytest.raises(StoppedError, match=r"stopped; the 7 frames before are in .*out") as raised:
        write_video(predictor, clip, out, on_frame=interrupt)
    assert raised.value.exit_code == 128 + number
    check_that_all_have(out, 7)
    assert json.loads((out / "summary.json").read_text())["ended"] == "stopped"


def test_a_camera_is_not_waited_for_and_keeps_its_clock(
    predictor: Predictor, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_come = threading.Semaphore(0)
    camera = FakeCamera(draw_frames(40), fps=10, pace=may_come)
    camera.plug_in(monkeypatch)
    clock = iter(np.arange(0, 10, 0.1))
    monkeypatch.setattr("segnext.predict.footage.time.monotonic", lambda: float(next(clock)))

    def go_on(done: int, total: int | None) -> None:
        # Twenty more while one was written.
        assert total is None
        for _ in range(21 if done == 1 else 1):
            may_come.release()

    may_come.release()
    report = write_video(predictor, "camera:0", out, on_frame=go_on)
    assert (report.declared, report.ended, report.fps) == (None, "complete", 10)
    assert camera.released
    indices = [int(row["frame"]) for row in rows(out)]
    assert indices == sorted(set(indices))
    assert report.frames < 40
    assert report.passed == indices[-1] + 1 - report.frames > 0
    (overlay,) = out.glob("overlay.*")
    # One after each tenth of a second, whatever was let pass in between.
    assert len(read_clip(overlay)) == indices[-1] + 1
    names = sorted(path.stem for path in (out / "masks").iterdir())
    assert names == [f"{index:06d}" for index in indices]


def test_a_silent_stage_holds_few_frames(
    predictor: Predictor, clip: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    footage = open_footage(clip)
    taken = 0
    frames = footage.frames

    def count() -> Generator[Any]:
        nonlocal taken
        for frame in frames():
            taken += 1
            yield frame

    monkeypatch.setattr(footage, "frames", count)
    most = 0

    def watch(done: int, _total: int | None) -> None:
        nonlocal most
        most = max(most, taken - done)

    write_video(predictor, footage, out, on_frame=watch)
    assert taken == 20
    assert most <= 8


def test_another_runs_files_stay(predictor: Predictor, clip: Path, out: Path) -> None:
    write_video(predictor, clip, out, limit=1)
    with pytest.raises(UsageError, match="out holds masks of an earlier run; choose another --out"):
        write_video(predictor, clip, out)
    check_that_all_have(out, 1)


def test_wrong_values_are_said_before_anything_is_made(
    predictor: Predictor, clip: Path, out: Path
) -> None:
    with pytest.raises(UsageError, match="unknown codec 'avc'"):
        write_video(predictor, clip, out, codec="avc")
    with pytest.raises(UsageError, match="smoothing must be 0 or more and below 1, got 1"):
        write_video(predictor, clip, out, smoothing=1)
    assert not out.exists()
