"""A few inputs for every reader, chosen by Hypothesis; `fuzz.run` tries as many as time allows."""

import json
import os
import sys
import time
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings, strategies

from fuzz import data_targets, model_targets
from fuzz.mutator import Mutator, encode_json, mend_png
from fuzz.run import find_target, fuzz_guided, fuzz_in_child
from fuzz.target import Target

TESTS = Path(__file__).resolve().parents[1]
SOURCE = TESTS.parent / "src"
INPUTS = 50
TARGETS = (*data_targets.TARGETS, *model_targets.TARGETS)


def check(target: Target, folder: Path) -> None:
    """Let Hypothesis make inputs, the same ones every time, and shrink one that fails."""
    seeds = target.seeds()
    target.prepare(folder)

    @settings(
        max_examples=INPUTS,
        derandomize=True,
        deadline=None,
        database=None,
        # Seeds of kilobytes are changed in many places: more choices than it likes.
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(random=strategies.randoms(use_true_random=False))
    def only_our_errors_leave(random: Random) -> None:
        target.try_input(folder, target.make_input(seeds, random))

    only_our_errors_leave()


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_only_our_errors_leave_a_reader(target: Target, tmp_path: Path) -> None:
    check(target, tmp_path)


def test_another_error_is_found(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        check(find_target("raise"), tmp_path)


def test_seeds_are_taken(tmp_path: Path) -> None:
    """Otherwise nothing but the first check of a reader would be tried."""
    for target in TARGETS:
        folder = tmp_path / target.name
        folder.mkdir()
        target.prepare(folder)
        encode = target.encode or target.mend or bytes
        assert any([target.try_input(folder, encode(seed)) for seed in target.seeds()]), target.name


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_inputs_are_the_same_every_time(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    first = target.make_input(target.seeds(), Random(5))
    monkeypatch.setattr(time, "time", lambda: 1e9)
    assert target.make_input(target.seeds(), Random(5)) == first
    assert target.make_input(target.seeds(), Random(6)) != first


def test_json_that_no_writer_would_write() -> None:
    text = encode_json({"a": "@deep@", "b": "@digits@", "c": "\ud800"})
    assert text.startswith(b'{"a": [[[[')
    assert b"9" * 5000 in text
    assert json.loads(text[text.index(b'"c"') - 1 :].replace(b" ", b"{", 1))["c"] == "\ud800"


def test_checksums_hold_again() -> None:
    seed = find_target("png").seeds()[0]
    assert mend_png(seed) == seed
    changed = Mutator(Random(3)).change_bytes(seed, [seed])
    assert changed != seed


@pytest.mark.skipif(sys.platform != "linux", reason="limits of processes are Linux's")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("raise", "KeyError at "),
        ("hang", "hang at "),
        ("die", "exit 3 at "),
        ("grow", "MemoryError at "),
    ],
)
def test_findings_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (SOURCE, TESTS))))
    cpu_s = 0.2 if name == "hang" else 5.0
    found = fuzz_in_child(name, 0.5, tmp_path, cpu_s=cpu_s, memory=64 << 20)
    findings = found["findings"]
    assert findings
    assert all(finding.startswith(message) for finding in findings)
    assert 1 <= sum(entry["count"] for entry in findings.values()) <= found["tried"]
    assert list(tmp_path.glob("finding-*"))


@pytest.mark.skipif(sys.platform != "linux", reason="limits of processes are Linux's")
def test_refusals_are_no_findings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (SOURCE, TESTS))))
    found = fuzz_in_child("refuse", 0.5, tmp_path)
    assert found["tried"] > 0
    assert not found["findings"]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "finding"), [("raise", "KeyError: "), ("refuse", None)])
def test_coverage_guides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, finding: str | None
) -> None:
    pytest.importorskip("atheris")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (SOURCE, TESTS))))
    found = fuzz_guided(name, 2, tmp_path)
    assert found["tried"] > 0
    assert [key[:10] for key in found["findings"]] == ([] if finding is None else [finding])
    assert bool(list(tmp_path.glob("finding-*"))) == (finding is not None)
