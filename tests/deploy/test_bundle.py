import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from exports import lively_model, run_job, scene_spec
from segnext.deploy.bundle import check_bundle, fill_bundle, tensorrt_command
from segnext.deploy.formats import Job
from segnext.deploy.pictures import draw_pictures, record_inputs
from segnext.deploy.verify import MOST_TIES
from segnext.errors import UsageError
from segnext.inference.description import GraphDescription
from subprocesses import run_python

FILES = [
    "README.md",
    "example.cpp",
    "example.py",
    "model.onnx",
    "parity/expected.png",
    "parity/expected.raw",
    "parity/input.png",
    "parity/input.raw",
    "parity/shape.txt",
    "spec.json",
]


def listed(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_a_bundle_is_complete(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(b"model")
    description = GraphDescription(scene_spec(), "labels", pixels=True, batch=2)
    runner = run_job(Job(lively_model(), description))
    (picture,) = record_inputs(draw_pictures(3, 1), scene_spec(), description)
    folder = tmp_path / "bundle"
    fill_bundle(folder, model, runner, picture)
    assert listed(folder) == FILES
    told = json.loads((folder / "spec.json").read_text())
    pixels = np.fromfile(folder / "parity" / "input.raw", np.uint8)
    assert told["parity"]["input_shape"] == [2, 256, 320, 3]
    assert len(pixels) == 2 * 256 * 320 * 3
    expected = np.fromfile(folder / "parity" / "expected.raw", told["parity"]["label_type"])
    labels = runner.run(picture, "labels")
    np.testing.assert_array_equal(expected.reshape(2, 256, 320)[1], labels[0].numpy())
    assert (folder / "parity" / "shape.txt").read_text() == "2 256 320 3 1 0.999\n"
    readme = (folder / "README.md").read_text()
    assert "any height and width from 32, batch 2 only" in readme
    assert "trtexec --onnx=model.onnx" in readme
    assert "Not run where this was written" in readme
    for name in ("example.py", "example.cpp"):
        assert len((folder / name).read_text().splitlines()) <= 50


def test_examples_need_nothing_of_segnext() -> None:
    here = Path(__file__).parents[2] / "src" / "segnext" / "deploy" / "bundle_files"
    assert "segnext" not in (here / "example.py").read_text()


@pytest.mark.slow
def test_the_python_example_reproduces_the_mask(tmp_path: Path) -> None:
    for module in ("onnxscript", "onnxruntime"):
        pytest.importorskip(module, reason=f"needs {module}", exc_type=ImportError)
    bundle = tmp_path / "bundle"
    options = {"output": "labels", "pixels": True, "bundle": str(bundle)}
    out = tmp_path / "m.onnx"
    told = run_python(f"from exports import export_and_predict as e; e({str(out)!r}, {options})")
    assert told["report"]["bundle"] == "bundle"
    assert told["unequal"] <= MOST_TIES
    assert listed(bundle) == FILES
    assert (bundle / "model.onnx").read_bytes() == out.read_bytes()
    command = [sys.executable, "-I", bundle / "example.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "100.0000% of 81920 pixels are as expected" in done.stdout
    wrong = np.fromfile(bundle / "parity" / "expected.raw", np.uint8)
    wrong[: len(wrong) // 100] += 1
    wrong.tofile(bundle / "parity" / "expected.raw")
    assert subprocess.run(command, capture_output=True, check=False).returncode == 1


def test_something_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    description = GraphDescription(scene_spec(), "labels", pixels=True)
    check_bundle(tmp_path, ".onnx", description)
    check_bundle(tmp_path / "new", ".onnx", description)
    (tmp_path / "mine.txt").write_bytes(b"")
    with pytest.raises(UsageError, match="is there already; a bundle needs a new or empty folder"):
        check_bundle(tmp_path, ".onnx", description)


def test_tensorrt_is_told_the_ranges_of_what_is_open() -> None:
    open_ = tensorrt_command(GraphDescription(scene_spec(), "labels", pixels=True))
    assert "--minShapes=images:1x32x32x3 --optShapes=images:1x512x512x3" in open_
    assert open_.endswith("--maxShapes=images:4x1024x1024x3")
    fixed = GraphDescription(scene_spec(), "labels", True, (64, 96), 1, precision="float16")
    assert "Shapes" not in tensorrt_command(fixed)
    assert "--fp16" in tensorrt_command(fixed)
