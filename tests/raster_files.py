"""Small maps on disk, and a model with something to say about them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt
import pyogrio
import rasterio
import shapely

from segnext.protocol import Protocol

if TYPE_CHECKING:
    from segnext.models import SegNeXt

UTM = "EPSG:32633"
WEST, NORTH = 500_000.0, 5_000_000.0
METRES = 0.5
# Squares of `write_squares` begin so many pixels apart.
APART = 100
# Of windows far smaller than these maps.
WINDOWS = Protocol(window=64, stride=32, overlap="blend")

# A SegNeXt of the real shape, small enough for a test of milliseconds.
_SIZES: dict[str, Any] = {
    "embed_dims": (8, 16, 16, 16),
    "depths": (1, 1, 1, 1),
    "mlp_ratios": (1, 1, 1, 1),
    "decoder_width": 32,
    "rank": 4,
}


def lively_network(channels: int = 3) -> "SegNeXt":
    """Return a model whose labels vary from place to place, the same on every call."""
    # Not at the top: tests that only read need not load torch.
    import torch

    from segnext.data.synthetic import SCENE_CLASSES
    from segnext.models import SegNeXt, SegNeXtConfig
    from segnext.weights import describe_model

    torch.manual_seed(0)
    config = SegNeXtConfig(num_classes=6, in_channels=channels, **_SIZES)
    model = SegNeXt(config).eval()
    classifier: Any = model.decoder.classifier
    torch.nn.init.normal_(classifier.weight, std=1.0)
    model.spec = describe_model(model, SCENE_CLASSES)
    return model


def noise(height: int, width: int, channels: int = 3, seed: int = 0) -> npt.NDArray[np.uint8]:
    """Return smooth noise (H, W, C) from 1 to 255."""
    coarse = np.random.default_rng(seed).integers(
        1, 256, (height // 8, width // 8, channels), dtype=np.uint8
    )
    return cv2.resize(coarse, (width, height)).reshape(height, width, channels)


def write_raster(
    path: Path,
    pixels: npt.NDArray[Any],
    *,
    metres: float = METRES,
    crs: str | None = UTM,
    west: float = WEST,
    **profile: Any,
) -> Path:
    """Write pixels (H, W, C) as a GeoTIFF whose upper left corner is at WEST, NORTH."""
    height, width, count = pixels.shape
    place = {
        "crs": crs,
        "transform": rasterio.Affine(metres, 0, west, 0, -metres, NORTH),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=height,
        width=width,
        count=count,
        dtype=pixels.dtype,
        **(place if crs else {}),
        **profile,
    ) as target:
        target.write(np.moveaxis(pixels, -1, 0))
    return path


def write_squares(path: Path, height: int, width: int, size: int = 20) -> Path:
    """Write squares of two classes in turns over a map of height x width pixels."""
    corners = [(x, y) for y in range(0, height, APART) for x in range(0, width, APART)]
    shapes = [
        shapely.box(
            WEST + METRES * x,
            NORTH - METRES * (y + size),
            WEST + METRES * (x + size),
            NORTH - METRES * y,
        )
        for x, y in corners
    ]
    pyogrio.raw.write(
        path,
        geometry=np.array(shapely.to_wkb(shapes), dtype=object),
        field_data=[np.array([["wood", "lake"][i % 2] for i in range(len(shapes))], dtype=object)],
        fields=["class"],
        geometry_type="Polygon",
        crs=UTM,
    )
    return path
