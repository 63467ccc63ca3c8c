"""JSON and YAML written by strangers, to plain values and within bounds.

Both parsers have ways to be kept busy or to fail in a dozen manners: nesting without end, names
that stand for each other a billion times, numbers of a million digits. Here all of that is a
`ValueError` in one line.
"""

import json
import re
from typing import Any

import yaml

# A data.yaml of 150 classes has 5,000 characters, one of 3,000 some 200,000; a second is enough
# for 100,000.
MOST_YAML_CHARACTERS = 524_288
MOST_LEVELS = 100
# Of a document whose aliases are written out.
_MOST_NODES = 100_000
_LONGEST_NUMBER = 400
_HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")
_BROKEN = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError)


def parse_json(text: str | bytes) -> Any:
    """Parse JSON.

    Raises:
        ValueError: It is none, is nested too deeply, or holds half of a character.
    """
    try:
        content = json.loads(text)
    except RecursionError:
        msg = "nested too deeply"
        raise ValueError(msg) from None
    decoded = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    if _HALF_CHARACTER.search(decoded):
        # Such a text cannot be a file's name, nor be written to any file.
        json.dumps(content, ensure_ascii=False).encode()
    return content


def parse_yaml(text: str) -> Any:
    """Parse YAML without tags of Python, at most 524,288 characters.

    Raises:
        ValueError: It is none, too long, nested too deeply, unfolds too far, or holds a value
            that its tag does not allow.
    """
    if len(text) > MOST_YAML_CHARACTERS:
        msg = f"{len(text):,} characters are more than {MOST_YAML_CHARACTERS:,}"
        raise ValueError(msg)
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _count_nodes(node, {})
        return loader.construct_document(node)
    except yaml.YAMLError as error:
        msg = " ".join(str(error).split())
    except _BROKEN as error:  # what a value raises depends on the tag it has
        msg = " ".join(f"{type(error).__name__}: {error}".split())
    raise ValueError(msg)


class _Loader(yaml.SafeLoader):
    """The safe loader, which stops before it has read what nests or counts without end."""

    _level = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self._level += 1
        if self._level > MOST_LEVELS:
            msg = "nested too deeply"
            raise yaml.YAMLError(msg)
        node = super().compose_node(parent, index)
        self._level -= 1
        return node

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        if len(node.value) > _LONGEST_NUMBER:
            msg = f"a number of {len(node.value):,} digits"
            raise yaml.YAMLError(msg)
        return super().construct_yaml_int(node)


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.construct_yaml_int)


def _count_nodes(node: yaml.Node, known: dict[int, int]) -> int:
    """Return the nodes of a tree with its aliases written out."""
    if id(node) in known:
        return known[id(node)]
    known[id(node)] = _MOST_NODES  # until it is known: whoever meets it holds itself
    count = 1
    if isinstance(node, yaml.SequenceNode):
        count += sum(_count_nodes(entry, known) for entry in node.value)
    elif isinstance(node, yaml.MappingNode):
        count += sum(_count_nodes(part, known) for entry in node.value for part in entry)
    if count > _MOST_NODES:
        msg = f"its aliases stand for more than {_MOST_NODES:,} values"
        raise ValueError(msg)
    known[id(node)] = count
    return count
