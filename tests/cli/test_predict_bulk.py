import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from segnext.cli.main import app


def call(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_shards_of_a_folder(scene_weights: Path, scenes: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    shutil.copytree(scenes / "test" / "images", photos)
    (photos / "broken.png").write_bytes(b"\x89PNG broken")
    options = "predict", scene_weights, photos, "--out", tmp_path / "out", "--device", "cpu"
    results = [call(*options, "--shard", f"{index}/2") for index in range(2)]
    assert sorted(result.exit_code for result in results) == [0, 1]
    assert "part 0/2: " in results[0].stdout
    assert "1 failed:" in results[0].stderr + results[1].stderr
    assert len(list((tmp_path / "out" / "masks").rglob("*.png"))) == 3
    # A part without pictures, which may happen with so few, leaves no manifest.
    manifests = {path.name for path in (tmp_path / "out" / "manifest").iterdir()}
    assert manifests
    assert manifests <= {f"shard-0000{index}-of-00002.jsonl" for index in range(2)}
    again = call(*options, "--engine", "local", "--on-error", "stop")
    assert again.exit_code == 1
    assert "broken.png" in again.stderr
    (photos / "broken.png").unlink()
    last = call(*options, "--engine", "local")
    assert last.exit_code == 0
    assert "0 predicted, 3 were finished before" in last.stdout


def test_a_list_without_further_options(scene_weights: Path, scenes: Path, tmp_path: Path) -> None:
    photo = sorted((scenes / "test" / "images").iterdir())[0]
    (tmp_path / "list.txt").write_text(f"{photo}\n{photo}\n")
    result = call("predict", scene_weights, tmp_path / "list.txt", "--out", tmp_path / "out")
    assert result.exit_code == 0
    assert "1 predicted, 1 were finished before" in result.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--shard", "2/2"), "--shard 2/2: there is no such part"),
        (("--engine", "spark"), "unknown engine 'spark'"),
        (("--on-error", "panic"), "unknown --on-error 'panic'"),
        (("--workers", "2"), "--workers is for --engine ray"),
        (("--ray-address", "auto", "--shard", "0/2"), "--ray-address is for --engine ray"),
        (("more", "--shard", "0/2"), "2 sources given"),
        (("--shard", "0/2", "--save", "overlay,coco"), "--save coco needs all pictures at once"),
        (("--shard", "0/2", "--suggest", "2"), "--suggest needs all pictures at once"),
        (("--shard", "0/2", "--map"), "--map takes local files, without shards and --engine"),
        (("--map", "--suggest", "2"), "--save and --suggest are for pictures"),
        (("--shard", "0/2", "--out", "photos/out"), "photos/out lies below the pictures in photos"),
    ],
)
def test_options_that_do_not_fit_are_named(
    options: tuple[str, ...],
    message: str,
    scene_weights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    result = call("predict", scene_weights, "photos", *options)
    assert result.exit_code == 2
    assert message in result.stderr
