import subprocess
import sys

import pytest

import segnext


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_bare_import_is_light() -> None:
    code = "import sys, segnext; print([m for m in ('torch', 'numpy', 'cv2') if m in sys.modules])"
    assert run(code) == "[]"


def test_help_is_light() -> None:
    code = (
        "import sys; sys.argv = ['segnext', '--help']\n"
        "from segnext.cli.main import app\n"
        "try: app()\n"
        "except SystemExit: pass\n"
        "print('torch' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "import-weights" in done.stdout
    assert done.stderr.strip() == "False"


@pytest.mark.parametrize("name", segnext.__all__)
def test_every_public_name_loads_and_is_documented(name: str) -> None:
    thing = getattr(segnext, name)
    if name != "__version__":
        assert thing.__doc__


def test_wrong_names_are_attribute_errors() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        segnext.nothing  # noqa: B018


def test_dir_lists_the_public_names() -> None:
    assert set(segnext.__all__) <= set(dir(segnext))
