"""Train by the plan and by one fixed recipe, at equal computing time, and score both on test.

python benchmarks/plan_against_naive.py OUT --set camvid=DIR:street --set weeds=DIR:overhead \
    --synthetic --minutes 4 --seeds 0 1 [--threads 1]

The fixed recipe is what one config for everything would be: 256x256 crops, batch 8, rate 1e-3,
plain cross-entropy, scales 0.5 to 2, mirroring, pixels divided by fixed numbers. Both arms start
from scratch, and share the model (a narrow, shallow one, so that minutes on a CPU show something),
optimizer, moving average and everything else. The time of a step of each is measured first,
interleaved, median of 7; each arm then does as many steps as fit into the minutes, so that other
programs on the machine do not decide. Results are added to OUT/results.jsonl; what is there is not
run again.
"""

import argparse
import json
import os
import shutil
import statistics
import time
from pathlib import Path
from typing import Any

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("out", type=Path)
parser.add_argument("--set", action="append", default=[], help="NAME=DIR:DOMAIN[:MINUTES[:IGNORE]]")
parser.add_argument("--synthetic", action="store_true", help="add three synthetic domains")
parser.add_argument("--ablate", action="store_true", help="also the plan with one part changed")
parser.add_argument("--minutes", type=float, default=4.0)
parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
parser.add_argument("--threads", type=int, default=1)
options = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = str(options.threads)

import torch  # noqa: E402

import segnext  # noqa: E402
from segnext.data import open_folder  # noqa: E402
from segnext.data.synthetic import write_scenes  # noqa: E402
from segnext.training.config import Recipe  # noqa: E402
from segnext.training.learner import build_learner  # noqa: E402
from segnext.training.processes import Processes  # noqa: E402

torch.set_num_threads(options.threads)
DOMAINS = {"specks": "microscopy", "defects": "microscopy", "bands": "overhead"}
ROUNDS = 7
CHANGES: dict[str, dict[str, Any]] = {
    "plan, no moving average": {"ema_decay": 0.0},
    "plan, no class weights": {"class_weights": "none"},
    "plan, no rare crops": {"rare_crop": 0.0},
    "plan, crops of half the side": {"crop_size": (160, 224), "batch_size": 8},
    "plan, whole pictures": {"crop_size": (352, 480), "batch_size": 2},
    "plan, with Lovasz": {"loss": {"cross_entropy": 1.0, "lovasz": 1.0}},
}
NARROW = {"embed_dims": (16, 32, 80, 128), "depths": (1, 1, 2, 1), "decoder_width": 128}


def fixed_recipe(channels: int) -> dict[str, Any]:
    return {
        "crop_size": (256, 256),
        "batch_size": 8,
        "learning_rate": 1e-3,
        "decoder_lr_factor": 1.0,
        "loss": "cross_entropy",
        "class_weights": "none",
        "rare_crop": 0.0,
        "scale_range": (0.5, 2.0),
        "flip": 0.5,
        "flip_vertical": 0.0,
        "rotate90": False,
        "photometric": True,
        "mean": (0.5,) * channels,
        "std": (0.25,) * channels,
    }


def time_steps(recipes: dict[str, Recipe], data: Any) -> dict[str, float]:
    learners, seconds = {}, {name: [] for name in recipes}
    for name, recipe in recipes.items():
        few = recipe.model_copy(update={"max_steps": ROUNDS + 1, "num_workers": 0})
        learner = build_learner(few, data, Processes.alone())
        learners[name] = learner, learner.batches(0)
    for turn in range(ROUNDS + 1):
        for name, (learner, batches) in learners.items():
            start = time.process_time()
            learner.learn(turn, next(batches))
            if turn:  # the first one warms up
                seconds[name].append(time.process_time() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def run_set(name: str, root: Path, domain: str, minutes: float, ignored: tuple[int, ...]) -> None:
    results = options.out / "results.jsonl"
    shared = {"init": "none", "ignore_index": ignored, "device": "cpu", "num_workers": 0}
    shared |= {"model_options": NARROW}
    data = open_folder(root, ignore_index=ignored)
    planned = segnext.plan(root, domain=domain, max_steps=1000, **shared).recipe
    fixed = segnext.plan(root, max_steps=1000, **shared, **fixed_recipe(data.channels)).recipe
    # The fixed recipe knows nothing of clipping or missing pixels.
    fixed = fixed.model_copy(update={"low": None, "high": None, "nodata": None})
    recipes = {"plan": planned, "fixed": fixed}
    if options.ablate:
        recipes |= {name: planned.model_copy(update=change) for name, change in CHANGES.items()}
    done = (
        [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    )
    wanted = [(seed, arm) for seed in options.seeds for arm in recipes]
    present = {(entry["seed"], entry["arm"]) for entry in done if entry["set"] == name}
    if present >= set(wanted):
        return
    step_s = time_steps(recipes, data)
    for seed, arm in wanted:
        if (seed, arm) in present:
            continue
        steps = int(60 * minutes / step_s[arm])
        values = recipes[arm].model_dump()
        if arm != "fixed":  # what depends on the number of steps is chosen for that number
            for option in ("warmup_steps", "scale_range", "validate_every"):
                del values[option]
        values |= {"max_steps": steps, "warmup_steps": steps // 20, "seed": seed}
        values |= {"validate_every": max(1, steps // 4), "checkpoint_every": 1e6}
        values = {key: value for key, value in values.items() if key != "data"}
        directory = options.out / f"{name}-{arm.replace(' ', '_')}-{seed}"
        shutil.rmtree(directory, ignore_errors=True)
        run = segnext.train(root, out=directory, quiet=True, **values)
        test = segnext.evaluate(run.best, root, split="test", ignore_index=ignored, device="cpu")
        entry = {
            "set": name,
            "arm": arm,
            "seed": seed,
            "steps": steps,
            "step_s": round(step_s[arm], 4),
            "val_miou": round(run.metrics.miou, 4),
            "test_miou": round(test.miou, 4),
            "test_iou": test.to_dict()["iou_per_class"],
        }
        with results.open("a") as file:
            file.write(json.dumps(entry) + "\n")
        print({key: value for key, value in entry.items() if key != "test_iou"}, flush=True)


def main() -> None:
    options.out.mkdir(parents=True, exist_ok=True)
    if options.synthetic:
        for name, domain in DOMAINS.items():
            root = options.out / f"data-{name}"
            write_scenes(root, train=120, val=20, test=40, domain=name)
            run_set(name, root, domain, options.minutes, ())
    for entry in options.set:
        name, rest = entry.split("=", 1)
        root, domain, *more = rest.split(":")
        minutes = float(more[0]) if more else options.minutes
        run_set(name, Path(root), domain, minutes, tuple(map(int, more[1:])))


main()
