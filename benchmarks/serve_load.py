"""Load a server for minutes and check every answer: nothing lost, nothing mixed up, memory flat.

python benchmarks/serve_load.py WEIGHTS [--minutes 5] [--clients 64] [--workers 2] [--queue 64]
    [--backend auto] [--json load.json]

Starts `segnext serve` in a process of its own. Clients send synthetic scenes of three sizes, each
its next one as soon as it is answered, and compare every mask with the one that a Predictor gave
before. A 429 is counted, and tried again after the time that it names. Prints throughput, p50, p95
and p99, and what share they are of the model's own latency. Exit code 1 if an answer was lost or
wrong, or, in a minute or more, memory grew by over a twentieth between the second and the last
tenth of the time.
"""

import argparse
import http.client
import io
import json
import random
import re
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import PIL.Image
import psutil

from segnext.data.synthetic import draw_scene
from segnext.predict import Predictor
from segnext.serve.running import share_threads

SIZES = ((320, 240), (384, 256), (240, 320))
PER_SIZE = 8


@dataclass
class Picture:
    """What is sent, and what must come back."""

    body: bytes
    mask: np.ndarray


@dataclass
class Tally:
    """What the clients saw."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    wrong: int = 0
    lost: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--queue", type=int, default=64)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--json", help="also write the numbers here")
    options = parser.parse_args()
    threads = share_threads(options.workers, None)
    predictor = Predictor(options.weights, backend=options.backend, threads=threads)
    pictures = [draw(predictor, index) for index in range(len(SIZES) * PER_SIZE)]
    own, own_cpu = measure_own(predictor)
    print(f"{predictor.backend}, {threads} threads: {1000 * own:.1f} ms of the model alone")
    words = ["--workers", str(options.workers), "--queue", str(options.queue), "--port", "0"]
    words += ["--batch", str(options.batch), "--backend", options.backend]
    server = subprocess.Popen(
        [sys.executable, "-m", "segnext", "serve", options.weights, *words],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        found = None
        while found is None:
            assert server.stderr is not None
            line = server.stderr.readline()
            assert line, "the server did not start"
            found = re.search(r"http://([^:]+):(\d+)", line)
        address = found[1], int(found[2])
        wait_until_ready(address)
        tally, memory, cpu, elapsed = load(address, pictures, options, server.pid)
    finally:
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=120)
    report = summarize(tally, memory, elapsed, own, options)
    # On a machine that others use, too, the clock says little.
    report["own_cpu_ms"] = round(1000 * own_cpu, 1)
    report["server_cpu_ms"] = round(1000 * cpu / max(1, len(tally.seconds)), 1)
    report["server_exit_code"] = server.returncode
    print(json.dumps(report, indent=1))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:  # noqa: PTH123
            json.dump(report, file, indent=1)
    passed = not tally.wrong and not tally.lost and server.returncode == 0
    # In its first seconds a server still grows to its size.
    flat = report["memory_growth"] <= 0.05 or options.minutes < 1
    sys.exit(0 if passed and flat else 1)


def draw(predictor: Predictor, index: int) -> Picture:
    width, height = SIZES[index % len(SIZES)]
    scene, _ = draw_scene(11, index, width=width, height=height)
    content = io.BytesIO()
    PIL.Image.fromarray(scene).save(content, "PNG")
    part = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    return Picture(part + content.getvalue() + b"\r\n--b--\r\n", predictor(scene).mask)


def measure_own(predictor: Predictor) -> tuple[float, float]:
    """Return the median seconds of the predictor for a picture of each size: of clock, of CPU."""
    medians = []
    for index, (width, height) in enumerate(SIZES):
        scene, _ = draw_scene(11, index, width=width, height=height)
        times = []
        for _ in range(8):
            begin = time.perf_counter(), time.process_time()
            assert predictor(scene).mask is not None
            times.append((time.perf_counter() - begin[0], time.process_time() - begin[1]))
        medians.append([statistics.median(kind) for kind in zip(*times[2:], strict=True)])
    wall, cpu = (statistics.mean(kind) for kind in zip(*medians, strict=True))
    return wall, cpu


def wait_until_ready(address: tuple[str, int]) -> None:
    while True:
        connection = http.client.HTTPConnection(*address, timeout=10)
        connection.request("GET", "/readyz")
        if connection.getresponse().status == 200:
            return
        time.sleep(0.2)


def load(
    address: tuple[str, int], pictures: list[Picture], options: Any, pid: int
) -> tuple[Tally, list[int], float, float]:
    tally, memory = Tally(), []
    begin = time.perf_counter()
    until = begin + 60 * options.minutes
    clients = [
        threading.Thread(target=be_client, args=(seed, address, pictures, until, tally))
        for seed in range(options.clients)
    ]
    for client in clients:
        client.start()
    process = psutil.Process(pid)
    spent = sum(process.cpu_times()[:2])
    while time.perf_counter() < until:
        memory.append(process.memory_info().rss)
        time.sleep(min(1.0, max(0.01, until - time.perf_counter())))
    for client in clients:
        client.join()
    elapsed = time.perf_counter() - begin
    return tally, memory, sum(process.cpu_times()[:2]) - spent, elapsed


def be_client(
    seed: int, address: tuple[str, int], pictures: list[Picture], until: float, tally: Tally
) -> None:
    chance = random.Random(seed)
    connection = http.client.HTTPConnection(*address, timeout=120)
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    while time.perf_counter() < until:
        picture = chance.choice(pictures)
        begin = time.perf_counter()
        try:
            connection.request("POST", "/v1/predict", picture.body, headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            with tally.lock:
                tally.lost.append(repr(error))
            connection.close()
            continue
        seconds = time.perf_counter() - begin
        with tally.lock:
            tally.statuses[answer.status] += 1
        if answer.status == 429:
            time.sleep(float(answer.headers["Retry-After"]))
        elif answer.status == 200:
            right = np.array_equal(np.asarray(PIL.Image.open(io.BytesIO(content))), picture.mask)
            with tally.lock:
                tally.seconds.append(seconds)
                tally.wrong += not right
        else:
            with tally.lock:
                tally.lost.append(content.decode(errors="replace"))
    connection.close()


def summarize(
    tally: Tally, memory: list[int], elapsed: float, own: float, options: Any
) -> dict[str, Any]:
    answered = len(tally.seconds)
    if not answered:
        sys.exit(f"no picture was answered: {dict(tally.statuses)}, {tally.lost[:5]}")
    tenth = max(1, len(memory) // 10)
    early, late = max(memory[tenth : 2 * tenth + 1]), max(memory[-tenth:])
    percentiles = np.percentile(tally.seconds, (50, 95, 99))
    return {
        "minutes": options.minutes,
        "clients": options.clients,
        "workers": options.workers,
        "statuses": dict(tally.statuses),
        "wrong": tally.wrong,
        "lost": tally.lost[:5],
        "pictures_per_s": round(answered / elapsed, 2),
        "share_of_the_models_own": round(answered / elapsed * own / options.workers, 3),
        "own_ms": round(1000 * own, 1),
        **{
            f"p{name}_ms": round(1000 * float(value), 1)
            for name, value in zip((50, 95, 99), percentiles, strict=True)
        },
        "memory_mb": [round(early / 1e6), round(late / 1e6)],
        "memory_growth": round(late / early - 1, 4),
    }


if __name__ == "__main__":
    main()
