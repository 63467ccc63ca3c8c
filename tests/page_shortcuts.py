"""What is run instead of what a page says, outside of its text: less data, fewer steps, files."""

import re

_SMALL_RUN = (
    "--max-steps 1 --batch-size 4 --crop 64x64 --model segnext_tiny --init none --workers 0"
    " --no-report --device cpu"
)
# What pages call the files that readers have; cameras, streams and storage are files here.
_NAMES = {
    "WEIGHTS": "best.safetensors",
    "OTHERS": "old.safetensors",
    "DATA": "roads",
    "PHOTOS": "photos",
    "RUN": "runs/roads",
    "ADE.zip": "ADEChallengeData2016.zip",
    "camera:0": "drive.mp4",
    "rtsp://10.0.0.7/stream": "stream.mp4",
}
# Where jobs of a cluster find their files.
_MOUNTS = {"/shared/": "shared/", "/runs/": "runs-of-jobs/", "/(data|weights|scripts)/": ""}
# Patterns of what takes long, and what is written instead.
_SHORTER = {
    r"(--nproc-per-node|--num_processes) \d+": r"\1 2",
    r"(?<=-m segnext train )roads|(?<=options=\()roads|(?<=WHAT=\")/data/roads": (
        f"roads {_SMALL_RUN}"
    ),
    r"--budget 12h": _SMALL_RUN,
    r"--backends all": "--backends eager,folded,openvino",
    r"--seeds 0,1": "--seeds 0",
    r"(?<=compare mine.yaml)": " --seeds 0",
    r"(?m)^segnext benchmark(?= +#)": "segnext benchmark segnext_tiny segformer_b0",
    r"--size 512x512": "--size 64x64",
    r"--seconds \d+": "--seconds 1 --only coco",
    r"-max_total_time=\d+": "-max_total_time=2",
    r"--kills 200": "--kills 1 --steps 4 --pairs-every 0",
    r"--minutes 5 --clients 64": "--minutes 0.05 --clients 4",
    r"(?<=resume.py)": " --rounds 1 --steps 1000 --workers 0",
    r"(--engine ray --workers) \d+": r"\1 2",
}
# Further words of a command, so that it takes a second; where both are given, the last one holds.
_SMALLER = {
    ("data", "synthetic"): ["--train", "6", "--val", "2", "--test", "2", "--size", "96x64"],
    ("data", "prepare"): ["--workers", "1"],
    ("data", "maps"): ["--window", "50", "--block", "100"],
    ("benchmark",): ["--rounds", "1", "--sizes", "64x64", "--no-memory", "--threads", "1"],
    ("predict",): ["--threads", "1"],
    ("evaluate",): ["--threads", "1"],
}
# Of a script that is a file, by the name that its first comment gives it.
ARGUMENTS = {"train.sh": f"runs/again roads {_SMALL_RUN}"}


def shorten_code(code: str) -> str:
    """Return commands that take seconds, on files that are there."""
    for written, shorter in _SHORTER.items():
        code = re.sub(written, shorter, code)
    for mount, folder in _MOUNTS.items():
        code = re.sub(rf"(?<![\w/.]){mount}", folder, code)
    for name, file in _NAMES.items():
        code = re.sub(rf"(?<!\S){re.escape(name)}(?!\S)", file, code)
    return code


def shorten_words(words: list[str]) -> list[str]:
    """Return the words of a command of `segnext` with those that make it small."""
    for command, further in _SMALLER.items():
        if tuple(words[: len(command)]) == command:
            words = [*words, *further]
    return words
