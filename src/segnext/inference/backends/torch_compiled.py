"""The folded network through TorchInductor: compiled at the first run, or ahead of time.

Inductor writes C++ (on CUDA: Triton) and needs a compiler; the first run of a shape takes a
minute or more.
"""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from segnext.errors import SegnextError, UsageError, WeightsError
from segnext.inference.backends.runner import ModuleRunner, Runner
from segnext.inference.backends.torch_eager import prepare_on
from segnext.inference.description import KEY, parse_description
from segnext.inference.graphs import export_program
from segnext.models import SegmentationModel
from segnext.protocol import GREATEST_STRIDE

PACKAGE_SUFFIX = ".pt2"
# Inductor cannot reason about sizes that round up at each stage.
MULTIPLE = GREATEST_STRIDE


def missing_compiler() -> str | None:
    """Return why nothing can be compiled here, in one line; `None` if it can."""
    if torch.cuda.is_available():
        return None
    if any(shutil.which(name) for name in ("g++", "clang++", "cl")):
        return None
    return "needs a C++ compiler (g++ or clang++) on the path"


def open_compiled(model: SegmentationModel, device: torch.device, precision: str) -> Runner:
    """Run a folded model by `torch.compile`; a new shape is compiled at its first run."""
    folded = prepare_on(model, device, precision)
    compiled: Any = torch.compile(folded, dynamic=False)
    return ModuleRunner("compiled", compiled, model.config.in_channels, device)


def open_aot(model: SegmentationModel, device: torch.device, precision: str) -> Runner:
    """Compile a folded model ahead of time, for sides in multiples of 32, and run the result."""
    folded = prepare_on(model, device, precision)
    program = export_program(
        folded, channels=model.config.in_channels, multiple=MULTIPLE, device=device
    )
    with tempfile.TemporaryDirectory() as folder:
        package = compile_package(program, Path(folder) / f"model{PACKAGE_SUFFIX}", {})
        loaded: Any = torch._inductor.aoti_load_package(str(package))
    runner = ModuleRunner("aotinductor", loaded, model.config.in_channels, device)
    runner.multiple = MULTIPLE
    return runner


def compile_package(
    program: torch.export.ExportedProgram, path: Path, properties: dict[str, str]
) -> Path:
    """Compile an exported program into an AOTInductor package.

    Args:
        program: What to compile.
        path: Where the package goes; ends in `.pt2`.
        properties: Kept in the package.

    Raises:
        UsageError: There is no compiler.
        SegnextError: Inductor or the compiler fails.
    """
    missing = missing_compiler()
    if missing is not None:
        msg = f"AOTInductor {missing}"
        raise UsageError(msg)
    import torch._inductor

    # Whatever Inductor and the compiler raise: it is theirs, and one line of it is enough.
    try:
        torch._inductor.aoti_compile_and_package(
            program,
            package_path=str(path),
            inductor_configs={"aot_inductor.metadata": properties},
        )
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else ""
        msg = f"AOTInductor could not compile the network: {type(error).__name__}: {reason}"
        raise SegnextError(msg) from error
    return path


class PackageRunner(Runner):
    """An AOTInductor package that `segnext export` wrote.

    Only for files from people you trust: a package holds compiled code, which runs.

    Args:
        path: The `.pt2` file.
    """

    def __init__(self, path: Path) -> None:
        import torch._inductor

        try:
            self._package: Any = torch._inductor.aoti_load_package(str(path))
            properties: dict[str, str] = self._package.get_metadata()
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            msg = f"{path}: not an AOTInductor package that runs here ({reason})"
            raise WeightsError(msg) from error
        description = parse_description(properties.get(KEY), path.name)
        device = torch.device(properties.get("AOTI_DEVICE_KEY", "cpu"))
        super().__init__("aotinductor", description.spec.normalization.channels, device)
        self.describe_as(description)

    def compute(self, images: Tensor) -> Tensor:
        """Run the compiled code."""
        result: Tensor = self._package(images.contiguous())
        return result
