"""One call over PyTorch, ONNX Runtime, OpenVINO, AOTInductor and ExecuTorch."""

from segnext.inference.backends.registry import AUTO, BACKENDS, FILES, is_exported, open_runner
from segnext.inference.backends.runner import ModuleRunner, Runner, resize_logits

__all__ = [
    "AUTO",
    "BACKENDS",
    "FILES",
    "ModuleRunner",
    "Runner",
    "is_exported",
    "open_runner",
    "resize_logits",
]
