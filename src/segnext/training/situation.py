"""What the rules of the plan look at, and what they answer."""

from dataclasses import dataclass, field
from typing import Any, Protocol

from segnext.data.fingerprint import Fingerprint
from segnext.training.config import Recipe, TrainConfig

# Options for which "none" is an answer.
_MAY_BE_NONE = frozenset({"nodata", "base_size", "low", "high", "window", "stride"})
# Stand in for what is chosen last, while a few steps are measured.
_UNTIL_MEASURED: dict[str, Any] = {
    "accumulate": 1,
    "max_steps": 1,
    "warmup_steps": 0,
    "validate_every": 1,
    "scale_range": (0.5, 2.0),
}


@dataclass(frozen=True)
class Choice:
    """One option that was chosen, and why."""

    option: str
    value: Any
    because: str


@dataclass(frozen=True)
class Timing:
    """Measured on this machine: seconds per optimizer step and per validated picture."""

    step_s: float
    picture_s: float


@dataclass(frozen=True)
class Memory:
    """Bytes of a step on one device.

    Attributes:
        fixed: Weights, their average, gradients and the optimizer's state.
        picture: What one more picture in a batch adds.
        free: What this device has left.
    """

    fixed: int
    picture: int
    free: int


class Meter(Protocol):
    """Measures a recipe on this machine and data."""

    def memory(self, recipe: Recipe) -> Memory:
        """Measure the bytes of a step."""

    def speed(self, recipe: Recipe) -> Timing:
        """Time a few steps and one validated picture."""


@dataclass
class Situation:
    """What the rules look at.

    Attributes:
        config: What the user said.
        data: Of the training data.
        meter: Measures steps; asked only when needed.
        processes: Number of training processes.
        chosen: By earlier rules.
    """

    config: TrainConfig
    data: Fingerprint
    meter: Meter
    processes: int = 1
    chosen: dict[str, Any] = field(default_factory=dict)

    def gave(self, option: str) -> bool:
        """Tell whether the user decided about an option."""
        given = option in self.config.model_fields_set
        return given and (getattr(self.config, option) is not None or option in _MAY_BE_NONE)

    def value(self, option: str) -> Any:
        """Return what was given or chosen."""
        return getattr(self.config, option) if self.gave(option) else self.chosen[option]

    def recipe(self, *, draft: bool = False) -> Recipe:
        """Return the recipe; a draft has stand-ins for what is not decided yet."""
        given = {name: getattr(self.config, name) for name in self.config.model_fields_set}
        told = {name: value for name, value in given.items() if self.gave(name)}
        blanks = _UNTIL_MEASURED if draft else {}
        return Recipe(**{**self.config.model_dump(), **blanks, **told, **self.chosen})
