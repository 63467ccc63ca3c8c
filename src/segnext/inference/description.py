"""What a file for another runtime says about itself, beside its graph.

The same JSON stands in ONNX's metadata properties, in OpenVINO's `rt_info`, in the metadata of an
AOTInductor package, and in a file beside one that can hold none (ExecuTorch).
"""

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from segnext.errors import SegnextError, WeightsError
from segnext.parsing import parse_json
from segnext.spec import ModelSpec

KEY = "segnext"

Output = Literal["logits", "labels"]


@dataclass(frozen=True)
class GraphDescription:
    """How to feed an exported graph, and what comes out of it.

    Attributes:
        spec: Of the model it was made from.
        output: `logits`, (B, K, h, w) float32 at the network's stride, or `labels`, (B, H, W) at
            the input's size, uint8 or for more than 255 labels int32.
        pixels: The input is (B, H, W, C) uint8 and normalised inside; otherwise (B, C, H, W)
            float32, normalised.
        size: Height and width of the input; `None` takes any of 32 px or more.
        batch: Pictures at once; `None` takes any number.
        multiple: Of which the sides must be.
        precision: Of the arithmetic: `float32`, `float16` or `int8`.
    """

    spec: ModelSpec
    output: Output = "logits"
    pixels: bool = False
    size: tuple[int, int] | None = None
    batch: int | None = None
    multiple: int = 1
    precision: str = "float32"

    def to_json(self) -> str:
        """Return the description; `parse_description` reads it back."""
        return json.dumps(asdict(self))

    def to_properties(self) -> dict[str, str]:
        """Return the whole description, and what programs without segnext want to read."""
        classes, normalization = self.spec.classes, self.spec.normalization
        return {
            KEY: self.to_json(),
            "class_names": json.dumps(classes.label_names),
            "palette": json.dumps([list(color) for color in classes.label_colors]),
            "mean": json.dumps(normalization.mean),
            "std": json.dumps(normalization.std),
            "license": self.spec.license,
        }


def parse_description(text: str | None, where: str) -> GraphDescription:
    """Read a description back.

    Args:
        text: What `to_json` wrote; `None` if the file held none.
        where: Name of the file, for the message.

    Raises:
        WeightsError: There is none, or it is damaged.
    """
    if text is None:
        msg = (
            f"{where}: does not say which classes and normalisation it is for; write it with "
            "segnext export"
        )
        raise WeightsError(msg)
    # What a damaged description raises depends on where it broke.
    try:
        data: dict[str, Any] = parse_json(text)
        size = data["size"]
        found = GraphDescription(
            **{
                **data,
                "spec": ModelSpec.from_dict(data["spec"]),
                "size": None if size is None else (int(size[0]), int(size[1])),
            }
        )
        _check_values(found)
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        SegnextError,
        TypeError,
        ValueError,
    ) as error:
        msg = f"{where}: its description is damaged ({type(error).__name__}: {error})"
        raise WeightsError(msg) from error
    return found


def _check_values(found: GraphDescription) -> None:
    """Refuse what no export writes.

    Raises:
        ValueError: Names the value.
    """
    counts = (found.multiple, *(found.size or ()), 1 if found.batch is None else found.batch)
    if found.output not in get_args(Output) or not all(
        isinstance(count, int) and count >= 1 for count in counts
    ):
        msg = f"output {found.output!r}, size {found.size}, batch {found.batch}"
        raise ValueError(msg)
