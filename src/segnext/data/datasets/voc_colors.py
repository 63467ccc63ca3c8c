"""The colours of Pascal VOC's palette, which many tools took over."""

from segnext.classes import Color


def voc_colors(count: int) -> tuple[Color, ...]:
    """Return the colours that Pascal VOC, and many tools after it, give to ids from 0 on.

    The bits of an id go to red, green and blue in turn, the lowest three to the highest bits.
    """
    colors: list[Color] = []
    for index in range(count):
        channels = [
            sum((index >> (3 * bit + channel) & 1) << (7 - bit) for bit in range(8))
            for channel in range(3)
        ]
        colors.append((channels[0], channels[1], channels[2]))
    return tuple(colors)
