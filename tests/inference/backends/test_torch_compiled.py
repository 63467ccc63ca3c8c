import pytest

from segnext.deploy.verify import MOST_TIES
from segnext.errors import UsageError
from segnext.inference.backends import torch_compiled
from subprocesses import run_python


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["compiled", "aotinductor"])
def test_a_compiled_model_runs(backend: str) -> None:
    missing = torch_compiled.missing_compiler()
    if missing is not None:
        pytest.skip(missing)
    # Of one size: the compiler takes half a minute for each.
    found = run_python(
        f"from runtime_checks import compare; compare('{backend}', ((2, 3, 64, 96),))"
    )
    assert found["difference"] < 1e-3
    assert found["unequal"] <= MOST_TIES


def test_no_compiler_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setattr(torch_compiled.shutil, "which", lambda _: None)
    monkeypatch.setattr(torch_compiled.torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match=r"AOTInductor needs a C\+\+ compiler"):
        torch_compiled.compile_package(None, tmp_path, {})  # type: ignore[arg-type]
