"""How the code of a page is run: as written, on less data, for fewer steps, in fewer processes."""

import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import venv
from os import environ, pathsep
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from page_shortcuts import ARGUMENTS, shorten_code, shorten_words
from page_yaml import run_yaml
from pages import PYTHON, ROOT, YAML, Block, logical_lines
from segnext.cli.main import app
from servers import ServerError, end_server, free_port, start_server

_PAGES_PORT = 8000
_LONGEST_S = 240
# What jobs of a cluster are told; the programs that stand for a cluster's are in a folder.
_JOB = {
    "JOB_COMPLETION_INDEX": "3",
    "SLURM_ARRAY_TASK_ID": "3",
    "SLURM_CPUS_PER_TASK": "1",
    "SLURM_JOB_ID": "7",
    "SLURM_JOB_NODELIST": "here",
}
_STAND_INS = ROOT / "tests" / "page_programs"


class PageCode:
    """Runs the blocks of one page in the current folder, one after the other.

    Commands of segnext run in this process, or where they need one of their own, in another. What
    pip installs goes into an environment of its own, beside what the tests have already. What make
    does is done by CI itself, beside the pages. A block of anything but commands is a script of
    bash.

    Attributes:
        names: What blocks of Python defined.
    """

    def __init__(self, page: Path) -> None:
        self.names: dict[str, Any] = {"__name__": page.name}
        self._server: subprocess.Popen[str] | None = None
        self._port = free_port()

    def run(self, block: Block) -> None:
        """Run a block that `is_run`, or fail and say where."""
        if block.language in YAML:
            run_yaml(
                block.code, str(block), lambda line, where: _run_bash(self._adapt(line), where)
            )
            return
        code = self._adapt(block.code)
        if block.language in PYTHON:
            exec(compile("\n" * block.line + code, str(block), "exec"), self.names)
            return
        lines = logical_lines(code)
        if code.startswith("#!"):
            _run_script(code, str(block))
        elif all(_program(line) in _COMMANDS for line in lines):
            for line in lines:
                self._run_command(line, f"{block}: {line}")
        else:
            _run_bash(code, str(block))

    def close(self) -> None:
        """End the server that the page started."""
        if self._server is not None:
            end_server(self._server)

    def _adapt(self, code: str) -> str:
        code = code.replace(f"127.0.0.1:{_PAGES_PORT}", f"127.0.0.1:{self._port}")
        code = re.sub(r"\$(FIRST_)?HOST:29500", f"127.0.0.1:{free_port()}", code)
        code = code.replace("s3://bucket", Path.cwd().as_uri())
        code = code.replace("src:tests", f"{ROOT / 'src'}:{ROOT / 'tests'}")
        code = re.sub(r"(?<= )benchmarks/", f"{ROOT}/benchmarks/", code)
        return shorten_code(code)

    def _run_command(self, line: str, where: str) -> None:
        program = _program(line)
        if program == "segnext" and " serve " in line:
            self._serve(line, where)
        elif program == "segnext" and "--engine ray" not in line:
            _run_segnext(shlex.split(line, comments=True)[1:], where)
        elif program == "pip":
            _run_pip(line, where)
        elif program == "make":
            _check_make(shlex.split(line, comments=True)[1:], where)
        elif program == "curl":
            line = line.replace("curl", "curl --fail --silent --show-error", 1)
            _run_bash(line, where, SEGNEXT_TOKEN="of the server that was stopped")
        elif "--nnodes 2" in line:
            _forget_run(line)
            _run_bash(f"srun {line}", where)
        else:
            _forget_run(line)
            _run_bash(line, where)

    def _serve(self, line: str, where: str) -> None:
        """Start a server; the page's first stays, for the requests to it."""
        port = self._port if self._server is None else free_port()
        command = re.sub(r"\s#.*", "", line) + f" --port {port}"
        try:
            server = start_server(["bash", "-c", command], port, env=_environment())
        except ServerError as error:
            pytest.fail(f"{where}\n{error}")
        if self._server is None:
            self._server = server
        else:
            end_server(server)


_COMMANDS = {"segnext", "pip", "make", "curl", "python", "torchrun", "accelerate"}


def _program(line: str) -> str:
    """Return the program of a command, behind variables that are set for it."""
    return re.sub(r"^(\w+=(\$\([^)]*\)|\S)* )+", "", line).split()[0]


def _run_segnext(words: list[str], where: str) -> None:
    words = [one for word in words for one in _expand(word)]
    result = CliRunner().invoke(app, shorten_words(words))
    if result.exit_code:
        pytest.fail(f"{where}\n{result.output}\n{result.exception!r}")


def _expand(word: str) -> list[str]:
    """Do what a shell does with a star."""
    return sorted(map(str, Path().glob(word))) if "*" in word else [word]


def _run_pip(line: str, where: str) -> None:
    """Install into an environment that has what the tests have, so that nothing is fetched."""
    folder = Path("environment").absolute()
    if not folder.exists():
        venv.create(folder, symlinks=True)
        installed = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
        (installed / "tests.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    options = "--no-index --no-build-isolation --disable-pip-version-check --quiet"
    line = line.replace("pip install", f"{folder}/bin/python -m pip install {options}", 1)
    said = _run_bash(f"cd {ROOT}; {line}; {folder}/bin/segnext --version", where)
    assert "does not provide the extra" not in said, f"{where}\n{said}"


def _check_make(targets: list[str], where: str) -> None:
    steps = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for target in targets:
        assert re.search(rf"^.*\bmake\b.* {target}$", steps, re.MULTILINE), f"{where}: not in CI"


def _run_script(code: str, where: str) -> None:
    """Run a script that is to be kept: twice, as it must go on where it was."""
    named = re.search(r"^# (\S+\.sh) ", code, re.MULTILINE)
    if named is None:
        _run_bash(code, where)
        return
    Path(named[1]).write_text(code, encoding="utf-8")
    for _ in range(2):
        _run_bash(f"sh {named[1]} {ARGUMENTS[named[1]]}", where)


def _forget_run(line: str) -> None:
    """Remove what an earlier command trained under the name that this one trains under."""
    out = re.search(r" train .*--out (\S+)", line)
    if out is not None:
        shutil.rmtree(out[1], ignore_errors=True)


def _run_bash(code: str, where: str, **variables: str) -> str:
    """Run commands until one fails; return what they said."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", code],
        env=_environment() | variables,
        capture_output=True,
        text=True,
        timeout=_LONGEST_S,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, f"{where}\n{said}"
    return said


def _environment() -> dict[str, str]:
    path = [str(_STAND_INS), str(Path(sys.executable).parent), environ.get("PATH", "")]
    return {**environ, **_JOB, "PATH": pathsep.join(path), "OMP_NUM_THREADS": "1"}
