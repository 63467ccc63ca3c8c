"""Fixtures that several test files share."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from segnext.data.synthetic import SCENE_CLASSES, write_scenes
from segnext.models import SegNeXt, SegNeXtConfig
from segnext.weights import describe_model, save_model

# The suite runs in as many processes as there are cores; threads would only get in their way.
torch.set_num_threads(1)

SHARED = Path(__file__).resolve().parents[2] / "shared"

# A SegNeXt of the real shape, small enough for a test of milliseconds.
SMALLEST = {
    "embed_dims": (16, 32, 32, 32),
    "depths": (1, 1, 1, 1),
    "mlp_ratios": (2, 2, 2, 2),
    "decoder_width": 32,
    "rank": 4,
}


@pytest.fixture(autouse=True)
def _clean_state() -> Iterator[None]:
    """Give every test the same random numbers and threads: sums of two threads round elsewhere."""
    torch.manual_seed(0)
    yield
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    assert threads == 1, f"the test left torch with {threads} threads"


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Iterator[None]:
    """Answer every wish for published weights at once, on machines with a network too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGNEXT_OFFLINE", "1")
        yield


@pytest.fixture
def shared() -> Path:
    """Reference values and real data, kept beside the checkout and never in it."""
    if not SHARED.is_dir():
        pytest.skip("needs the reference data kept beside the repository")
    return SHARED


@pytest.fixture
def part_of_camvid(shared: Path, tmp_path: Path) -> Callable[..., Path]:
    """Lay out every n-th photo of CamVid's train and val: it takes its time on two cores."""
    source = shared / "data" / "camvid"
    if not source.is_dir():
        pytest.skip("needs CamVid")

    def lay_out(*, train: int, val: int) -> Path:
        out = tmp_path / "camvid"
        for split, every in (("train", train), ("val", val)):
            for kind in ("images", "masks"):
                (out / split / kind).mkdir(parents=True)
                for path in sorted((source / split / kind).iterdir())[::every]:
                    (out / split / kind / path.name).symlink_to(path)
        (out / "classes.txt").symlink_to(source / "classes.txt")
        return out

    return lay_out


@pytest.fixture
def smallest_model() -> SegNeXt:
    return SegNeXt(SegNeXtConfig(num_classes=3, **SMALLEST))


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of tiny synthetic scenes; tests must not change it."""
    out = tmp_path_factory.mktemp("data") / "scenes"
    return write_scenes(out, train=6, val=2, test=3, width=64, height=64)


@pytest.fixture(scope="session")
def scene_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights for the classes of the scenes, untrained and tiny."""
    torch.manual_seed(0)
    model = SegNeXt(SegNeXtConfig(num_classes=SCENE_CLASSES.num_classes, **SMALLEST))
    out = tmp_path_factory.mktemp("weights") / "scenes.safetensors"
    return save_model(model, out, describe_model(model, SCENE_CLASSES))
