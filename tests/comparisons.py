"""Made-up comparisons, with runs that nobody trained."""

from typing import Any

from segnext.compare.config import CompareConfig
from segnext.compare.measuring import Measured
from segnext.compare.running import SystemRun, tell

SMALL = {
    "depths": [1, 1, 1, 1],
    "embed_dims": [8, 16, 24, 32],
    "decoder_width": 32,
    "rank": 4,
}


def build_config(**changes: Any) -> CompareConfig:
    values: dict[str, Any] = {
        "title": "Two & more",
        "source": "arXiv <1>",
        "seeds": [0, 1],
        "systems": [
            {"name": "first", "model": "segnext_tiny", "published": {"miou": 41.1}},
            {"name": "second", "model": "segnext_tiny", "model_options": {"gate": False}},
            {"name": "other's", "published": {"miou": 37.0, "cityscapes_miou": 76.2}},
        ],
    }
    return CompareConfig(**{**values, **changes})


def make_run(config: CompareConfig, name: str, seed: int, miou: float) -> SystemRun:
    system = next(one for one in config.systems if one.name == name)
    return SystemRun(
        system=name,
        seed=seed,
        weights=f"runs/{name}/seed_{seed}/best.safetensors",
        scores={"miou": miou, "iou road": miou + 10, "iou sky": miou - 10},
        curve=[(10, miou - 5), (20, miou)],
        steps=20,
        seconds=120.0,
        told=tell(system, config),
    )


def make_measured(parameters: int, milliseconds: float) -> Measured:
    return Measured(
        parameters=parameters,
        macs=3 * parameters,
        milliseconds={"eager": milliseconds, "auto": milliseconds / 2},
        memory_mb={"eager": 100.0},
        backends={"eager": "eager", "auto": "openvino"},
        why_not={},
    )
