"""What happened, for Prometheus: counts, times and how full the server is."""

import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import psutil

_SECONDS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_BATCHES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)


class Histogram:
    """Counts of values up to each bound; not safe in threads by itself.

    Args:
        bounds: Ascending.
    """

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def write(self, name: str) -> list[str]:
        """Return the lines of Prometheus' text."""
        lines, so_far = [], 0
        for bound, count in zip((*self.bounds, float("inf")), self.counts, strict=True):
            so_far += count
            label = "+Inf" if bound == float("inf") else f"{bound:g}"
            lines.append(f'{name}_bucket{{le="{label}"}} {so_far}')
        return [*lines, f"{name}_sum {self.total:.6f}", f"{name}_count {so_far}"]


class Counters:
    """Everything that is counted, by any thread.

    Args:
        model: Name and fingerprint, labels of an info line.
    """

    def __init__(self, model: Mapping[str, str]) -> None:
        self._model = model
        self._lock = threading.Lock()
        self._started = time.monotonic()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._request_seconds = Histogram(_SECONDS)
        self._picture_seconds = Histogram(_SECONDS)
        self._batches = Histogram(_BATCHES)
        self._pixels = 0

    def count_request(self, route: str, status: int, seconds: float) -> None:
        """Count an answer.

        Args:
            route: As the app declares it, never as a client spells it: labels must stay few.
            status: Of HTTP.
            seconds: From the request's head to the answer's.
        """
        with self._lock:
            self._requests[route, status] += 1
            if route == "/v1/predict":
                self._request_seconds.add(seconds)

    def count_batch(self, pictures: int, pixels: int, seconds: float) -> None:
        """Count pictures that a worker computed together."""
        with self._lock:
            self._batches.add(pictures)
            self._pixels += pixels
            for _ in range(pictures):
                self._picture_seconds.add(seconds / pictures)

    def mean_picture_seconds(self) -> float:
        """Return how long a picture took a worker so far; 0 before the first."""
        with self._lock:
            pictures = sum(self._picture_seconds.counts)
            return self._picture_seconds.total / pictures if pictures else 0.0

    def write(self, gauges: Mapping[str, tuple[str, Callable[[], float]]]) -> str:
        """Return everything as Prometheus' text, version 0.0.4.

        Args:
            gauges: Help and current value by name.
        """
        labels = ",".join(f'{key}="{_escape(value)}"' for key, value in self._model.items())
        with self._lock:
            lines = [
                *_head("segnext_model_info", "gauge", "The model that answers."),
                f"segnext_model_info{{{labels}}} 1",
                *_head("segnext_requests_total", "counter", "Answers by route and status."),
                *(
                    f'segnext_requests_total{{route="{route}",status="{status}"}} {count}'
                    for (route, status), count in sorted(self._requests.items())
                ),
                *_head("segnext_request_seconds", "histogram", "Of /v1/predict, start to answer."),
                *self._request_seconds.write("segnext_request_seconds"),
                *_head("segnext_picture_seconds", "histogram", "Of a worker for one picture."),
                *self._picture_seconds.write("segnext_picture_seconds"),
                *_head("segnext_batch_pictures", "histogram", "Pictures computed together."),
                *self._batches.write("segnext_batch_pictures"),
                *_head("segnext_pixels_total", "counter", "Pixels that were labelled."),
                f"segnext_pixels_total {self._pixels}",
            ]
        process = {
            "segnext_uptime_seconds": ("Since the start.", time.monotonic() - self._started),
            "process_resident_memory_bytes": (
                "Memory of the process.",
                float(psutil.Process().memory_info().rss),
            ),
        }
        current = {name: (text, value()) for name, (text, value) in gauges.items()}
        for name, (text, value) in {**current, **process}.items():
            lines += [*_head(name, "gauge", text), f"{name} {value:.15g}"]
        return "\n".join(lines) + "\n"


def _head(name: str, kind: str, text: str) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
