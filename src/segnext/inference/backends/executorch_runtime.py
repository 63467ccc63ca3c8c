"""ExecuTorch: runs `.pte` files, which are meant for phones and boards, for comparison."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from segnext.errors import WeightsError
from segnext.inference.backends.extras import import_extra
from segnext.inference.backends.runner import Runner
from segnext.inference.description import parse_description

SUFFIX = ".pte"


def description_path(path: Path) -> Path:
    """Return where the description of a `.pte` file lies, which can hold none itself."""
    return path.with_name(f"{path.name}.json")


class ExecutorchRunner(Runner):
    """A program in ExecuTorch's own runtime.

    Args:
        path: The `.pte` file, with its `.pte.json` beside it.

    Raises:
        WeightsError: A file is missing or damaged.
        UsageError: ExecuTorch is not installed.
    """

    def __init__(self, path: Path) -> None:
        runtime = import_extra("executorch", "mobile") and import_extra(
            "executorch.runtime", "mobile"
        )
        beside = description_path(path)
        text = beside.read_text(encoding="utf-8") if beside.is_file() else None
        description = parse_description(text, path.name)
        try:
            program = runtime.Runtime.get().load_program(path)
            self._method: Any = program.load_method("forward")
        except RuntimeError as error:
            msg = f"{path}: ExecuTorch cannot load it ({error})"
            raise WeightsError(msg) from error
        channels = description.spec.normalization.channels
        super().__init__("executorch", channels, torch.device("cpu"))
        self.describe_as(description)

    def compute(self, images: Tensor) -> Tensor:
        """Run the program."""
        result: Tensor = self._method.execute([images.contiguous()])[0]
        return result.clone()
