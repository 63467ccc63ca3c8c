"""Weights, models and exported files to networks that are ready to run."""

import logging
from collections.abc import Sequence
from pathlib import Path

from segnext.errors import UsageError
from segnext.inference.backends import AUTO, Runner, is_exported, open_runner
from segnext.models import SegmentationModel
from segnext.spec import ModelSpec
from segnext.weights import load_models, spec_of
from segnext.weights.ensemble import check_same_classes
from segnext.weights.files import is_permissive

Source = SegmentationModel | Runner | str | Path

logger = logging.getLogger("segnext")


def open_networks(
    source: Source | Sequence[Source],
    *,
    backend: str | None = AUTO,
    device: str | None = None,
    threads: int | None = None,
    precision: str = "float32",
) -> list[Runner]:
    """Make one network, or those of an ensemble, ready to run.

    Args:
        source: A model, a runner, weights as `load_model` takes them, the folder of a
            cross-validation, or a file that `segnext export` wrote; or a list of these.
        backend: As in `open_runner`; `None` runs a model as it was trained, and a file in its own
            runtime.
        device: As in `open_runner`.
        threads: As in `open_runner`.
        precision: As in `open_runner`.

    Returns:
        Runners that know their spec, all with the same classes and normalisation.

    Raises:
        UsageError: A model has no spec, the networks differ, or the backend cannot be had.
        WeightsError: A file cannot be loaded.
    """
    sources = [source] if isinstance(source, Source) else list(source)
    if not sources:
        msg = "no weights given: an ensemble has one model or more"
        raise UsageError(msg)
    runners: list[Runner] = []
    for one in sources:
        if isinstance(one, Runner):
            runners.append(one)
            continue
        exported = is_exported(one)
        chosen = backend or (AUTO if exported else "eager")
        for network in [one] if exported else load_models(one):
            runner = open_runner(
                network, backend=chosen, device=device, threads=threads, precision=precision
            )
            if exported:
                _say_terms(runner.name, spec_of(runner))
            runners.append(runner)
    check_same_classes([spec_of(runner) for runner in runners])
    return runners


def _say_terms(name: str, spec: ModelSpec) -> None:
    if not is_permissive(spec):
        logger.warning("%s: terms of these weights: %s", name, spec.license)
