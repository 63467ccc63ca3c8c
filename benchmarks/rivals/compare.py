"""Compare segnext with its rivals on this CPU: latency, peak memory, a training step.

Each contestant has a process of its own in the python of its environment; contestants take turns,
A B C A B C ..., and only one computes at a time. segnext runs in the python that runs this file:

    pip install -e . openvino onnx onnxscript onnxruntime

MMSegmentation and transformers, and torchvision with segmentation-models-pytorch, want ones of
their own; without one, its contestants are left out and named:

    python -m venv RIVALS && RIVALS/bin/pip install "setuptools<70" wheel numpy
    RIVALS/bin/pip install --no-build-isolation mmcv-lite==2.1.0 mmengine mmsegmentation==1.2.2 \
        ftfy regex opencv-python-headless
    RIVALS/bin/pip install torch==2.13.0 transformers safetensors \
        openvino onnx onnxscript onnxruntime
    python -m venv VISION && VISION/bin/pip install torch==2.14.1 torchvision==0.29.1
    VISION/bin/pip install segmentation-models-pytorch openvino

    python benchmarks/rivals/compare.py --rivals-python RIVALS/bin/python \
        --vision-python VISION/bin/python [--heats tiny small ...] [--json FILE]
    python benchmarks/rivals/compare.py ... --memory
    python benchmarks/rivals/compare.py ... --training

Pictures are normal noise. A rival's time for labels does not depend on the picture; ours, which
interpolates only where classes meet, is at its worst on noise.

Threads wait as their libraries have it: OpenMP's spin for some milliseconds after their work, and
the pause between turns outlasts them (the notes say what waiting workers used). On a machine that
others use too, spinning costs several times what it brings: --wait-policy passive, for all alike.
"""

import argparse
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from contestants import Contestant, build_heats, memory_contestants, training_contestants
from heats import measure_peaks, take_turns
from processes import LeftOutError

from report import Heat, machine, memory_table, notes, time_table, write_json


def main() -> None:
    options = read_options()
    if options.memory:
        heats = {"memory": memory_contestants(options.backends)}
    elif options.training:
        heats = {"training": training_contestants()}
    else:
        every = build_heats(options.backends)
        heats = {name: every[name] for name in options.heats or every}
    told = {
        name: value
        for name, value in vars(options).items()
        if name not in ("json", "rivals_python", "vision_python")
    }
    print(f"{machine()}\n{told}\n", flush=True)
    done: list[Heat] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, contestants in heats.items():
            if options.only:
                contestants = [
                    one
                    for index, one in enumerate(contestants)
                    if not index or any(part in one.name for part in options.only)
                ]
            try:
                done.append(run_heat(name, contestants, options, Path(folder)))
            except LeftOutError as reason:  # a worker died at work: the other heats go on
                print(f"## {name}\n\ngiven up: {reason}\n", flush=True)
            if options.json is not None:  # after each heat: a long run may be interrupted
                write_json(options.json, told, done)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rivals-python", help="python with mmsegmentation and transformers")
    parser.add_argument("--vision-python", help="python with torchvision and smp")
    parser.add_argument("--heats", nargs="*", choices=list(build_heats([])), help="default: all")
    parser.add_argument(
        "--backends",
        nargs="*",
        default=["folded", "compiled", "onnxruntime", "openvino"],
        help="of segnext",
    )
    parser.add_argument(
        "--only", nargs="*", help="parts of names of contestants; the first of a heat is always in"
    )
    parser.add_argument(
        "--picture", choices=("noise", "clouds"), default="noise", help="see pictures.py"
    )
    parser.add_argument("--memory", action="store_true", help="peak memory of labels")
    parser.add_argument("--training", action="store_true", help="a training step and its memory")
    parser.add_argument("--size", help="HEIGHTxWIDTH [px]; default 512x512, --memory 2048x2048")
    parser.add_argument("--batch", type=int, help="default 1, --training 4")
    parser.add_argument("--classes", type=int, default=150)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--wait-policy", choices=("active", "passive"), help="OMP_WAIT_POLICY")
    parser.add_argument("--rounds", type=int, default=9, help="after two that warm up")
    parser.add_argument("--json", type=Path, help="where to write every sample")
    options = parser.parse_args()
    options.size = options.size or ("2048x2048" if options.memory else "512x512")
    options.batch = options.batch or (4 if options.training else 1)
    return options


def run_heat(
    name: str, contestants: Sequence[Contestant], options: argparse.Namespace, folder: Path
) -> Heat:
    heat = Heat(name, load_before=os.getloadavg()[0])
    outputs = ["labels", "logits"]
    if options.memory:
        outputs = ["labels"]
    elif options.training:
        outputs = ["step"]
    if not options.memory:
        take_turns(heat, contestants, outputs, options, folder)
        print(f"## {name}\n\n{time_table(heat, outputs)}\n", flush=True)
    if options.memory or options.training:
        measured = measure_peaks(heat, contestants, outputs, options, folder)
        print(f"## {name}: peak memory\n\n{memory_table(measured)}\n", flush=True)
    print(notes(heat), "\n", flush=True)
    return heat


if __name__ == "__main__":
    main()
