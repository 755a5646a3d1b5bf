"""A YAML file as plain data with the line of every key, without the surprises of YAML 1.1."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from watchkeeper.errors import ConfigurationError

Place = tuple[str | int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """What a configuration file says, and where it says it.

    Parameters
    ----------
    path
        The file; None when there is none and all comes from variables and defaults.
    data
        Mappings, sequences and scalars; keys are always text.
    lines
        The line of every key and item, counted from 1.
    variables
        Places whose value came from an environment variable, with the variable's name.
    """

    path: Path | None
    data: dict[str, Any]
    lines: Mapping[Place, int] = field(default_factory=dict)
    variables: Mapping[Place, str] = field(default_factory=dict)

    def error(self, problem: str, place: Place) -> ConfigurationError:
        """Return the error about one place of this document."""
        variable = self.variables.get(place)
        if variable is not None:
            return ConfigurationError(problem, field=variable)
        name = ".".join(str(part) for part in place)
        return ConfigurationError(problem, path=self.path, line=self.line(place), field=name)

    def line(self, place: Place) -> int | None:
        """Return the line of ``place``, or of the nearest thing that it lies in."""
        for length in range(len(place), -1, -1):
            if place[:length] in self.lines:
                return self.lines[place[:length]]
        return None


def read_document(path: Path) -> Document:
    """Read one YAML file whose top level is a mapping.

    Words such as ``no``, ``on`` and ``2013-01-01`` stay text, and a key given twice is refused:
    the surprises of YAML 1.1 do not belong into a file that decides when people are woken.

    Raises
    ------
    ConfigurationError
        The file cannot be read, is not YAML, is not a mapping, or has a key twice.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as exc:
        raise ConfigurationError(f"cannot be read: {exc.strerror}", path=path) from exc
    except UnicodeDecodeError as exc:
        raise ConfigurationError("is not UTF-8 text", path=path) from exc
    lines: dict[Place, int] = {(): 1}
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return Document(path=path, data={}, lines=lines)
        if not isinstance(node, yaml.MappingNode):
            raise ConfigurationError("expected `key: value` lines", path=path, line=1)
        _note_lines(node, (), lines, path)
        data = loader.construct_document(node)
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark
        line = None if mark is None else mark.line + 1
        problem = f"is not valid YAML: {exc.problem or exc.context}"
        raise ConfigurationError(problem, path=path, line=line) from exc
    except (yaml.YAMLError, RecursionError) as exc:
        problem = f"is not valid YAML: {' '.join(str(exc).split())}"
        raise ConfigurationError(problem, path=path) from exc
    return Document(path=path, data=data, lines=lines)


def read_value(text: str) -> Any:
    """Read one YAML value, for example a list in an environment variable.

    Raises
    ------
    ValueError
        The text is not YAML.

    Examples
    --------
    >>> read_value("[5, 25]")
    [5, 25]
    """
    try:
        return _Loader(text).get_single_data()
    except yaml.YAMLError as exc:
        raise ValueError("is not valid YAML") from exc


class _Loader(yaml.SafeLoader):
    """The JSON-like scalars of YAML 1.2, and keys that are always text."""

    # A set of its own: the class attribute of the parent is shared with every user of PyYAML.
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        self.flatten_mapping(node)
        return {
            str(key.value): self.construct_object(value, deep=deep) for key, value in node.value
        }


for _tag, _pattern, _first in (
    ("null", r"~|null|", ["~", "n", ""]),
    ("bool", r"true|false", list("tf")),
    ("int", r"[-+]?[0-9]+(?:_[0-9]+)*", list("-+0123456789")),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first
    )


def _construct_int(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
    # YAML 1.1 reads 010 as eight.
    return int(str(loader.construct_scalar(node)))


_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)


def _note_lines(node: yaml.Node, place: Place, lines: dict[Place, int], path: Path) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                line = key.start_mark.line + 1
                raise ConfigurationError("expected a plain key", path=path, line=line)
            inner = (*place, key.value)
            line = key.start_mark.line + 1
            if inner in lines and key.value != "<<":
                problem = f"is given twice, first on line {lines[inner]}"
                name = ".".join(map(str, inner))
                raise ConfigurationError(problem, path=path, line=line, field=name)
            lines[inner] = line
            _note_lines(value, inner, lines, path)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            lines[*place, index] = value.start_mark.line + 1
            _note_lines(value, (*place, index), lines, path)
