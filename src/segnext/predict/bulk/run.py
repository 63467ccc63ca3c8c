"""A job from its listing to its last line."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from segnext.errors import SegnextError
from segnext.predict.bulk.listing import Listed
from segnext.predict.bulk.manifest import Manifest
from segnext.predict.bulk.shard import Shard, digest_name
from segnext.predict.bulk.storing import open_store
from segnext.predict.bulk.worker import Job, Outcome

Engine = Callable[[Iterable[Listed]], Iterator[Outcome]]

SHOWN_ERRORS = 20


@dataclass
class Summary:
    """How a shard went.

    Attributes:
        done: Pictures predicted now.
        skipped: Pictures of this shard that were finished before, or listed twice.
        failed: Pictures that could not be read or predicted.
        errors: What was wrong with the first of them.
    """

    done: int = 0
    skipped: int = 0
    failed: int = 0
    errors: list[str] = field(default_factory=list)


def predict_listed(
    pictures: Iterable[Listed],
    job: Job,
    engine: Engine,
    *,
    shard: Shard | None = None,
    stop_on_error: bool = False,
    on_picture: Callable[[Summary], None] = lambda _: None,
) -> Summary:
    """Predict what a shard has still to do of a listing.

    Pictures, names and outcomes are passed on one by one. Those whose outcome is not in the
    manifest when a run ends, however it ends, are predicted by the next.

    Args:
        pictures: Different names for different pictures, from `list_pictures`.
        job: What to do.
        engine: Where it is done: `Worker.run` here, `predict_on_ray` on a cluster.
        shard: Which part of the listing; all of it if not given.
        stop_on_error: Stop at the first picture that fails, rather than note it and go on.
        on_picture: Called with the counts so far after each picture.

    Raises:
        UsageError: `job.out` holds outputs that were made otherwise.
        SegnextError: Outputs cannot be written, or a picture failed that may not.
    """
    shard = shard or Shard()
    summary = Summary()
    with Manifest(open_store(job.out), shard, job.made) as manifest:

        def still_to_do() -> Iterator[Listed]:
            for picture in pictures:
                if not shard.owns(digest_name(picture.name)):
                    continue
                if manifest.claim(picture.name):
                    yield picture
                else:
                    summary.skipped += 1

        for outcome in engine(still_to_do()):
            manifest.add(outcome)
            if outcome.error:
                summary.failed += 1
                if stop_on_error:
                    raise SegnextError(outcome.error)
                if len(summary.errors) < SHOWN_ERRORS:
                    summary.errors.append(outcome.error)
            else:
                summary.done += 1
            on_picture(summary)
    return summary
