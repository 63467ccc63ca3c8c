import argparse
import os
import sys
import types
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from segnext.errors import WeightsError
from segnext.weights import convert_state_dict, read_checkpoint


class Hostile:
    """Pickles as a call of `function` on `arguments`."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call


@pytest.fixture
def history_buffer(monkeypatch: pytest.MonkeyPatch) -> Any:
    """An object of the class that mmengine stores, in a module that is gone once pickled."""
    module = types.ModuleType("mmengine.logging.history_buffer")
    source = """
import numpy
class HistoryBuffer:
    def __init__(self):
        self._log_history = numpy.array([1.0, 2.0])
        self._count_history = numpy.array([1, 1])
        self._statistics_methods = {"min": HistoryBuffer.min}
    def min(self): ...
"""
    exec(source, module.__dict__)
    for name in ("mmengine", "mmengine.logging"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module.HistoryBuffer()


@pytest.mark.parametrize("zipped", [True, False])
def test_training_state_beside_the_weights_is_passed_over(
    tmp_path: Path, history_buffer: Any, monkeypatch: pytest.MonkeyPatch, zipped: bool
) -> None:
    content = {
        "meta": {"seed": np.int64(3), "lr": np.float64(0.1), "classes": ("road", "sky")},
        "message_hub": {"log_scalars": OrderedDict(loss=history_buffer)},
        "args": argparse.Namespace(model="van", size=(3, 224, 224)),
        "history": np.ones((2, 3), dtype=np.float32),
        "dtype": np.dtype("float64"),
        "state_dict": OrderedDict({"a.weight": torch.arange(3.0)}),
    }
    path = tmp_path / "mmseg.pth"
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    monkeypatch.undo()
    assert "mmengine.logging.history_buffer" not in sys.modules
    read = read_checkpoint(path)
    assert torch.equal(read["state_dict"]["a.weight"], torch.arange(3.0))
    assert read["meta"]["classes"] == ("road", "sky")
    assert type(read["history"]).__name__ == "_StandIn"


def test_both_module_paths_of_numpy_are_known(tmp_path: Path) -> None:
    path = tmp_path / "old.pth"
    # Protocol 2 in legacy form keeps module names as plain text of any length.
    torch.save({"value": np.float64(1.5)}, path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    old, new = b"cnumpy.core.multiarray\n", b"cnumpy._core.multiarray\n"
    for module in (old, new):
        path.write_bytes(content.replace(new, module).replace(old, module))
        assert module in path.read_bytes()
        assert "value" in read_checkpoint(path)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    ("function", "arguments", "named"),
    [
        (os.system, ("touch {victim}",), "system"),
        (os.mkdir, ("{victim}",), "mkdir"),
        (exec, ("open({victim!r}, 'w')",), "exec"),
        (eval, ("open({victim!r}, 'w')",), "eval"),
        (open, ("{victim}", "w"), r"(_io\.)?open"),
        (Path, ("{victim}",), r"pathlib\.Path"),
    ],
)
def test_hostile_pickles_are_refused_by_name_and_not_run(
    tmp_path: Path, function: Any, arguments: tuple[str, ...], named: str, zipped: bool
) -> None:
    victim = str(tmp_path / "victim")
    call = Hostile(function, *(text.format(victim=victim) for text in arguments))
    path = tmp_path / "hostile.pth"
    torch.save({"state_dict": {"a": torch.ones(1), "b": call}}, path,
               _use_new_zipfile_serialization=zipped)  # fmt: skip
    with pytest.raises(WeightsError, match=rf"refused, because reading it would run \S*{named},"):
        read_checkpoint(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["hostile.pth"]


def test_getattr_is_a_stand_in_that_reaches_nothing(tmp_path: Path) -> None:
    path = tmp_path / "hostile.pth"
    chained = Hostile(getattr, OrderedDict, "__subclasses__")
    torch.save({"state_dict": chained}, path)
    assert type(read_checkpoint(path)["state_dict"]).__name__ == "_StandIn"


def test_list_of_allowed_names_is_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "plain.pth"
    torch.save({"a": torch.ones(1)}, path)
    before = set(torch.serialization.get_safe_globals())
    read_checkpoint(path)
    assert set(torch.serialization.get_safe_globals()) == before


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.95])
def test_truncated_checkpoints(tmp_path: Path, share: float, zipped: bool) -> None:
    path = tmp_path / "cut.pth"
    torch.save({"a": torch.ones(1000)}, path, _use_new_zipfile_serialization=zipped)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(WeightsError, match=r"cut\.pth: not a whole checkpoint") as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)


def test_an_archive_in_several_parts(tmp_path: Path) -> None:
    path = tmp_path / "parts.pth"
    # The end of a large archive that says it is one of 256 disks: zipfile refuses to look at it.
    locator = b"PK\x06\x07" + bytes(13) + b"\x01\x00\x00"
    path.write_bytes(bytes(80) + locator + b"PK\x05\x06" + bytes(18))
    with pytest.raises(WeightsError, match=r"parts\.pth: not a whole checkpoint"):
        read_checkpoint(path)


def test_pictures_and_lists_are_no_checkpoints(tmp_path: Path) -> None:
    (tmp_path / "photo.pth").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    with pytest.raises(WeightsError, match=r"photo\.pth: not a whole checkpoint"):
        read_checkpoint(tmp_path / "photo.pth")
    torch.save([torch.ones(1)], tmp_path / "list.pth")
    with pytest.raises(WeightsError, match="holds a list, not a dictionary"):
        read_checkpoint(tmp_path / "list.pth")
    with pytest.raises(WeightsError, match=r"gone\.pth: no such file"):
        read_checkpoint(tmp_path / "gone.pth")


def test_safetensors_with_foreign_names(tmp_path: Path) -> None:
    path = tmp_path / "foreign.safetensors"
    save_file({"backbone.norm1.weight": torch.full((32,), 2.0)}, path)
    converted = convert_state_dict(read_checkpoint(path))
    assert converted.state_dict["encoder.stages.0.norm.weight"][0] == 2.0


def test_packed_archives_are_refused(tmp_path: Path) -> None:
    """A megabyte of zeros in a kilobyte; torch itself would unpack them."""
    plain, packed = tmp_path / "plain.pth", tmp_path / "packed.pth"
    torch.save({"a": torch.zeros(250_000)}, plain)
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    assert read_checkpoint(plain)["a"].shape == (250_000,)
    with pytest.raises(WeightsError, match=r"packed.pth: holds 1,0.* bytes in fewer"):
        read_checkpoint(packed)


def test_numbers_that_are_not_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    torch.save({"state": [torch.zeros(1).expand(10**9)]}, path)
    with pytest.raises(WeightsError, match="its tensors claim 4,000,000,000 bytes, the file has"):
        read_checkpoint(path)
