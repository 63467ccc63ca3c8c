import io
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from segnext.data.headers import parse_header
from segnext.data.images import decode_image
from segnext.data.jpeg_limits import MOST_SCANS, has_too_many_scans
from segnext.errors import DataError
from segnext.serve.intake import check_picture
from segnext.serve.refusals import RefusalError

PHOTO = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)


def encode(**options: object) -> bytes:
    content = io.BytesIO()
    PIL.Image.fromarray(PHOTO).save(content, "JPEG", **options)
    return content.getvalue()


@pytest.mark.parametrize(
    "options",
    [{}, {"progressive": True}, {"restart_marker_blocks": 1}, {"comment": b"\xff\xda" * 99}],
)
def test_usual_files_pass(options: dict[str, object]) -> None:
    assert not has_too_many_scans(encode(**options))


def test_scans_without_end_are_refused() -> None:
    data = encode(progressive=True)
    last = data.rindex(b"\xff\xda")
    bomb = data[:last] + data[last:-2] * (MOST_SCANS + 1) + data[-2:]
    with pytest.raises(RefusalError, match="a JPEG of more than 64 scans") as caught:
        check_picture(bomb, channels=3, max_pixels=10_000)
    assert caught.value.status == 415
    path = Path("a.jpg")
    with pytest.raises(DataError, match="a JPEG of more than 64 scans; save it anew"):
        decode_image(bomb, parse_header(bomb, path), path)


def test_what_lies_behind_the_end_does_not_count() -> None:
    assert not has_too_many_scans(encode() + b"\xff\xda\0\2" * 500)


def test_cut_off_anywhere() -> None:
    data = encode(progressive=True)
    for length in range(2, len(data), 7):
        assert not has_too_many_scans(data[:length])
