"""Workers of Ray Data, on this machine or a cluster."""

import dataclasses
import itertools
import json
import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from segnext.errors import SegnextError, UsageError
from segnext.predict.bulk.listing import Listed, is_url
from segnext.predict.bulk.worker import Job, Outcome, Worker

# Pictures that a worker takes at once. Those of a worker that dies are predicted again.
BLOCK = 32
# Pictures that are handed to Ray at once, and whose names it holds; then workers start anew.
ROUND = 100_000


def predict_on_ray(
    pictures: Iterable[Listed],
    job: Job,
    *,
    workers: int | None = None,
    address: str | None = None,
    block: int = BLOCK,
) -> Iterator[Outcome]:
    """Predict pictures in several processes of Ray, which replaces those that die.

    Args:
        pictures: What to predict.
        job: How; weights and local folders of it must be there on every machine of the cluster.
        workers: Processes, each with its own network and `job.threads` cores (1 if not given), and
            a GPU if there are any and the job's device allows; as many as fit if not given.
        address: Of a running cluster (`auto`, `host:6379`) that this machine is part of; that of
            `RAY_ADDRESS`, or else a cluster for this call on this machine, if not given.
        block: Pictures that a worker takes at once.

    Yields:
        What became of each, in any order, once its files are written.

    Raises:
        UsageError: Ray is not installed, or the weights are not there for a worker.
        SegnextError: The cluster cannot be reached, or a worker cannot write.
    """
    pictures = iter(pictures)
    first = next(pictures, None)
    if first is None:  # nothing to start Ray for
        return
    pictures = itertools.chain([first], pictures)
    weights = tuple(path.resolve() for path in job.weights)
    out = job.out if is_url(job.out) else str(Path(job.out).resolve())
    job = dataclasses.replace(job, weights=weights, out=out)  # workers have other working folders
    ray = _import_ray()
    started = not ray.is_initialized()
    if started:
        _start(ray, address, workers, job.threads or 1)
    try:
        while some := list(itertools.islice(pictures, ROUND)):
            yield from _predict_round(ray, some, job, workers, block)
    finally:
        if started:
            ray.shutdown()


def _import_ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers
    try:
        import ray
        import ray.data
    except ImportError as error:
        msg = f'--engine ray needs pip install "segnext[ray]" ({error})'
        raise UsageError(msg) from None
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return ray


def _start(ray: Any, address: str | None, workers: int | None, cores: int) -> None:
    own = address is None and not os.environ.get("RAY_ADDRESS")
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if own:
        # More workers than cores are slow, but not refused.
        options["num_cpus"] = max(os.cpu_count() or 1, (workers or 1) * cores)
        options["include_dashboard"] = False
    try:
        ray.init(address=address, **options)
    except (ConnectionError, ValueError, RuntimeError, OSError) as error:
        where = address or os.environ.get("RAY_ADDRESS") or "on this machine"
        msg = f"Ray cannot be reached or started {where}: {str(error).strip().splitlines()[0]}"
        raise SegnextError(msg) from error


def _predict_round(
    ray: Any, pictures: list[Listed], job: Job, workers: int | None, block: int
) -> Iterator[Outcome]:
    resources = ray.cluster_resources()
    on_gpu = resources.get("GPU", 0) >= 1 and job.device in (None, "cuda")
    cores = job.threads or 1
    fit = int(resources["GPU"] if on_gpu else resources.get("CPU", 1) // cores)
    ray.data.DataContext.get_current().enable_progress_bars = False
    blocks = -(-len(pictures) // block)
    # As JSON, which takes any file name; Arrow takes only Unicode.
    listed = [json.dumps(vars(picture)) for picture in pictures]
    outcomes = ray.data.from_items(listed, override_num_blocks=blocks).map_batches(
        _RayWorker,
        fn_constructor_args=(job,),
        batch_size=None,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(size=max(1, min(workers or fit, blocks))),
        num_cpus=cores,
        num_gpus=1 if on_gpu else None,
    )
    for table in outcomes.iter_batches(batch_size=None, batch_format="pyarrow"):
        for line in table["outcome"].to_pylist():
            outcome = json.loads(line)
            if "stop" in outcome:
                raise SegnextError(outcome["stop"])
            yield Outcome(**outcome)


class _RayWorker:
    """A `Worker` that takes and gives Arrow tables."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._worker: Worker | None = None

    def __call__(self, table: Any) -> Any:
        import pyarrow

        listed = [Listed(**json.loads(line)) for line in table["item"].to_pylist()]
        lines = []
        # An error that is raised here reaches the user as pages of traceback.
        try:
            self._worker = self._worker or Worker(self._job)
            lines = [json.dumps(vars(outcome)) for outcome in self._worker.run(listed)]
        except SegnextError as error:
            lines.append(json.dumps({"stop": str(error)}))
        return pyarrow.table({"outcome": lines})
