"""The part of `segnext predict` that is about maps."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from segnext.cli.progress import counting_bar
from segnext.errors import SegnextError
from segnext.protocol import Protocol

if TYPE_CHECKING:
    from segnext.inference.backends import Runner
    from segnext.maps import MapOptions, PredictedMap


def predict_maps(
    networks: "Sequence[Runner]",
    protocol: Protocol,
    maps: dict[str, Path],
    out: Path,
    options: "MapOptions",
    made_by: str,
) -> None:
    """Predict maps one after the other and say what became of each.

    Args:
        networks: One, or an ensemble.
        protocol: As asked for; what is not for maps is left out, and that is said.
        maps: Path by output name.
        out: Output folder.
        options: What is written, and how the files are read.
        made_by: Fingerprint of the weights.

    Raises:
        typer.Exit: With code 1, if a map failed.
    """
    from segnext.maps import map_protocol, predict_map
    from segnext.predict import Predictor

    console = Console(soft_wrap=True, highlight=False, markup=False)
    errors = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    plain, left_out = map_protocol(protocol)
    if left_out:
        errors.print(
            f"maps are predicted at their own size, in one view: without {' and '.join(left_out)}"
        )
    predictor = Predictor(networks, protocol=plain)
    failed = []
    for name, path in maps.items():
        try:
            with counting_bar(name) as show:
                result = predict_map(
                    predictor, path, out, name, options, made_by=made_by, on_block=show
                )
        except SegnextError as error:
            failed.append(str(error))
        else:
            console.print(_describe(result, predictor.backend))
    if failed:
        errors.print(f"{len(failed)} failed:")
        for problem in failed:
            errors.print(f"  {problem}")
        raise typer.Exit(1)


def _describe(result: "PredictedMap", backend: str) -> str:
    did = "was there already" if result.skipped else f"predicted by {backend}"
    total = max(1, sum(result.areas.pixels.values()))
    shares = [
        f"{name} {pixels / total:.0%}"
        for name, pixels in sorted(result.areas.pixels.items(), key=lambda entry: -entry[1])[:3]
        if pixels
    ]
    return f"{result.labels}: {did}; {', '.join(shares) or 'no data'}"
