"""TIFF files within bounds: few pages, and packed data that cannot outgrow the picture.

A TIFF may hold a million pages in its chain, and a packed strip may unfold to a thousand times its
size whatever the header declares. Decoders notice either too late.
"""

import io

import tifffile

from segnext.data.tiff_limits import unfolds_too_far, walk_pages
from segnext.serve.refusals import RefusalError

MOST_PAGES = 16
_MOST_STRIPS = 65_536
_MOST_BANDS = 64
_PLAIN = 1
_DEFLATE = (8, 32946)


def check_tiff(data: bytes, *, max_pixels: int) -> None:
    """Refuse a TIFF that would cost more than its header says.

    Args:
        data: The whole file.
        max_pixels: Most that are decoded.

    Raises:
        RefusalError: 415 for a packing that is not bounded here, 413 for a file that unfolds too
            far, 400 for a broken one.
    """
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            _check_pages(file)
            page = file.pages.first
            width, height = int(page.imagewidth), int(page.imagelength)
            if width * height > max_pixels:
                msg = (
                    f"picture: {width} x {height} is {width * height:,} pixels, this server takes "
                    f"{max_pixels:,}; make it smaller"
                )
                raise RefusalError(413, msg)
            _check_strips(page, data)
    except RefusalError:
        raise
    except Exception:  # tifffile raises about anything on hostile bytes
        msg = "picture: broken or truncated picture; copy it again or remove it"
        raise RefusalError(400, msg) from None


def _check_pages(file: tifffile.TiffFile) -> None:
    for count, _ in enumerate(walk_pages(file), start=1):
        if count > MOST_PAGES:
            msg = f"picture: a TIFF of more than {MOST_PAGES} pages; store one picture"
            raise RefusalError(415, msg)


def _check_strips(page: tifffile.TiffPage, data: bytes) -> None:
    compression = int(page.compression)
    if compression not in (_PLAIN, *_DEFLATE):
        msg = "picture: a packed TIFF; save it without compression or with deflate, or as PNG"
        raise RefusalError(415, msg)
    if int(page.samplesperpixel) > _MOST_BANDS or len(page.dataoffsets) > _MOST_STRIPS:
        msg = (
            f"picture: has {int(page.samplesperpixel)} channels in {len(page.dataoffsets)} strips; "
            f"at most {_MOST_BANDS} and {_MOST_STRIPS}"
        )
        raise RefusalError(422, msg)
    if unfolds_too_far(page, data):
        msg = "picture: its packed data unfold to more than its size says; save it anew"
        raise RefusalError(413, msg)
