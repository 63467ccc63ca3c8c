"""Recipes that come with the package: one flat file for each data set and size of the paper.

A file in `segnext/configs/<data set>/` holds fields of `TrainConfig` and nothing else, so that
`segnext train --plan` takes it too. What people must know stands in its first comments, a line
each with a key: what score to expect, on which hardware, and the commands.
"""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import yaml

from segnext.errors import UsageError, describe_unknown
from segnext.models.registry import MODELS

# What follows from the length of a run, and is chosen anew where only its time is given.
_LENGTH = ("max_steps", "warmup_steps", "validate_every")


@dataclass(frozen=True)
class PublishedRecipe:
    """One of the files.

    Attributes:
        name: Such as `ade20k/segnext_tiny`.
        title: For people.
        notes: The comments by key: `score` to expect, `hardware` and hours of the original,
            `source` of the values, `classes`, and the commands to `train` and `test`; some have
            `data`, how to prepare them.
        options: Fields of `TrainConfig`, for `segnext.train(DIR, **options)`.
    """

    name: str
    title: str
    notes: Mapping[str, str]
    options: Mapping[str, Any]


@functools.cache
def _find_files() -> dict[str, str]:
    """Return the text of every file by the recipe's name."""
    root = resources.files("segnext") / "configs"
    return {
        f"{folder.name}/{file.name.removesuffix('.yaml')}": file.read_text(encoding="utf-8")
        for folder in root.iterdir()
        for file in folder.iterdir()
        if file.name.endswith(".yaml")
    }


def list_recipes() -> list[str]:
    """Return the names that `read_recipe` accepts, by data set and from small to large."""
    sizes = list(MODELS)

    def rank(name: str) -> tuple[str, int, str]:
        dataset = name.partition("/")[0]
        return dataset, sizes.index(read_recipe(name).options["model"]), name

    return sorted(_find_files(), key=rank)


def read_recipe(name: str) -> PublishedRecipe:
    """Return a recipe by name.

    Raises:
        UsageError: There is none of this name; names the nearest ones.
    """
    files = _find_files()
    if name not in files:
        raise UsageError(describe_unknown("recipe", name, files))
    title, notes = _parse_comments(files[name])
    return PublishedRecipe(name, title, notes, yaml.safe_load(files[name]))


def apply_recipe(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a recipe with those that were given over them.

    A budget of time replaces the recipe's number of steps, and with it warm-up and validation
    interval; whoever gives those too is obeyed.

    Args:
        name: Of the recipe.
        given: Fields of `TrainConfig`.

    Raises:
        UsageError: There is no such recipe.
    """
    options = dict(read_recipe(name).options)
    if given.get("budget") is not None and given.get("max_steps") is None:
        options = {option: value for option, value in options.items() if option not in _LENGTH}
    return options | dict(given)


def _parse_comments(text: str) -> tuple[str, dict[str, str]]:
    """Read the comments at the top: a title, then `key: value` in one or more lines each."""
    lines = [line.removeprefix("#") for line in text.split("\n\n", 1)[0].splitlines()]
    title, notes, key = lines[0].strip(), dict[str, str](), ""
    for line in lines[1:]:
        match = re.fullmatch(r" (\w+): (.+)", line)
        if match:
            key = match[1]
            notes[key] = match[2]
        else:
            notes[key] += f" {line.strip()}"
    return title, notes
