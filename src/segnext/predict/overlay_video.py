"""A video file written frame by frame, with the first codec that this OpenCV can write."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import cv2

from segnext.drawing import Picture
from segnext.errors import SegnextError, UsageError, describe_unknown
from segnext.storage import replace_atomically


class Codec(NamedTuple):
    """What OpenCV calls a codec, and the file it goes into."""

    fourcc: str
    suffix: str


# The best first: browsers play H.264, which few builds of OpenCV can write; nearly all write
# MPEG-4, and all write Motion JPEG.
CODECS = {
    "h264": Codec("avc1", ".mp4"),
    "mpeg4": Codec("mp4v", ".mp4"),
    "mjpeg": Codec("MJPG", ".avi"),
}


class OverlayVideo:
    """A video that is being written.

    Args:
        writer: An open writer of OpenCV.
        codec: Its name in `CODECS`.
        path: Where the file will be.

    Attributes:
        frames: How many it has.
    """

    def __init__(self, writer: Any, codec: str, path: Path) -> None:
        self._writer = writer
        self.codec = codec
        self.path = path
        self.frames = 0

    def write(self, picture: Picture, copies: int = 1) -> None:
        """Append a frame (H, W, 3), RGB, as often as wanted."""
        height, width = picture.shape[:2]
        # The coder drops the last row or column of an odd size; better that it drops copies.
        even = cv2.copyMakeBorder(picture, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        stored = cv2.cvtColor(even, cv2.COLOR_RGB2BGR)
        for _ in range(copies):
            self._writer.write(stored)
        self.frames += copies


@contextmanager
def open_overlay_video(
    path: Path, size: tuple[int, int], fps: float, codec: str = "auto"
) -> Iterator[OverlayVideo]:
    """Write a video, which appears under its name when all is well at the end.

    Args:
        path: Without suffix, which follows from the codec.
        size: Height and width of the frames. Codecs know even sides only: one row or column is
            repeated at an odd one.
        fps: Frames per second.
        codec: A name of `CODECS`, or `auto` for the first that can be written.

    Raises:
        UsageError: The codec is unknown, or this OpenCV cannot write it.
        SegnextError: The file cannot be written.
    """
    height, width = size[0] + size[0] % 2, size[1] + size[1] % 2
    codec = _choose_codec(codec, (width, height), fps)
    suffix = CODECS[codec].suffix
    final = path.with_name(path.name + suffix)
    with replace_atomically(final, ending=f".tmp{suffix}") as temporary:
        writer = _open_writer(temporary, codec, (width, height), fps)
        video = OverlayVideo(writer, codec, final)
        try:
            yield video
        finally:
            writer.release()
        if not _kept_all(temporary, video.frames):
            msg = f"{final}: cannot be written to its end (is the disk full?)"
            raise SegnextError(msg)


def check_codec(codec: str) -> None:
    """Refuse a codec that is not known.

    Raises:
        UsageError: It is neither `auto` nor a name of `CODECS`.
    """
    if codec != "auto" and codec not in CODECS:
        raise UsageError(describe_unknown("codec", codec, ["auto", *CODECS]))


def _choose_codec(codec: str, size: tuple[int, int], fps: float) -> str:
    """Return the codec to write with; OpenCV only tells by trying."""
    check_codec(codec)
    candidates = list(CODECS) if codec == "auto" else [codec]
    with tempfile.TemporaryDirectory() as folder:
        for name in candidates:
            writer = _open_writer(Path(folder, f"trial{CODECS[name].suffix}"), name, size, fps)
            works = writer.isOpened()
            writer.release()
            if works:
                return name
    msg = (
        f"this OpenCV cannot write {' or '.join(candidates)} ({size[0]}x{size[1]} px, {fps:g} "
        f"frames a second); take another --codec, or --no-overlay"
    )
    raise UsageError(msg)


def _open_writer(path: Path, codec: str, size: tuple[int, int], fps: float) -> Any:
    fourcc = cv2.VideoWriter.fourcc(*CODECS[codec].fourcc)
    return cv2.VideoWriter(str(path), fourcc, fps, size)


def _kept_all(path: Path, frames: int) -> bool:
    """Tell whether a file holds so many frames, for OpenCV reports no error of writing."""
    capture = cv2.VideoCapture(str(path))
    try:
        complete = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) == frames
        capture.set(cv2.CAP_PROP_POS_FRAMES, frames - 1)
        return complete and bool(capture.read()[0])
    finally:
        capture.release()
