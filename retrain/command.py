"""What a model's ``retrain.command`` may be: a function in a file, or a plain command."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from watchkeeper.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingFunction:
    """``file.py:function``; the file is looked for in the project's folder."""

    path: str
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingCommand:
    """A program with its arguments; no shell reads it."""

    arguments: tuple[str, ...]


def parse_command(text: str) -> TrainingFunction | TrainingCommand:
    """Read a command.

    Raises
    ------
    ConfigurationError
        It is empty, or its quotes do not close.

    Examples
    --------
    >>> parse_command("train.py:train")
    TrainingFunction(path='train.py', name='train')
    >>> parse_command("make train")
    TrainingCommand(arguments=('make', 'train'))
    """
    match = re.fullmatch(r"(\S+\.py):([A-Za-z_]\w*)", text.strip())
    if match is not None:
        return TrainingFunction(path=match[1], name=match[2])
    try:
        arguments = tuple(shlex.split(text))
    except ValueError as exc:
        raise ConfigurationError(
            f"expected closed quotes, got {text!r}", field="retrain.command"
        ) from exc
    if not arguments:
        raise ConfigurationError(
            "expected file.py:function or a command, got nothing", field="retrain.command"
        )
    return TrainingCommand(arguments=arguments)
