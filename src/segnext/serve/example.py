"""A picture to begin with: a synthetic scene, drawn at start, nobody's photograph."""

import io

import PIL.Image
import tifffile

from segnext.classes import Classes
from segnext.data.synthetic import SCENE_DOMAINS, draw_scene

_SEED, _INDEX = 7, 0
_WIDTH, _HEIGHT = 640, 480


def draw_example(classes: Classes, channels: int) -> bytes | None:
    """Draw a scene that suits a model, as PNG or, for other than 1 or 3 channels, as TIFF.

    Args:
        classes: Of the model; the domain that shares most of their names is taken.
        channels: That the model takes.

    Returns:
        The file's bytes; `None` where no scene has as many channels.
    """
    fitting = []
    for name, domain in SCENE_DOMAINS.items():
        image, _ = draw_scene(_SEED, _INDEX, width=64, height=64, domain=name)
        if image.shape[2] == channels:
            fitting.append((len(set(domain.classes.names) & set(classes.names)), name))
    if not fitting:
        return None
    # The first of those that share as many: streets, before what is more special.
    best = max(fitting, key=lambda entry: entry[0])[1]
    image, _ = draw_scene(_SEED, _INDEX, width=_WIDTH, height=_HEIGHT, domain=best)
    content = io.BytesIO()
    if channels in (1, 3) and image.dtype.itemsize == 1:
        PIL.Image.fromarray(image[..., 0] if channels == 1 else image).save(content, "PNG")
    else:
        tifffile.imwrite(
            content, image, photometric="minisblack", planarconfig="contig", metadata=None
        )
    return content.getvalue()
