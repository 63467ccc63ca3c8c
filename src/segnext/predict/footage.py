"""Moving pictures as a row of frames: a video file, a folder of frames, a camera, a stream."""

import re
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2

from segnext.data.images import IMAGE_SUFFIXES, Image, read_image
from segnext.errors import DataError, UsageError

# Where nothing says how fast frames follow each other, as in FFmpeg.
DEFAULT_FPS = 25.0
# Without it a stream that fell silent is waited for half a minute.
STREAM_TIMEOUT_MS = 10_000
# What `segnext predict` takes for videos; here the content decides.
VIDEO_SUFFIXES = frozenset(
    {".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ts", ".webm", ".wmv"}
)


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of several that follow each other.

    Attributes:
        index: Place in the footage, from 0; of a camera, frames that were let pass count as well.
        time_s: Seconds since the footage began.
        name: What files made from this frame are called, without suffix.
        image: (H, W, C) uint8 or uint16, RGB order.
        decode_ms: Milliseconds that reading took.
    """

    index: int
    time_s: float
    name: str
    image: Image
    decode_ms: float


class Footage(ABC):
    """Frames that follow each other; read once, from the first to the last.

    Args:
        name: What messages call it.
        fps: Frames per second.
        count: Frames that the source declares to have, `None` where it says nothing.
        live: Frames come when they come, and are lost if nobody takes them.
    """

    def __init__(self, name: str, *, fps: float, count: int | None, live: bool) -> None:
        self.name = name
        self.fps = fps
        self.count = count
        self.live = live

    def frames(self) -> Generator[Frame]:
        """Read the frames one after the other.

        Raises:
            DataError: There is none, one cannot be read, or it has another size than the first.
        """
        index, before, size = 0, -1.0, None
        try:
            while True:
                begin = time.perf_counter()
                image = self.read()
                decode_ms = 1000 * (time.perf_counter() - begin)
                if image is None:
                    break
                size = size or image.shape
                self._check_size(image, size, index)
                time_s = self.time_s(index)
                if time_s <= before:  # some containers do not say, or say nonsense
                    time_s = before + 1 / self.fps
                yield Frame(index, time_s, self.frame_name(index), image, decode_ms)
                index, before = index + 1, time_s
            if index == 0:
                msg = f"{self.name}: no frame could be read"
                raise DataError(msg)
        finally:
            self.close()

    @abstractmethod
    def read(self) -> Image | None:
        """Return the next frame, (H, W, C); `None` at the end."""

    def time_s(self, index: int) -> float:
        """Return when the frame that was just read is to be shown, in seconds."""
        return index / self.fps

    def frame_name(self, index: int) -> str:
        """Return what files made from a frame are called."""
        return f"{index:06d}"

    def close(self) -> None:  # noqa: B027  # most sources hold nothing
        """Let go of the source."""

    def _check_size(self, image: Image, first: tuple[int, ...], index: int) -> None:
        if image.shape != first:
            sizes = [f"{width}x{height}" for height, width, _ in (image.shape, first)]
            msg = (
                f"{self.name}: frame {self.frame_name(index)} has {sizes[0]} px, the first one "
                f"{sizes[1]}; the frames of a video have one size"
            )
            raise DataError(msg)


class FolderFootage(Footage):
    """Pictures of a folder, in the order of their names; 10 comes after 9.

    Args:
        folder: Holds them; folders in it are not looked into.
        channels: Of the model.
        fps: Frames per second.

    Raises:
        DataError: The folder holds no picture.
    """

    def __init__(self, folder: Path, channels: int, fps: float) -> None:
        paths = [p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file()]
        if not paths:
            kinds = ", ".join(sorted(IMAGE_SUFFIXES))
            msg = f"{folder}: no frames in this folder ({kinds})"
            raise DataError(msg)
        super().__init__(str(folder), fps=fps, count=len(paths), live=False)
        self._paths = sorted(paths, key=_natural_order)
        self._stems = Counter(path.stem for path in paths)
        self._channels = channels
        self._next = iter(self._paths)

    def read(self) -> Image | None:
        """Read the next picture as `read_image` does."""
        path = next(self._next, None)
        return None if path is None else read_image(path, self._channels)

    def frame_name(self, index: int) -> str:
        """Return the picture's own name, with its suffix only where another has the same."""
        path = self._paths[index]
        return path.stem if self._stems[path.stem] == 1 else path.name


class CapturedFootage(Footage):
    """What OpenCV opens: a file, a camera or a stream.

    Args:
        source: Path, URL, or the number of a camera.
        name: What messages call it.
        channels: Of the model, 3 or 1.
        fps: Frames per second where the source does not tell.

    Raises:
        DataError: It cannot be opened.
    """

    def __init__(self, source: str | int, name: str, channels: int, fps: float) -> None:
        self._is_stream = isinstance(source, str) and "://" in source
        self._capture = _open_capture(source, is_stream=self._is_stream)
        if not self._capture.isOpened():
            raise DataError(_cannot_open(source, name))
        count = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        told = float(self._capture.get(cv2.CAP_PROP_FPS))
        super().__init__(
            name,
            # Streams are known to tell the ticks of their clock, such as 90000.
            fps=told if 0 < told <= 1000 else fps,
            count=count if count > 0 else None,
            live=isinstance(source, int) or (self._is_stream and count <= 0),
        )
        self._channels = channels
        self._begin: float | None = None

    def read(self) -> Image | None:
        """Return the next frame in RGB or grey."""
        there, picture = self._capture.read()
        if not there:
            return None
        if self._channels == 1:
            grey: Image = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)[..., None]
            return grey
        color: Image = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        return color

    def time_s(self, index: int) -> float:
        """Return the time that the file gives, or of live footage the time that has passed."""
        if not self.live:
            return float(self._capture.get(cv2.CAP_PROP_POS_MSEC)) / 1000
        now = time.monotonic()
        self._begin = now if self._begin is None else self._begin
        return now - self._begin

    def close(self) -> None:
        """Give the camera, file or connection back."""
        self._capture.release()


def open_footage(source: str | Path, channels: int = 3, *, fps: float | None = None) -> Footage:
    """Open moving pictures.

    Args:
        source: A video file, a folder of frames, `camera:0`, or a URL that OpenCV understands, such
            as `rtsp://...`.
        channels: Of the model that is to see them; videos have 3, or 1 as grey.
        fps: Frames per second of a folder, and of what does not tell its own; 25 if not given.

    Raises:
        DataError: There is no such source, or it cannot be opened.
        UsageError: A value is out of range, or a video does not have the channels.
    """
    if fps is not None and not 0 < fps <= 1000:
        msg = f"fps must lie between 0 and 1000, got {fps:g}"
        raise UsageError(msg)
    fps = fps or DEFAULT_FPS
    path = Path(source)
    if path.is_dir():
        return FolderFootage(path, channels, fps)
    if channels not in (1, 3):
        msg = f"{source}: the model was trained on {channels} channels, and videos have 3"
        raise UsageError(msg)
    text = str(source)
    camera = re.fullmatch(r"camera:(\d+)", text)
    if camera:
        return CapturedFootage(int(camera[1]), text, channels, fps)
    if "://" in text:
        return CapturedFootage(text, _without_secrets(text), channels, fps)
    if not path.is_file():
        msg = f"{source}: no such video or folder of frames; a camera is camera:0, a stream a URL"
        raise DataError(msg)
    return CapturedFootage(text, text, channels, fps)


def _open_capture(source: str | int, *, is_stream: bool) -> Any:
    if not is_stream:
        return cv2.VideoCapture(source)
    timeouts = (cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, cv2.CAP_PROP_READ_TIMEOUT_MSEC)
    limits = [value for timeout in timeouts for value in (timeout, STREAM_TIMEOUT_MS)]
    return cv2.VideoCapture(source, cv2.CAP_ANY, limits)


def _cannot_open(source: str | int, name: str) -> str:
    if isinstance(source, int):
        return f"{name}: cannot be opened; is it there, allowed, and used by nobody else?"
    if "://" in source:
        return f"{name}: cannot be opened; is the address right, and does it answer?"
    return f"{name}: cannot be read as a video; it is broken, cut off or of an unknown kind"


def _without_secrets(url: str) -> str:
    """Return a URL without password and query, which often hold keys."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


def _natural_order(path: Path) -> list[tuple[int, str]]:
    parts = re.split(r"(\d+)", path.name)
    return [(int(part) if part.isdecimal() else -1, part) for part in parts]
