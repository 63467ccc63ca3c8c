"""What is compared: systems by name, the one recipe they share, and what is known of them.

    title: MSCA variants
    source: arXiv 2209.08575, table 6
    options: {max_steps: 2000, batch_size: 8, crop_size: [224, 320]}
    seeds: [0, 1]
    systems:
      - name: all branches
        model: segnext_tiny
        published: {miou: 41.1, parameters: 4.3}
      - name: without the 1x1
        model: segnext_tiny
        model_options: {channel_mixing: false}
      - {name: Swin-T + UperNet, published: {miou: 44.5}}

A system without a model is a row of published figures alone.
"""

import re
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from segnext.errors import UsageError, describe_unknown
from segnext.parsing import parse_yaml

Task = Literal["segment", "classify"]

# What a published figure may be of: scores in percent, sizes in millions, costs in 10**9.
FIGURES = ("miou", "miou_multi_scale", "top1", "parameters", "gmacs")
COSTS = ("parameters", "gmacs")  # of these less is better


class System(BaseModel):
    """One row.

    Attributes:
        name: For the page; distinct.
        model: As `create_model` has it (`classify`: an encoder); `None` is not trained here.
        model_options: Over the model's own.
        options: Of training, where this system needs other ones than all the rest. Whatever
            stands here is no longer one recipe, so the page shows it.
        published: Figures of others, by the names of `FIGURES`; another key names another data
            set or protocol, such as `cityscapes_miou`.
        note: In one line.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    name: Annotated[str, Field(min_length=1)]
    model: str | None = None
    model_options: dict[str, Any] = Field(default_factory=dict)
    options: dict[str, Any] = Field(default_factory=dict)
    published: dict[str, float] = Field(default_factory=dict)
    note: str = ""

    @property
    def folder(self) -> str:
        """Its name as that of a folder."""
        return re.sub(r"[^0-9A-Za-z+.-]+", "_", self.name).strip("_.") or "system"


class CompareConfig(BaseModel):
    """A comparison.

    Attributes:
        title: For people.
        source: Where published figures are from.
        task: `segment` trains models on masks, `classify` encoders on labels.
        data: Folder or data.yaml; may be given when it is run.
        options: Fields of `TrainConfig` (`classify`: of `ClassifyConfig`) for every system.
        seeds: Every system is trained once with each.
        split: Scored at the end, by the weights of the best validation.
        size: Height and width at which costs and times are taken [px].
        backends: In which times are taken; `auto` is the fastest that is installed.
        measure: Whether times and memory are taken.
        systems: One row each.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    source: str = ""
    task: Task = "segment"
    data: Path | None = None
    options: dict[str, Any] = Field(default_factory=dict)
    seeds: Annotated[tuple[int, ...], Field(min_length=1)] = (0,)
    split: str = "val"
    size: tuple[Annotated[int, Field(ge=32)], Annotated[int, Field(ge=32)]] = (512, 512)
    backends: Annotated[tuple[str, ...], Field(min_length=1)] = ("eager", "auto")
    measure: bool = True
    systems: Annotated[tuple[System, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        names = [system.name for system in self.systems]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            msg = f"two systems are called {twice!r}; names must be distinct"
            raise ValueError(msg)
        owners: dict[str, str] = {}
        for system in self.trained:
            other = owners.setdefault(system.folder, system.name)
            if other != system.name:
                msg = f"{other!r} and {system.name!r} would share the folder {system.folder}"
                raise ValueError(msg)
        if len(set(self.seeds)) < len(self.seeds):
            msg = f"seeds must be distinct, got {list(self.seeds)}"
            raise ValueError(msg)
        return self

    @property
    def trained(self) -> tuple[System, ...]:
        """The systems that have a model."""
        return tuple(system for system in self.systems if system.model is not None)

    @property
    def score_name(self) -> str:
        """What systems are ranked by: a key of `FIGURES`."""
        return "miou" if self.task == "segment" else "top1"


def list_tables() -> list[str]:
    """Return the names of the comparisons that come with the package: the paper's tables."""
    return sorted(_find_tables())


def read_compare_config(source: str | Path, changes: Mapping[str, Any]) -> CompareConfig:
    """Read a comparison by path, or by name from those that come with the package.

    Args:
        source: A YAML file, or a name of `list_tables`.
        changes: Fields over those of the file; `options` are merged, and `systems` are names of
            those to keep.

    Raises:
        UsageError: There is none of this name, or an entry is unknown or out of range.
    """
    path = Path(source)
    tables = _find_tables()
    if path.suffix in (".yaml", ".yml") or path.is_file():
        text = _read(path)
    elif str(source) in tables:
        text = tables[str(source)]
    else:
        msg = f"{describe_unknown('comparison', str(source), tables)}; or give a .yaml file"
        raise UsageError(msg)
    try:
        values = parse_yaml(text)
    except ValueError as error:
        msg = f"{source}: not YAML ({error})"
        raise UsageError(msg) from error
    if not isinstance(values, dict):
        msg = f"{source}: holds {type(values).__name__}, not names with values"
        raise UsageError(msg)
    for name, kind in (("options", dict), ("systems", list)):
        if not isinstance(values.get(name) or kind(), kind):
            msg = f"{source}: {name} is {values[name]!r}, not a {kind.__name__}"
            raise UsageError(msg)
    _check_entries(values, source)
    return _build(_change(values, changes), source)


def _change(values: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    changed = values | {name: value for name, value in changes.items() if name != "systems"}
    if "options" in changes:
        changed["options"] = (values.get("options") or {}) | changes["options"]
    kept = changes.get("systems")
    if kept:
        changed["systems"] = _select(values.get("systems") or (), kept)
    return changed


def _select(systems: Iterable[Any], kept: Iterable[str]) -> list[Any]:
    named = {one.get("name"): one for one in systems if isinstance(one, dict)}
    for name in kept:
        if name not in named:
            raise UsageError(describe_unknown("system", name, [str(key) for key in named]))
    return [named[name] for name in kept]


def _check_entries(values: dict[str, Any], source: str | Path) -> None:
    strange = next((name for name in values if name not in CompareConfig.model_fields), None)
    if strange is not None:
        problem = describe_unknown("entry", str(strange), CompareConfig.model_fields)
        msg = f"{source}: {strange}: {problem}"
        raise UsageError(msg)


def _build(values: dict[str, Any], source: str | Path) -> CompareConfig:
    try:
        return CompareConfig(**values)
    except ValidationError as error:
        # A misspelt name first: what it should have been is then missing, too.
        first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
        where = ".".join(str(part) for part in first["loc"])
        problem = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            valid = (System if "systems" in first["loc"] else CompareConfig).model_fields
            problem = describe_unknown("entry", str(first["loc"][-1]), valid)
        msg = f"{source}: {where}: {problem}" if where else f"{source}: {problem}"
        raise UsageError(msg) from None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: cannot be read ({error})"
        raise UsageError(msg) from error


def _find_tables() -> dict[str, str]:
    folder = resources.files("segnext.compare") / "tables"
    return {
        file.name.removesuffix(".yaml"): file.read_text(encoding="utf-8")
        for file in folder.iterdir()
        if file.name.endswith(".yaml")
    }
