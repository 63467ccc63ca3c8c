"""Small videos, and cameras that need no hardware."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

Frames = Sequence[npt.NDArray[np.uint8]]


def draw_frames(count: int, *, width: int = 64, height: int = 48) -> list[npt.NDArray[np.uint8]]:
    """Return RGB frames of a bright square that moves to the right, 2 px a frame."""
    frames = []
    for index in range(count):
        frame = np.full((height, width, 3), (30, 60, 90), np.uint8)
        left = 2 * index % (width - 16)
        frame[16:32, left : left + 16] = (220, 180, 40)
        frames.append(frame)
    return frames


def write_clip(path: Path, frames: Frames, fps: float = 12.5) -> Path:
    """Write RGB frames as Motion JPEG, which every OpenCV can write and read."""
    height, width = frames[0].shape[:2]
    fourcc = cv2.VideoWriter.fourcc(*"MJPG")
    writer = cv2.VideoWriter(str(path), fourcc, fps, (width, height))
    assert writer.isOpened()
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()
    return path


def read_clip(path: Path) -> list[npt.NDArray[np.uint8]]:
    """Return all frames of a video in RGB."""
    capture = cv2.VideoCapture(str(path))
    assert capture.isOpened(), f"{path} cannot be played"
    frames = []
    while True:
        there, frame = capture.read()
        if not there:
            capture.release()
            return frames
        frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))


def count_stages() -> int:
    """Return how many stages run in threads at the moment."""
    return sum(thread.name == "run_ahead" for thread in threading.enumerate())


class FakeCamera:
    """Stands where `cv2.VideoCapture(0)` would: frames, then silence.

    Args:
        frames: RGB.
        fps: That it claims to have.
        pace: Set by the test whenever the next frame may come; at once without it.
    """

    def __init__(
        self, frames: Frames, fps: float = 10, pace: threading.Semaphore | None = None
    ) -> None:
        self._frames = iter(frames)
        self._fps = fps
        self._pace = pace
        self.released = False

    def isOpened(self) -> bool:
        return True

    def get(self, what: int) -> float:
        return {cv2.CAP_PROP_FPS: self._fps, cv2.CAP_PROP_FRAME_COUNT: -1}[what]

    def read(self) -> tuple[bool, Any]:
        if self._pace is not None:
            self._pace.acquire()
        frame = next(self._frames, None)
        return frame is not None, None if frame is None else cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)

    def release(self) -> None:
        self.released = True

    def plug_in(self, patch: pytest.MonkeyPatch, number: int = 0) -> None:
        """Make OpenCV find this camera."""
        real = cv2.VideoCapture
        patch.setattr(
            cv2,
            "VideoCapture",
            lambda source, *more: self if source == number else real(source, *more),
        )
