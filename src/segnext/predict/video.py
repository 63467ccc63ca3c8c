"""A video to an overlay video, label frames and timings: decode, inference and encode overlap.

Each of the three runs in a thread of its own (`segnext.predict.ahead`) with few frames between
them, so memory does not depend on the length. What was written stays when a stage fails, the
source breaks off or somebody stops it.
"""

import contextlib
import csv
import json
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, TextIO

from segnext.classes import Classes
from segnext.drawing import write_mask_png
from segnext.errors import SegnextError, UsageError
from segnext.predict.ahead import run_ahead
from segnext.predict.footage import Footage, Frame, open_footage
from segnext.predict.overlay_video import CODECS, OverlayVideo, check_codec, open_overlay_video
from segnext.predict.predictor import FramePrediction, Predictor
from segnext.stopping import EXIT_CODES, StoppedError, listen_for_stop
from segnext.storage import write_atomically

STAGES = ("decode", "inference", "encode")

Ending = Literal["complete", "cut off", "limit", "stopped", "failed"]


@dataclass(frozen=True)
class VideoReport:
    """What became of a video.

    Attributes:
        source: What was predicted; a URL without its secrets.
        frames: Predicted and written.
        declared: Frames that the source says it has; `None` where it says nothing.
        passed: Frames of a camera or live stream that came too soon, and were let pass.
        width: Of the frames, in pixels.
        height: Of the frames, in pixels.
        fps: Frames per second of the source, and of the overlay.
        codec: Of the overlay; `None` without one.
        seconds: From the first frame asked for to the last one written.
        mean_ms: Milliseconds a frame that each stage worked, the first frame apart.
        bound_by: The stage that worked longest: a faster one of the others would gain nothing.
        ended: `complete`; `cut off` before the declared end; at the `limit` that was given;
            `stopped` by a signal; `failed` by an error.
    """

    source: str
    frames: int
    declared: int | None
    passed: int
    width: int
    height: int
    fps: float
    codec: str | None
    seconds: float
    mean_ms: dict[str, float]
    bound_by: str
    ended: Ending


def write_video(
    predictor: Predictor,
    source: str | Path | Footage,
    out: str | Path,
    *,
    smoothing: float = 0,
    fps: float | None = None,
    codec: str = "auto",
    overlay: bool = True,
    masks: bool = True,
    limit: int | None = None,
    made_by: str = "",
    on_frame: Callable[[int, int | None], None] = lambda _done, _total: None,
) -> VideoReport:
    """Predict a video and write what was asked for below `out`.

    Args:
        predictor: What predicts.
        source: As in `segnext.predict.open_footage`, or what it returned.
        out: Folder; gets `overlay.mp4` or `.avi`, `masks/NAME.png`, `timings.csv`, `summary.json`.
        smoothing: As in `Predictor.predict_video`.
        fps: As in `segnext.predict.open_footage`.
        codec: Of the overlay: `h264`, `mpeg4`, `mjpeg`, or `auto` for the first that OpenCV writes.
        overlay: Write the overlay video.
        masks: Write the labels of every frame.
        limit: Frames to predict at most.
        made_by: Fingerprint of the weights, from `fingerprint`.
        on_frame: Called after each frame with how many are done, and of how many if that is known.

    Raises:
        UsageError: A value is out of range, or `out` holds another video's files.
        SegnextError: A stage failed; the frames before it are written.
        StoppedError: SIGINT or SIGTERM asked to stop; the frames before it are written.
    """
    out = Path(out)
    check_codec(codec)
    _check_out(out)
    if not isinstance(source, Footage):
        source = open_footage(source, predictor.spec.normalization.channels, fps=fps)
    results = run_ahead(predictor.predict_video(source, smoothing=smoothing))
    writer = _Writer(out, predictor.spec.classes, source, codec, overlay=overlay, masks=masks)
    problem: SegnextError | None = None
    begin = time.perf_counter()
    with listen_for_stop() as stop, writer, contextlib.closing(results):
        try:
            for result in results:
                writer.write(result)
                on_frame(writer.frames, _smaller(source.count, limit))
                if stop.number or writer.frames == limit:
                    break
        # Whatever it is: the part that is done must get its end, and the error its line.
        except Exception as error:
            problem = _in_one_line(error, source, writer.frames)
            if not writer.frames:
                raise problem from error
    seconds = time.perf_counter() - begin
    ended = _find_ending(writer, source, limit, stopped=bool(stop.number), problem=problem)
    report = writer.report(seconds, ended)
    made = {
        "weights": made_by,
        "backend": predictor.backend,
        "protocol": predictor.protocol.describe(),
        "smoothing": smoothing,
    }
    write_atomically(out / "summary.json", json.dumps(asdict(report) | made, indent=1).encode())
    kept = f"the {report.frames} frames before are in {out}"
    if problem is not None:
        msg = f"{problem}; {kept}"
        raise SegnextError(msg) from problem
    if stop.number:
        msg = f"{report.source}: stopped; {kept}"
        raise StoppedError(msg, EXIT_CODES[signal.Signals(stop.number)])
    return report


class _Writer:
    """The encoding stage: an overlay video, label frames, and what everything took.

    Nothing is made before the first frame is there.

    Args:
        out: Folder.
        classes: Of the model.
        footage: Where the frames come from.
        codec: As in `write_video`.
        overlay: As in `write_video`.
        masks: As in `write_video`.
    """

    def __init__(
        self,
        out: Path,
        classes: Classes,
        footage: Footage,
        codec: str,
        *,
        overlay: bool,
        masks: bool,
    ) -> None:
        self.frames = 0
        self._out = out
        self._classes = classes
        self._footage = footage
        self._codec = codec
        self._wants_overlay = overlay
        self._wants_masks = masks
        self._closing = contextlib.ExitStack()
        self._overlay: OverlayVideo | None = None
        self._rows: TextIO | None = None
        self._last: Frame | None = None
        self._totals_ms = dict.fromkeys(STAGES, 0.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing.__exit__(kind, raised, traceback)

    def write(self, result: FramePrediction) -> None:
        """Write what was predicted of one frame."""
        begin = time.perf_counter()
        frame, mask = result.frame, result.prediction.mask
        if self._rows is None:
            self._rows = self._open(mask.shape)
        # The overlay last: it cannot fail here, so that all outputs have the same frames.
        if self._wants_masks:
            write_mask_png(self._out / "masks" / f"{frame.name}.png", mask, self._classes)
        if self._overlay is not None:
            self._overlay.write(result.prediction.overlay(), self._copies(frame, self._overlay))
        encode_ms = 1000 * (time.perf_counter() - begin)
        times = (frame.decode_ms, result.inference_ms, encode_ms)
        csv.writer(self._rows).writerow(
            (frame.index, frame.name, f"{frame.time_s:.3f}", *(f"{time:.2f}" for time in times))
        )
        if self.frames == 1:  # the first frame paid for warming up
            self._totals_ms = dict.fromkeys(STAGES, 0.0)
        for stage, spent in zip(STAGES, times, strict=True):
            self._totals_ms[stage] += spent
        self._last = frame
        self.frames += 1

    def report(self, seconds: float, ended: Ending) -> VideoReport:
        """Sum up."""
        assert self._last is not None
        height, width = self._last.image.shape[:2]
        counted = max(1, self.frames - 1)
        return VideoReport(
            source=self._footage.name,
            frames=self.frames,
            declared=self._footage.count,
            passed=self._last.index + 1 - self.frames,
            width=width,
            height=height,
            fps=self._footage.fps,
            codec=None if self._overlay is None else self._overlay.codec,
            seconds=round(seconds, 3),
            mean_ms={stage: round(total / counted, 2) for stage, total in self._totals_ms.items()},
            bound_by=max(self._totals_ms, key=self._totals_ms.__getitem__),
            ended=ended,
        )

    def _open(self, size: tuple[int, ...]) -> TextIO:
        if self._wants_overlay:
            video = open_overlay_video(
                self._out / "overlay", (size[0], size[1]), self._footage.fps, self._codec
            )
            self._overlay = self._closing.enter_context(video)
        self._out.mkdir(parents=True, exist_ok=True)
        path = self._out / "timings.csv"
        # Line by line: a recording that is killed has its timings up to there.
        rows = self._closing.enter_context(
            path.open("w", encoding="utf-8", newline="", buffering=1)
        )
        csv.writer(rows).writerow(("frame", "name", "time_s", *(f"{stage}_ms" for stage in STAGES)))
        return rows

    def _copies(self, frame: Frame, overlay: OverlayVideo) -> int:
        """Return how often to show a frame: live footage keeps its clock, whatever passed."""
        if not self._footage.live:
            return 1
        return max(1, round(frame.time_s * self._footage.fps) + 1 - overlay.frames)


def _find_ending(
    writer: _Writer,
    footage: Footage,
    limit: int | None,
    *,
    stopped: bool,
    problem: SegnextError | None,
) -> Ending:
    if problem is not None:
        return "failed"
    if stopped:
        return "stopped"
    if writer.frames == limit:
        return "limit"
    declared = footage.count or 0
    # Some containers' count is an estimate from the duration.
    return "cut off" if declared - writer.frames > max(1, declared // 100) else "complete"


def _in_one_line(error: Exception, footage: Footage, done: int) -> SegnextError:
    if isinstance(error, SegnextError):
        return error
    first_line = str(error).strip().partition("\n")[0]
    return SegnextError(f"{footage.name}, frame {done}: {type(error).__name__}: {first_line}")


def _smaller(count: int | None, limit: int | None) -> int | None:
    known = [number for number in (count, limit) if number is not None]
    return min(known, default=None)


def _check_out(out: Path) -> None:
    for name in ("masks", *(f"overlay{suffix}" for _, suffix in CODECS.values()), "timings.csv"):
        if (out / name).exists():
            msg = f"{out} holds {name} of an earlier run; choose another --out, or move it away"
            raise UsageError(msg)
