"""The design's rules: imports go one way, files stay small, drawers have names."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "segnext"
FILES = sorted(SOURCE.rglob("*.py"))

# A package may import what stands on a lower layer, and what is listed for it by name.
LAYERS = {
    "errors": 0,
    "classes": 0,
    "parsing": 0,
    "protocol": 0,
    "spec": 0,
    "stopping": 0,
    "storage": 0,
    "drawing": 0,
    "models": 1,
    "data": 1,
    "metrics": 1,
    "html_page": 0,
    "svg": 1,
    "metric_rules": 2,
    "class_table": 2,
    "weights": 2,
    "submissions": 2,
    "inference": 3,
    "training": 4,
    "evaluation": 4,
    "benchmark": 4,
    "classification": 5,
    "deploy": 5,
    "predict": 5,
    "checkup_report": 5,
    "report": 6,
    "serve": 6,
    "maps": 6,
    "compare": 7,
    "cli": 8,
    "__main__": 9,
}
# Inside layer 0 the order is: errors, then the rest.
WITHIN_LAYER_0 = {
    "errors": set(),
    "html_page": set(),
    "classes": {"errors"},
    "parsing": set(),
    "protocol": {"errors"},
    "spec": {"errors", "classes", "protocol"},
    "stopping": {"errors"},
    "storage": {"errors"},
    "drawing": {"errors", "classes", "storage"},
}
BANNED_NAMES = {"utils", "util", "common", "helpers", "misc", "tools", "lib", "core"}
MAX_LINES = 380
# What networks may need beside torch.
PLAIN_PYTHON = {
    "collections",
    "contextlib",
    "contextvars",
    "dataclasses",
    "functools",
    "inspect",
    "itertools",
    "math",
    "typing",
}


def place(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            names.add(node.module)
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_go_down(path: Path) -> None:
    here = place(path)
    if here == "__init__":
        return  # names load lazily there
    for name in imported(path):
        parts = name.split(".")
        if parts[0] != "segnext" or len(parts) == 1 or parts[1] == here:
            continue
        assert parts[1] in LAYERS, f"{parts[1]} has no layer"
        if LAYERS[here] == 0:
            assert parts[1] in WITHIN_LAYER_0[here], f"{here} imports {parts[1]}"
        else:
            assert LAYERS[parts[1]] < LAYERS[here], f"{here} imports {parts[1]}"


def test_every_place_has_a_layer() -> None:
    assert {place(path) for path in FILES} - {"__init__"} == set(LAYERS)


def test_prediction_knows_nothing_of_training() -> None:
    for path in FILES:
        if place(path) in {"predict", "inference", "maps", "weights", "serve"}:
            used = {name.split(".")[1] for name in imported(path) if name.startswith("segnext.")}
            assert not used & {"training", "evaluation"}, path


def test_models_are_torch_only() -> None:
    for path in (SOURCE / "models").glob("*.py"):
        outside = {name.split(".")[0] for name in imported(path)} - {"segnext", "torch"}
        assert outside <= PLAIN_PYTHON, path
    for path in (SOURCE / "models" / "decoders").glob("*.py"):
        outside = {name.split(".")[0] for name in imported(path)} - {"segnext", "torch"}
        assert outside <= PLAIN_PYTHON, path


def test_transformers_are_the_encoders_affair() -> None:
    for path in FILES:
        named = "transformers" in {name.split(".")[0] for name in imported(path)}
        assert not named or path.parent == SOURCE / "models" / "encoders", path
    for path in (SOURCE / "models" / "encoders").glob("*.py"):
        outside = {name.split(".")[0] for name in imported(path)} - {"segnext", "torch"}
        assert outside <= PLAIN_PYTHON | {
            "importlib",
            "pathlib",
            "re",
            "safetensors",
            "transformers",
        }, path


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_files_are_small_and_named(path: Path) -> None:
    assert path.stem not in BANNED_NAMES
    assert path.parent.name not in BANNED_NAMES
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MAX_LINES, f"{lines} lines: give a part of it a file and a name"


def test_modules_import_no_cycles() -> None:
    names = {".".join(p.relative_to(SOURCE.parent).with_suffix("").parts): p for p in FILES}
    graph = {
        name: {target for target in imported(path) if target in names}
        for name, path in names.items()
        if path.stem != "__init__"
    }
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name in done:
            return
        for target in graph.get(name, ()):
            visit(target, (*trail, name))
        done.add(name)

    for name in graph:
        visit(name, ())


# What has no test file of its own name, and where it is tested.
COVERED_BY = {
    "__main__.py": "cli/test_interrupt.py",
    "classification/config.py": "classification/test_run.py",
    "classification/run_folder.py": "classification/test_run.py",
    "classification/trainer.py": "classification/test_run.py",
    "cli/data_maps.py": "data/test_map_preparation.py",
    "cli/models.py": "cli/test_main.py",
    "cli/plan.py": "cli/test_main.py",
    "cli/options.py": "cli/test_main.py",
    "cli/progress.py": "cli/test_data_check.py",
    "cli/predict.py": "cli/test_main.py",
    "cli/predict_maps.py": "maps/test_prediction.py",
    "cli/synthetic.py": "cli/test_main.py",
    "compare/measuring.py": "compare/test_compare.py",
    "compare/segmenting.py": "compare/test_compare.py",
    "data/datasets/known_dataset.py": "data/datasets/test_registry.py",
    "data/formats/format.py": "data/formats/test_registry.py",
    "data/formats/label_studio_regions.py": "data/formats/test_label_studio.py",
    "data/grid.py": "data/test_patches.py",
    "data/scenery/objects.py": "data/test_synthetic.py",
    "data/scenery/street.py": "data/test_synthetic.py",
    "deploy/bundle_files/example.py": "deploy/test_bundle.py",
    "inference/backends/executorch_runtime.py": "deploy/test_formats.py",
    "inference/backends/torch_eager.py": "inference/backends/test_registry.py",
    "inference/graphs.py": "inference/backends/test_openvino_runtime.py",
    "inference/scores.py": "inference/test_masks.py",
    "inference/scoring.py": "evaluation/test_evaluation.py",
    "report/confusion_page.py": "report/test_page.py",
    "report/markup.py": "report/test_page.py",
    "report/shown.py": "report/test_reporting.py",
    "report/tally.py": "report/test_summary.py",
    "predict/photos.py": "predict/test_predictor.py",
    "predict/writers/writer.py": "predict/test_annotations.py",
    "training/display.py": "cli/test_main.py",
    "training/divergence.py": "training/test_faults.py",
    "training/config.py": "training/test_arguments.py",
    "training/gradient_step.py": "training/test_learner.py",
    "training/loop.py": "training/test_resume.py",
    "training/run_files.py": "training/test_run_folder.py",
    "training/samples.py": "training/test_run.py",
    "training/situation.py": "training/test_rules.py",
    "training/trainer.py": "training/test_run.py",
    "weights/description.py": "weights/test_files.py",
    "weights/names.py": "weights/test_foreign.py",
}


def test_tests_mirror_the_package() -> None:
    tests = Path(__file__).parent
    missing = [
        path.relative_to(SOURCE).as_posix()
        for path in FILES
        if path.stem != "__init__"
        and not (tests / path.relative_to(SOURCE)).with_name(f"test_{path.name}").exists()
    ]
    assert sorted(missing) == sorted(COVERED_BY)
    assert all((tests / target).exists() for target in COVERED_BY.values())
