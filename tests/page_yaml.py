"""How a block of YAML on a page is run: data are opened, options checked, a job carried out."""

import re
import shlex
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from page_data import WRITERS
from segnext.data import open_folder
from segnext.training.config import build_config


def run_yaml(code: str, where: str, run_command: Callable[[str, str], object]) -> None:
    """Do what the block is for.

    Args:
        code: The block.
        where: What a failure says first.
        run_command: Runs a line of bash, and takes `where`.
    """
    content = yaml.safe_load(code)
    if content.get("kind") == "Job":
        _run_job(content["spec"]["template"]["spec"], where, run_command)
    elif "format" in content or "train" in content:
        _open_data(code, content.get("format", "folder"), where)
    else:
        build_config({"data": Path("roads"), **content})


def _run_job(pod: Mapping[str, Any], where: str, run_command: Callable[[str, str], object]) -> None:
    """Run the commands of a job of Kubernetes, whose volumes are this folder."""
    volumes = {volume["name"] for volume in pod["volumes"]}
    for container in pod["containers"]:
        mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert {*mounted} <= volumes, f"{where}: {mounted} are not all among {volumes}"
        line = shlex.join([*container["command"], *container.get("args", ())])
        for path in re.findall(r"(?<![\w/.:])/\w+", line):
            assert path in mounted.values(), f"{where}: {path} is not mounted"
        run_command(line, where)


def _open_data(code: str, form: str, where: str) -> None:
    """Open the data that a description speaks of, and read a mask of each split."""
    folder = Path(tempfile.mkdtemp(dir=Path.cwd()))
    WRITERS[form](folder)
    for written in ("s3://bucket", "/data", "/scratch"):
        root = folder.as_uri() if "://" in written else str(folder)
        code = re.sub(rf"(?<=[ ]){written}(?=/)", root, code)
    path = folder / "data.yaml"
    path.write_text(code, encoding="utf-8")
    opened = open_folder(path)
    for split in opened.splits.values():
        item = split[0]
        assert item["mask"].shape == item["image"].shape[:2], where
