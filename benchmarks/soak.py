"""Interrupt small runs at random moments, resume them, and compare them with one left alone.

OMP_NUM_THREADS=1 python benchmarks/soak.py [--kills 200] [--pairs-every 10] [--out soak.json]

A round is a run that is interrupted one to four times and then finishes. Interruptions are
kill -9, SIGTERM, SIGINT and a disk that is full (RLIMIT_FSIZE); they fall at any time, or aimed: in
a step, in a validation, in the middle of writing the checkpoint, before or after a file is moved to
its name, in the middle of a log line. One round in ten (`--pairs-every`) is a run of two processes
under torchrun, one of which is killed. After every interruption the checkpoint must load. At the
end weights, optimizer state, metrics.jsonl (but for times) and the names of all files must be those
of the run left alone, which for two processes is one of two.

The result is written after every round; the same command goes on with it. Exit code 1 if anything
differed. POSIX only: rounds of one process are forks of this one, which saves their start.
"""

import argparse
import json
import multiprocessing
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from segnext.cli.main import app
from segnext.data.synthetic import write_scenes
from segnext.errors import SegnextError
from segnext.storage import write_atomically
from segnext.training.checkpoint import read_about
from segnext.training.learner import Learner
from segnext.training.run_files import RunFiles
from segnext.training.trainer import Trainer

OPTIONS = {
    "embed_dims": "[16,32,32,32]",
    "depths": "[1,1,1,1]",
    "mlp_ratios": "[2,2,2,2]",
    "decoder_width": "32",
}
TIMES = {"images_per_s", "elapsed_s"}
SIGNALS = {"kill": signal.SIGKILL, "term": signal.SIGTERM, "int": signal.SIGINT}
# Where a signal may fall; what cannot be cut in two by a signal that waits is for kill -9 alone.
ANYWHERE = ("any time", "step", "validation")
SITES = {
    "kill": (*ANYWHERE, "checkpoint", "move", "log line"),
    "term": ANYWHERE,
    "int": ANYWHERE,
    "disk": ("checkpoint", "log line"),
}
# How a process may end: as its signal says, as the command says, or unharmed where it was too late.
CODES = {"kill": {0, -9}, "term": {0, 143, -15}, "int": {0, 130, -2}, "disk": {0, 1}}


@dataclass(frozen=True)
class Interruption:
    """One blow.

    Attributes:
        kind: `kill`, `term`, `int` or `disk`.
        site: Where it falls.
        occurrence: How often that place is passed before, from 1.
        share: Random number in [0, 1): of a wait, or of what is still written.
    """

    kind: str
    site: str
    occurrence: int
    share: float


@dataclass(frozen=True)
class Alone:
    """A run that nothing disturbed.

    Attributes:
        folder: Of the run.
        seconds: It took.
    """

    folder: Path
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200, help="interruptions that hit")
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument(
        "--pairs-every", type=int, default=10, help="every n-th run is of two processes; 0: none"
    )
    parser.add_argument("--out", type=Path, default=Path("soak.json"))
    options = parser.parse_args()
    torch.set_num_threads(1)  # threads of this process would not be there in its forks
    torch.optim.AdamW([torch.zeros(1)])  # imports the half of torch that every fork would
    rounds = json.loads(options.out.read_text())["rounds"] if options.out.exists() else []
    with tempfile.TemporaryDirectory() as name:
        soak = Soak(Path(name), options.steps, options.seed)
        while sum(entry["hits"] for entry in rounds) < options.kills:
            number = len(rounds)
            every = options.pairs_every
            pair = every > 0 and number % every == every - 1
            rounds.append(soak.pair_round(number) if pair else soak.round(number))
            save(options.out, rounds, options)
            print(json.dumps(rounds[-1]), flush=True)
    problems = [problem for entry in rounds for problem in entry["problems"]]
    print(json.dumps(summarize(rounds), indent=1))
    sys.exit(bool(problems))


def save(out: Path, rounds: list[dict[str, Any]], options: argparse.Namespace) -> None:
    about = {"steps": options.steps, "seed": options.seed, "torch": torch.__version__}
    content = {**about, **summarize(rounds), "rounds": rounds}
    write_atomically(out, (json.dumps(content, indent=1) + "\n").encode())


def summarize(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    hits = [blow for entry in rounds for blow in entry["blows"] if blow["hit"]]
    return {
        "interruptions": len(hits),
        "runs": len(rounds),
        "by_kind": Counter(f"{blow['kind']} in {blow['site']}" for blow in hits),
        "problems": [problem for entry in rounds for problem in entry["problems"]],
    }


class Soak:
    """Rounds of interrupted runs on one small data set.

    Args:
        folder: For data and runs; emptied by whoever made it.
        steps: Of each run.
        seed: Of the moments.
    """

    def __init__(self, folder: Path, steps: int, seed: int) -> None:
        self.folder = folder
        self.steps = steps
        self.seed = seed
        self.scenes = write_scenes(folder / "scenes", train=6, val=2, test=1, width=64, height=64)
        self._alone: dict[int, Alone] = {}

    def alone(self, processes: int) -> Alone:
        """Return the run left alone in one process or two."""
        if processes not in self._alone:
            out, start = self.folder / f"alone_{processes}", time.monotonic()
            if processes == 1:
                code = finish(fork(self._words(out), self.folder / "alone.txt"))
            else:
                code = torchrun(self._words(out), processes, self.folder / "alone.txt").wait()
            if code:
                sys.exit(f"the run left alone failed:\n{(self.folder / 'alone.txt').read_text()}")
            self._alone[processes] = Alone(out, time.monotonic() - start)
        return self._alone[processes]

    def round(self, number: int) -> dict[str, Any]:
        """Interrupt a run of one process one to four times."""
        rng = random.Random(f"{self.seed} {number}")
        alone, out = self.alone(1), self.folder / f"run_{number}"
        blows: list[dict[str, Any]] = []
        problems: list[str] = []
        for _ in range(rng.randint(1, 4)):
            blow = draw(rng, self.steps)
            before = saved_step(out)
            said = self.folder / "said.txt"
            process = fork(self._words(out), said, blow, alone)
            if blow.site == "any time":
                process.join(alone.seconds * blow.share)
                if process.is_alive() and process.pid is not None:
                    os.kill(process.pid, SIGNALS[blow.kind])
            code = finish(process)
            problems += self._look(out, blow.kind, code, said.read_text(errors="replace"))
            blows.append(
                {**asdict(blow), "hit": code != 0, "code": code}
                | {"from_step": before, "saved_step": saved_step(out)}
            )
            if code == 0:
                break
        said = self.folder / "said.txt"
        if blows[-1]["code"] and (code := finish(fork(self._words(out), said))):
            problems.append(
                f"resuming ended with {code}: {said.read_text(errors='replace')[-500:]}"
            )
        return self._report(number, 1, blows, problems, alone, out)

    def pair_round(self, number: int) -> dict[str, Any]:
        """Kill one of two processes of a run under torchrun."""
        rng = random.Random(f"{self.seed} {number}")
        alone, out = self.alone(2), self.folder / f"run_{number}"
        said, share = self.folder / "said.txt", rng.uniform(0.3, 0.9)
        launcher = torchrun(self._words(out), 2, said)
        time.sleep(alone.seconds * share)
        ranks = children(launcher.pid)
        if ranks:
            os.kill(rng.choice(ranks), signal.SIGKILL)
        code = launcher.wait()
        problems = self._look(out, "disk", code, "")
        blow = {"kind": "kill", "site": "one of two processes", "share": share}
        blow |= {"hit": code != 0, "code": code, "saved_step": saved_step(out)}
        if code and torchrun(self._words(out), 2, said).wait():
            problems.append(f"resuming failed: {said.read_text(errors='replace')[-500:]}")
        return self._report(number, 2, [blow], problems, alone, out)

    def _words(self, out: Path) -> list[str]:
        if saved_step(out) >= 0:
            return ["train", "--resume", str(out), "-q"]
        words = ["train", str(self.scenes), "--out", str(out), "-q", "--init", "none"]
        words += ["--max-steps", str(self.steps), "--batch-size", "2", "--crop", "64x64"]
        words += ["--device", "cpu", "--workers", "1"]
        # Log lines, checkpoints and validations fall on different steps.
        settings = {"log_every": 3, "validate_every": max(2, self.steps // 2)}
        settings |= {"checkpoint_every": 0.1, "warmup_steps": 2}
        settings |= {f"model_options.{name}": value for name, value in OPTIONS.items()}
        return words + [w for name, v in settings.items() for w in ("--set", f"{name}={v}")]

    def _look(self, out: Path, kind: str, code: int, said: str) -> list[str]:
        problems = []
        if code not in CODES[kind]:
            problems.append(f"{kind}: ended with {code}: {said[-500:]}")
        # Ctrl-C before the first step is Python's own; readers of a killed process say so.
        if "Traceback" in said and kind not in ("int", "kill"):
            problems.append(f"{kind}: a traceback: {said[-800:]}")
        checkpoint = out / "checkpoint.safetensors"
        if checkpoint.exists():
            try:
                read_about(checkpoint)
                finite = all(value.isfinite().all() for value in load_file(checkpoint).values())
                problems += [] if finite else ["the checkpoint is not finite"]
            except (SegnextError, OSError, ValueError) as error:
                problems.append(f"the checkpoint does not load: {error}")
        return problems

    def _report(
        self,
        number: int,
        processes: int,
        blows: list[dict[str, Any]],
        problems: list[str],
        alone: Alone,
        out: Path,
    ) -> dict[str, Any]:
        problems = problems or compare(alone.folder, out)
        return {
            "round": number,
            "processes": processes,
            "hits": sum(blow["hit"] for blow in blows),
            "blows": blows,
            "problems": [f"round {number}: {problem}" for problem in problems],
        }


def draw(rng: random.Random, steps: int) -> Interruption:
    kind = rng.choice(["kill", "kill", "term", "int", "disk"])
    site = rng.choice(SITES[kind])
    most = steps if site in ("step", "checkpoint") else 3
    return Interruption(kind, site, rng.randint(1, most), rng.random())


def fork(
    words: list[str],
    said: Path,
    blow: Interruption | None = None,
    alone: Alone | None = None,
) -> multiprocessing.Process:
    """Start `segnext WORDS` in a fork of this process."""
    context = multiprocessing.get_context("fork")
    process = context.Process(target=_run, args=(words, said, blow, alone))
    process.start()
    return process  # type: ignore[return-value]


def _run(words: list[str], said: Path, blow: Interruption | None, alone: Alone | None) -> None:
    with said.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ["SEGNEXT_OFFLINE"] = "1"
    if blow is not None and alone is not None:
        arm(blow, alone)
    app(words, prog_name="segnext")


def arm(blow: Interruption, alone: Alone) -> None:
    """Set this process up for its interruption, unless it comes from outside."""
    if blow.kind == "disk":
        name = "checkpoint.safetensors" if blow.site == "checkpoint" else "metrics.jsonl"
        size = (alone.folder / name).stat().st_size
        # Some room for what the command itself says.
        limit = 400 + int(blow.share * max(0, size - 400))
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    elif blow.site == "step":
        strike_at(Learner, "learn", blow, lambda call: strike_within(0.05, blow, call))
    elif blow.site == "validation":
        strike_at(Trainer, "_validate", blow, lambda call: strike_within(0.5, blow, call))
    elif blow.site == "log line":
        strike_at(RunFiles, "append", blow, lambda call: die())
    elif blow.site in ("checkpoint", "move"):
        _cut_files(blow)


def strike_at(
    owner: type, name: str, blow: Interruption, strike: Callable[[Callable[[], Any]], Any]
) -> None:
    """Let the blow fall at the n-th call of a method."""
    original, calls = getattr(owner, name), [0]

    def method(self: Any, *args: Any) -> Any:
        calls[0] += 1
        if calls[0] != blow.occurrence:
            return original(self, *args)
        if blow.site == "log line":  # half of it
            line = (json.dumps(args[0]) + "\n").encode()
            with self.log.open("ab") as file:
                file.write(line[: int(blow.share * len(line))])
        return strike(lambda: original(self, *args))

    setattr(owner, name, method)


def strike_within(seconds: float, blow: Interruption, call: Callable[[], Any]) -> Any:
    """Do something, and be struck while it lasts or shortly after."""
    threading.Timer(seconds * blow.share, os.kill, (os.getpid(), SIGNALS[blow.kind])).start()
    return call()


def _cut_files(blow: Interruption) -> None:
    """Die with half a checkpoint written, or before or after a whole file is moved."""
    write, move, calls = Path.write_bytes, Path.replace, [0]

    def write_bytes(self: Path, data: bytes) -> int:
        if blow.site == "checkpoint" and self.name.startswith(".checkpoint"):
            calls[0] += 1
            if calls[0] == blow.occurrence:
                write(self, data[: int(blow.share * len(data))])
                die()
        return write(self, data)

    def replace(self: Path, target: Path) -> Path:
        if blow.site == "move":
            calls[0] += 1
            if calls[0] == blow.occurrence + 2:  # after config.yaml and fingerprint.json
                if blow.share < 0.5:
                    move(self, target)
                die()
        return move(self, target)

    Path.write_bytes, Path.replace = write_bytes, replace  # type: ignore[method-assign,assignment]


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def finish(process: multiprocessing.Process) -> int:
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def torchrun(words: list[str], processes: int, said: Path) -> subprocess.Popen[bytes]:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    launcher += ["--nproc-per-node", str(processes), "-m", "segnext", *words]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "SEGNEXT_OFFLINE": "1"}
    with said.open("wb") as file:
        return subprocess.Popen(launcher, stdout=file, stderr=subprocess.STDOUT, env=environment)


def children(parent: int) -> list[int]:
    """Return the training processes of a launcher."""
    listed = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(number) for number in listed]


def saved_step(out: Path) -> int:
    checkpoint = out / "checkpoint.safetensors"
    return read_about(checkpoint)[0].step if checkpoint.exists() else -1


def compare(alone: Path, other: Path) -> list[str]:
    """Return in what a run differs from one left alone."""
    problems = []
    for name in ("best.safetensors", "last.safetensors", "checkpoint.safetensors"):
        if not (other / name).exists():
            problems.append(f"no {name}")
            continue
        expected, found = load_file(alone / name), load_file(other / name)
        same = expected.keys() == found.keys() and all(
            torch.equal(expected[key], found[key]) for key in expected
        )
        problems += [] if same else [f"{name} differs"]
    if read_log(alone) != read_log(other):
        problems.append("metrics.jsonl differs")
    names = [{path.name for path in out.rglob("*")} for out in (alone, other)]
    if names[0] != names[1]:
        problems.append(f"only in one of the folders: {sorted(names[0] ^ names[1])}")
    return problems


def read_log(out: Path) -> list[dict[str, Any]]:
    records = map(json.loads, (out / "metrics.jsonl").read_text().splitlines())
    return [{k: v for k, v in record.items() if k not in TIMES} for record in records]


if __name__ == "__main__":
    main()
