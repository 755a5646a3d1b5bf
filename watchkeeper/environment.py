"""Settings from ``WATCHKEEPER_…`` variables, laid over those of a file."""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from pydantic import SecretStr

from watchkeeper.configuration import ConfigurationErrors, Section, nearest, settings_of
from watchkeeper.document import Document, Place, read_value
from watchkeeper.errors import ConfigurationError

PREFIX = "WATCHKEEPER_"
MODELS_VARIABLE = f"{PREFIX}MODELS__"

#: Read elsewhere: by the command line, and by training code.
OTHER_VARIABLES = frozenset({f"{PREFIX}HOME", f"{PREFIX}DEBUG", f"{PREFIX}RUN"})

# Kubernetes sets these in every pod for a service that is called watchkeeper.
_OF_KUBERNETES = re.compile(rf"{PREFIX}(SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_(TCP|UDP)(_\w+)?)?)")


def variable_of(place: Place, prefix: str = PREFIX) -> str:
    """Return the variable that sets the setting at ``place``.

    Examples
    --------
    >>> variable_of(("server", "port"))
    'WATCHKEEPER_SERVER__PORT'
    """
    return prefix + "__".join(str(part).upper().replace("-", "_") for part in place)


def overlay(
    model: type[Section],
    document: Document,
    environ: Mapping[str, str],
    *,
    prefix: str = PREFIX,
) -> Document:
    """Return ``document`` with the values of the variables in the place of its own.

    One underscore may stand for two between the levels: ``WATCHKEEPER_SLACK_TOKEN`` is
    ``WATCHKEEPER_SLACK__TOKEN``. What has a name of its own, such as a webhook, must
    stand in the file before a variable can set a part of it.

    Raises
    ------
    ConfigurationErrors
        A variable names no setting, or two of them name the same one and differ.
    """
    fields = settings_of(model, document.data)
    places = {_plain(variable_of(place, prefix)): place for place in fields}
    data = deepcopy(document.data)
    origin: dict[Place, str] = {}
    errors: list[ConfigurationError] = []
    for variable, text in sorted(environ.items()):
        if not variable.startswith(prefix) or _is_foreign(variable, prefix):
            continue
        place = places.get(_plain(variable))
        if place is None:
            known = [variable_of(known, prefix) for known in fields]
            errors.append(ConfigurationError(_unknown(variable, known), field=variable))
        elif place in origin and environ[origin[place]] != text:
            problem = f"says something else than {origin[place]}; remove one of the two"
            errors.append(ConfigurationError(problem, field=variable))
        else:
            origin[place] = variable
            try:
                _put(data, place, _value(fields[place].annotation, text))
            except ValueError as exc:
                errors.append(ConfigurationError(str(exc), field=variable))
    if errors:
        raise ConfigurationErrors(errors)
    return replace(document, data=data, variables=origin)


def _unknown(variable: str, known: list[str]) -> str:
    hint = nearest(variable.lower(), [name.lower() for name in known])
    meant = f"did you mean {hint.split(chr(39))[1].upper()}?" if "'" in hint else ""
    return f"is not a setting; {meant or 'see the reference of the configuration'}"


def _is_foreign(variable: str, prefix: str) -> bool:
    if prefix != PREFIX:
        return False
    return (
        variable in OTHER_VARIABLES
        or variable.startswith(MODELS_VARIABLE)
        or _OF_KUBERNETES.fullmatch(variable) is not None
    )


def _plain(variable: str) -> str:
    return re.sub("_+", "_", variable)


def _value(annotation: Any, text: str) -> Any:
    # Text stays as it is: a token of digits is not a number. Numbers are read by the validation.
    plain = {str, int, float, Path, SecretStr}
    is_union = get_origin(annotation) in {Union, types.UnionType}
    options = set(get_args(annotation)) if is_union else {annotation}
    return text if options & plain else read_value(text)


def _put(data: dict[str, Any], place: Place, value: Any) -> None:
    *groups, last = place
    for group in groups:
        inner = data.get(str(group))
        if not isinstance(inner, dict):
            inner = data[str(group)] = {}
        data = inner
    data[str(last)] = value
