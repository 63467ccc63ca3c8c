"""What size a picture is resized to by a protocol.

Sizes are (height, width) in pixels.
"""

from segnext.protocol import Protocol

Size = tuple[int, int]


def resized_sizes(size: Size, protocol: Protocol, scale: float = 1.0) -> list[Size]:
    """Return the sizes that a picture takes one after the other on its way to the network.

    Args:
        size: Of the picture.
        protocol: Its short side or box, rounding and `resize_to_multiple`.
        scale: One of its scales.

    Returns:
        One size, or a second where sides are then stretched to multiples. Padding is not in them.
    """
    fitted = _fit(size, protocol, scale)
    if protocol.resize_to_multiple is None:
        return [fitted]
    return [fitted, round_up(fitted, protocol.resize_to_multiple)]


def round_up(size: Size, multiple: int) -> Size:
    """Return the least size whose sides are multiples and no shorter."""
    height, width = (-(-side // multiple) * multiple for side in size)
    return height, width


def _fit(size: Size, protocol: Protocol, scale: float) -> Size:
    mmcv = protocol.rounding == "mmcv"
    if protocol.box is not None:
        # MultiScaleFlipAug of mmseg 0.x cuts the scaled box to whole pixels.
        long, short = (int(side * scale) for side in protocol.box)
        factor = min(long / max(size), short / min(size))
    elif protocol.short_side is not None:
        factor = scale * (protocol.short_side / min(size))
    elif mmcv:
        # Its Resize(scale_factor=...) makes a box of the scaled picture and fits the picture in it.
        scaled = [int(side * scale + 0.5) for side in size]
        factor = min(max(scaled) / max(size), min(scaled) / min(size))
    else:
        factor = scale
    height, width = (
        max(1, int(side * factor + 0.5) if mmcv else round(side * factor)) for side in size
    )
    return height, width
