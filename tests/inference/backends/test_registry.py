from pathlib import Path

import pytest
import torch

from conftest import SMALLEST
from lively_models import enliven
from segnext.errors import UsageError, WeightsError
from segnext.inference import BACKENDS, is_exported, open_runner
from segnext.inference.backends import registry
from segnext.models import SegNeXt, SegNeXtConfig, create_model


@pytest.fixture(scope="module")
def model() -> SegNeXt:
    return enliven(SegNeXt(SegNeXtConfig(num_classes=3, **SMALLEST)))


@pytest.mark.parametrize("name", ["eager", "folded"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_torch_backends_agree(model: SegNeXt, name: str, precision: str) -> None:
    images = torch.randn(2, 3, 64, 70)
    runner = open_runner(model, backend=name, device="cpu", precision=precision)
    assert runner.name == name
    with torch.no_grad():
        expected = model(images)
    logits, labels = runner.run(images), runner.run(images, "labels")
    assert logits.dtype == torch.float32
    assert labels.shape == (2, 64, 70)
    if precision == "float32":
        torch.testing.assert_close(logits, expected, atol=1e-3, rtol=0)
    else:
        assert (logits - expected).abs().mean() < 0.1 * expected.std()


def test_threads_are_set(model: SegNeXt) -> None:
    before = torch.get_num_threads()
    try:
        open_runner(model, backend="folded", device="cpu", threads=before + 1)
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("installed", "device", "precision", "chosen"),
    [
        ({"openvino"}, "cpu", "float32", "openvino"),
        ({"openvino"}, "cpu", "bfloat16", "folded"),
        (set(), "cpu", "float32", "folded"),
        ({"openvino"}, "mps", "float32", "folded"),
        ({"openvino"}, "cuda", "float16", "cuda_graphs"),
    ],
)
def test_auto_takes_the_fastest_that_fits(
    monkeypatch: pytest.MonkeyPatch, installed: set[str], device: str, precision: str, chosen: str
) -> None:
    from dataclasses import replace

    backends = {
        name: replace(
            backend,
            missing=lambda name=name: (
                None if name in installed or not name.startswith(("open", "onnx")) else "needs it"
            ),
        )
        for name, backend in BACKENDS.items()
    }
    monkeypatch.setattr(registry, "BACKENDS", backends)
    request = registry.Request(torch.device(device), None, precision)
    model = create_model("segnext_tiny", num_classes=2)
    assert registry._choose(model, request) == chosen


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backend": "openvine"}, "unknown backend 'openvine': did you mean openvino"),
        ({"precision": "half"}, "unknown precision 'half'"),
        ({"threads": 0}, "threads must be 1 or more, got 0"),
        ({"backend": "cuda_graphs"}, "backend cuda_graphs runs on cuda, not on cpu"),
        (
            {"backend": "onnxruntime", "precision": "bfloat16"},
            "backend onnxruntime computes in float32 here, not in bfloat16",
        ),
    ],
)
def test_what_cannot_be_had(model: SegNeXt, options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        open_runner(model, **{"device": "cpu", **options})


def test_a_missing_package_names_its_extra(model: SegNeXt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    message = r'backend openvino needs openvino: pip install "segnext\[openvino\]"'
    with pytest.raises(UsageError, match=message):
        open_runner(model, backend="openvino", device="cpu")


def test_files(tmp_path: Path) -> None:
    assert is_exported("a.onnx")
    assert is_exported(Path("b.XML"))
    assert not is_exported("segnext_tiny")
    with pytest.raises(WeightsError, match=r"a\.onnx: no such file"):
        open_runner(tmp_path / "a.onnx", device="cpu")
    with pytest.raises(WeightsError, match=r"a\.engine: exported files end in \.onnx, \.xml"):
        open_runner(tmp_path / "a.engine", device="cpu")
    (tmp_path / "a.onnx").write_bytes(b"no graph")
    with pytest.raises(UsageError, match=r"a \.onnx file runs in onnxruntime, not in openvino"):
        open_runner(tmp_path / "a.onnx", backend="openvino", device="cpu")


def test_every_backend_is_described() -> None:
    assert all(backend.description and backend.devices for backend in BACKENDS.values())
    assert set(registry.AUTOMATIC) <= set(BACKENDS)
