"""A network in a backend, with its two timed outputs; imported by workers only.

`logits` are (B, K, H, W) float32 at the picture's resolution, `labels` (B, H, W). A graph backend
can resize and take the argmax inside the graph, or leave both to torch; a rival gets whichever was
faster when it was opened, and says which.
"""

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

OUTPUTS = ("logits", "labels")
TRIALS = 3

Run = Callable[[Tensor], Tensor]


def resize(logits: Tensor, images: Tensor) -> Tensor:
    """Interpolate logits to the picture's size, unless they have it already."""
    size = images.shape[-2:]
    if logits.shape[-2:] == size:
        return logits
    return functional.interpolate(logits, size=size, mode="bilinear", align_corners=False)


class Whole(nn.Module):
    """A network with what follows it, so that a graph can hold both.

    Args:
        network: Images to logits at its own stride.
        output: `low` for these, `logits` or `labels`.
    """

    def __init__(self, network: nn.Module, output: str) -> None:
        super().__init__()
        self.network = network
        self.output = output

    def forward(self, images: Tensor) -> Tensor:
        """Compute the output."""
        logits = self.network(images)
        if self.output == "low":
            return logits
        logits = resize(logits, images)
        return logits.argmax(1) if self.output == "labels" else logits


class TorchRunner:
    """A network as it is, in one of two memory formats.

    Attributes:
        any_size: Pictures of another size can be run.
        forms: How each output is made.
    """

    any_size = True

    def __init__(self, network: nn.Module, backend: str) -> None:
        self.format = torch.channels_last if backend == "channels_last" else torch.contiguous_format
        self.wholes = {
            output: Whole(network.to(memory_format=self.format), output) for output in OUTPUTS
        }
        self.forms = dict.fromkeys(OUTPUTS, "torch")

    def run(self, images: Tensor, output: str) -> Tensor:
        """Compute an output of contiguous images."""
        return self.wholes[output](images.contiguous(memory_format=self.format))


class GraphRunner:
    """A network exported to ONNX Runtime or OpenVINO at one size.

    Args:
        network: Images to logits at its own stride.
        backend: `onnxruntime` or `openvino`.
        images: Of the size to export for.
        threads: Of the backend.
        form: `inside` or `outside`; empty tries both and keeps the faster.
        outputs: That will be run.

    Attributes:
        any_size: Pictures of another size can be run.
        forms: How each output is made.
        trials: Median seconds of both forms of each output, where they were tried.
    """

    any_size = False

    def __init__(
        self,
        network: nn.Module,
        backend: str,
        images: Tensor,
        threads: int,
        form: str,
        outputs: Sequence[str],
    ) -> None:
        open_graph = {"openvino": open_openvino, "onnxruntime": open_onnxruntime}[backend]
        wanted = {"inside": outputs, "outside": ("low",), "": ("low", *outputs)}[form]
        self.graphs = {
            output: open_graph(Whole(network, output).eval(), images, threads) for output in wanted
        }
        self.forms = dict.fromkeys(outputs, form)
        self.trials: dict[str, dict[str, float]] = {}
        if form:
            return
        for output in outputs:
            trial = self._try_forms(images, output)
            self.trials[output] = trial
            self.forms[output] = min(trial, key=trial.__getitem__)
        used = {self._graph_name(output) for output in outputs}
        self.graphs = {name: graph for name, graph in self.graphs.items() if name in used}

    def run(self, images: Tensor, output: str) -> Tensor:
        """Compute an output of contiguous images."""
        result = self.graphs[self._graph_name(output)](images)
        if self.forms[output] == "inside":
            return result
        result = resize(result, images)
        return result.argmax(1) if output == "labels" else result

    def _graph_name(self, output: str) -> str:
        return output if self.forms[output] == "inside" else "low"

    def _try_forms(self, images: Tensor, output: str) -> dict[str, float]:
        """Return median seconds of each form, taking turns after a run that does not count."""
        seconds: dict[str, list[float]] = {"inside": [], "outside": []}
        for turn in range(TRIALS + 1):
            for form, values in seconds.items():
                self.forms[output] = form
                start = time.perf_counter()
                self.run(images, output)
                if turn:
                    values.append(time.perf_counter() - start)
        return {form: statistics.median(values) for form, values in seconds.items()}


class SegnextRunner:
    """Ours, through its public interface.

    Attributes:
        any_size: Pictures of another size can be run.
        forms: How each output is made.
    """

    any_size = True

    def __init__(self, network: nn.Module, backend: str, threads: int) -> None:
        from segnext.inference.backends import open_runner, resize_logits

        self.resize_logits = resize_logits
        self.runner: Any = open_runner(network, backend=backend, threads=threads)
        self.forms = dict.fromkeys(OUTPUTS, "segnext")

    def run(self, images: Tensor, output: str) -> Tensor:
        """Compute an output of contiguous images."""
        result = self.runner.run(images, output)
        if output == "labels":
            return result
        return self.resize_logits(result, *images.shape[-2:])


def open_openvino(network: nn.Module, images: Tensor, threads: int) -> Run:
    """Convert straight from torch and compile for one stream of few threads in float32."""
    import openvino

    shape = openvino.PartialShape(list(images.shape))
    model = openvino.convert_model(network, example_input=images, input=[shape])
    options = {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    request = openvino.Core().compile_model(model, "CPU", options).create_infer_request()

    def run(seen: Tensor) -> Tensor:
        # Shared, so that nothing is copied in or out; the next run overwrites the result.
        request.infer([seen.numpy()], share_inputs=True, share_outputs=True)
        return torch.from_numpy(request.get_output_tensor(0).data)

    return run


def open_onnxruntime(network: nn.Module, images: Tensor, threads: int) -> Run:
    """Export to ONNX with torch's own exporter and open with all optimisations (the default)."""
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "network.onnx"
        torch.onnx.export(network, (images,), file, dynamo=True, external_data=False, verbose=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(seen: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {name: seen.numpy()})[0])

    return run
