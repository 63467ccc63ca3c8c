"""Pictures to answers: a bounded queue, and threads that empty it in batches of one size.

Threads of one process rather than processes: one bound holds for the whole server, /metrics and
/readyz speak for all of it, and every worker's network lets go of Python's lock while it computes.
Each worker has a network of its own and its share of the cores.
"""

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field

from segnext.data.headers import ImageHeader
from segnext.data.images import Image
from segnext.errors import SegnextError
from segnext.predict import Prediction, Predictor
from segnext.serve.answers import Answer, Wish, draw_answer
from segnext.serve.counters import Counters
from segnext.serve.intake import decode_checked
from segnext.serve.refusals import RefusalError

logger = logging.getLogger("segnext")


@dataclass(eq=False)
class Job:
    """A picture that waits for its answer.

    Attributes:
        data: Its file, checked by `check_picture`.
        header: Of the file.
        wish: What is to be drawn of the mask.
        future: Gets the answer, or a `RefusalError`.
        arrived: When it was queued, by `time.perf_counter`.
    """

    data: bytes
    header: ImageHeader
    wish: Wish
    future: "Future[Answer]" = field(default_factory=Future)
    arrived: float = field(default_factory=time.perf_counter)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width: what pictures of a batch have in common."""
        return self.header.height, self.header.width


class Engine:
    """Workers over one queue.

    Args:
        predictors: One per worker.
        counters: Told of every batch.
        queue: Requests that may wait besides those that are computed.
        batch: Most pictures of one size that a worker takes at once.
    """

    def __init__(
        self, predictors: Sequence[Predictor], counters: Counters, *, queue: int, batch: int
    ) -> None:
        self.predictor = predictors[0]
        self.workers = len(predictors)
        self.places = queue + len(predictors)
        self._counters = counters
        self._batch = batch
        self._taken = 0
        self._waiting: deque[Job] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, args=(one,), name=f"predict-{index}", daemon=True)
            for index, one in enumerate(predictors)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def taken(self) -> int:
        """Requests that were taken on and not answered."""
        return self._taken

    @property
    def waiting(self) -> int:
        """Pictures that no worker has begun."""
        return len(self._waiting)

    @contextmanager
    def take_place(self) -> Iterator[None]:
        """Hold one of the places while a request is served, from before its body is read.

        So the bodies in memory are as bounded as the queue.

        Raises:
            RefusalError: 429, with the seconds after which a place should be free.
        """
        with self._changed:
            if self._closed:
                raise RefusalError(503, "the server is stopping; try another", {"Retry-After": "5"})
            if self._taken >= self.places:
                seconds = self._counters.mean_picture_seconds() * self.places / self.workers
                later = str(min(60, max(1, math.ceil(seconds / 2))))
                msg = f"the server is full ({self.places} requests); try again in {later} s"
                raise RefusalError(429, msg, {"Retry-After": later})
            self._taken += 1
        try:
            yield
        finally:
            with self._changed:
                self._taken -= 1

    def submit(self, job: Job) -> "Future[Answer]":
        """Queue a picture; its future gets the answer, or the refusal."""
        with self._changed:
            if self._closed:
                raise RefusalError(503, "the server is stopping; try another", {"Retry-After": "5"})
            self._waiting.append(job)
            self._changed.notify()
        return job.future

    def close(self) -> None:
        """Take nothing more, finish what is queued, and end the workers."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self, predictor: Predictor) -> None:
        while jobs := self._next_jobs():
            try:
                self._answer(predictor, jobs)
            except Exception:  # the worker must live on; the client learns no more than that
                logger.exception("a picture could not be answered")
                for job in jobs:
                    if not job.future.done():
                        job.future.set_exception(RefusalError(500, "internal error; see the log"))

    def _next_jobs(self) -> list[Job]:
        """Wait for a picture, and take others of its size along; none once all is done."""
        with self._changed:
            while True:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if not self._waiting:
                    return []
                first = self._waiting[0]
                chosen = [job for job in self._waiting if job.size == first.size][: self._batch]
                for job in chosen:
                    self._waiting.remove(job)
                # Those whose client has gone, or whose time is over, are left out here.
                running = [job for job in chosen if job.future.set_running_or_notify_cancel()]
                if running:
                    return running

    def _answer(self, predictor: Predictor, jobs: Sequence[Job]) -> None:
        begin = time.perf_counter()
        decoded: list[tuple[Job, Image]] = []
        channels = predictor.spec.normalization.channels
        for job in jobs:
            try:
                decoded.append((job, decode_checked(job.data, job.header, channels)))
            except RefusalError as refusal:
                job.future.set_exception(refusal)
        if not decoded:
            return
        ready = time.perf_counter()
        predictions = _predict(predictor, [image for _, image in decoded])
        done = time.perf_counter()
        pixels = sum(image.shape[0] * image.shape[1] for _, image in decoded)
        self._counters.count_batch(len(decoded), pixels, done - begin)
        for (job, _), prediction in zip(decoded, predictions, strict=True):
            times = {
                "queue": begin - job.arrived,
                "decode": ready - begin,
                "network": done - ready,
            }
            try:
                if isinstance(prediction, RefusalError):
                    raise prediction
                job.future.set_result(draw_answer(prediction, job.wish, times))
            except RefusalError as refusal:
                job.future.set_exception(refusal)
            except SegnextError as error:
                job.future.set_exception(RefusalError(422, str(error)))


def _predict(predictor: Predictor, images: list[Image]) -> list[Prediction | RefusalError]:
    """Predict together; if that fails, each by itself, so that one cannot spoil the others."""
    try:
        return list(predictor.predict_batch(images))
    except SegnextError as error:
        if len(images) == 1:
            return [RefusalError(422, str(error))]
        return [answer for image in images for answer in _predict(predictor, [image])]
