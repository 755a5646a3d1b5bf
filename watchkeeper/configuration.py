"""From a document to typed settings: every error with file, line, field and what was meant."""

from __future__ import annotations

import difflib
import re
import types
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, ValidationError
from pydantic_core import ErrorDetails

from watchkeeper.document import Document, Place
from watchkeeper.errors import ConfigurationError
from watchkeeper.window import format_duration, parse_duration


class ConfigurationErrors(ConfigurationError):  # noqa: N818  several in one
    """Several errors in configuration; its text has one line for each.

    Examples
    --------
    >>> errors = [ConfigurationError("missing", field="owner"),
    ...           ConfigurationError("unknown key", field="ownr")]
    >>> str(ConfigurationErrors(errors)).splitlines()
    ['owner: missing', 'ownr: unknown key']
    """

    def __init__(self, errors: Iterable[ConfigurationError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(str(error) for error in self.errors))


class Section(BaseModel):
    """The parent of every group of settings: frozen, and a key that it does not know is refused."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=False, validate_default=True
    )

    def problems(self) -> Iterator[tuple[Place, str]]:
        """Yield what is wrong with settings that are each right by themselves: place, problem."""
        yield from ()


def read_duration(value: object) -> timedelta:
    """Read a duration as a person writes it.

    Raises
    ------
    ValueError
        The value is not one.
    """
    if isinstance(value, timedelta):
        return value
    return parse_duration(value if isinstance(value, str) else repr(value))


def _read_delay(value: object) -> timedelta:
    nothing = value == 0 or (isinstance(value, str) and re.fullmatch(r"\s*0\s*[smhdw]?\s*", value))
    return timedelta(0) if nothing else read_duration(value)


_WRITTEN = PlainSerializer(format_duration, return_type=str, when_used="json")

#: A duration such as ``15m``, ``6h``, ``1d`` or ``2w``.
Duration = Annotated[timedelta, BeforeValidator(read_duration), _WRITTEN]
#: A duration that may also be 0 of any unit.
Delay = Annotated[timedelta, BeforeValidator(_read_delay), _WRITTEN]

SectionType = TypeVar("SectionType", bound=Section)

#: Stands for the name that a person gives, in the place of a setting that exists once per name.
NAME = "NAME"


def validate(model: type[SectionType], document: Document) -> SectionType:
    """Return the settings of ``document``.

    Raises
    ------
    ConfigurationErrors
        One error for each thing that is wrong: file, line, field, what was expected, and for an
        unknown key the nearest valid one.
    """
    try:
        settings = model.model_validate(document.data)
    except ValidationError as exc:
        errors = [_explain(model, document, detail) for detail in exc.errors(include_url=False)]
        raise ConfigurationErrors(_in_order(errors)) from exc
    problems = [document.error(problem, place) for place, problem in settings.problems()]
    if problems:
        raise ConfigurationErrors(_in_order(problems))
    return settings


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which of the known names was probably meant, or list them.

    Examples
    --------
    >>> nearest("ownr", ["model", "owner"])
    "did you mean 'owner'?"
    >>> nearest("zzz", ["model", "owner"])
    'expected one of: model, owner'
    """
    names = list(known)
    if not names:
        return "there is none"
    close = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else f"expected one of: {', '.join(names)}"


def _in_order(errors: list[ConfigurationError]) -> list[ConfigurationError]:
    return sorted(errors, key=lambda error: (error.line or 0, error.field or ""))


def _explain(model: type[Section], document: Document, detail: ErrorDetails) -> ConfigurationError:
    place: Place = detail["loc"]
    kind = detail["type"]
    if kind == "extra_forbidden":
        section = section_at(model, place[:-1]) or model
        hint = nearest(str(place[-1]), section.model_fields)
        return document.error(f"unknown key; {hint}", place)
    if kind == "missing":
        return document.error(_missing(model, place), place)
    return document.error(_expected(detail), place)


def _missing(model: type[Section], place: Place) -> str:
    section = section_at(model, place[:-1])
    described = section and section.model_fields[str(place[-1])].description
    return f"missing: {described}" if described else "missing"


_PLAIN = {
    "string_type": "expected text (put it in quotes)",
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "float_parsing": "expected a number",
    "bool_type": "expected true or false",
    "bool_parsing": "expected true or false",
    "list_type": "expected a list",
    "tuple_type": "expected a list",
    "dict_type": "expected `key: value` lines",
    "model_type": "expected `key: value` lines",
    "byte_size": "expected a size such as 8MiB or 1GB",
    "byte_size_unit": "expected a size such as 8MiB or 1GB",
    "path_type": "expected a path",
}


def _expected(detail: ErrorDetails) -> str:
    given = detail["input"]
    shown = f", got {given!r}" if isinstance(given, str | int | float) or given is None else ""
    kind = detail["type"]
    if kind == "value_error":
        return str(detail["ctx"]["error"])
    if kind in {"literal_error", "enum"}:
        allowed = detail["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
        close = difflib.get_close_matches(str(given), allowed, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        return f"expected one of: {', '.join(allowed)}{shown}{hint}"
    if kind in _PLAIN:
        return f"{_PLAIN[kind]}{shown}"
    return f"{detail['msg'].replace('Input should be', 'expected')}{shown}"


def section_at(model: type[Section], place: Place) -> type[Section] | None:
    """Return the group of settings at ``place`` of a tree; None where there is none."""
    current: Any = model
    for part in place:
        named = _named_in(current)
        if named is not None:
            current = named
            continue
        current = _section_in(current)
        if current is None or str(part) not in current.model_fields:
            return None
        current = current.model_fields[str(part)].annotation
    return _section_in(current)


def _section_in(annotation: Any) -> type[Section] | None:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    if get_origin(annotation) in {Union, types.UnionType}:
        found = (_section_in(option) for option in get_args(annotation))
        return next((section for section in found if section is not None), None)
    return None


def _named_in(annotation: Any) -> type[Section] | None:
    """Return the group of settings that a person may give several times, each with a name."""
    if get_origin(annotation) is dict:
        return _section_in(get_args(annotation)[1])
    return None


def settings_of(model: type[Section], data: Mapping[str, Any] | None = None) -> Mapping[Place, Any]:
    """Return every setting of a tree by its place, sections aside, with pydantic's field.

    Parameters
    ----------
    data
        What is set, for the names that people have given; without it ``NAME`` stands for them.
    """
    return dict(_walk(model, (), data))


def _walk(model: type[Section], place: Place, data: Any) -> Iterator[tuple[Place, Any]]:
    for name, info in model.model_fields.items():
        inner = data if data is None else data.get(name) if isinstance(data, Mapping) else {}
        inner = {} if data is not None and inner is None else inner
        section, named = _section_in(info.annotation), _named_in(info.annotation)
        if named is not None:
            given = {NAME: None} if inner is None else inner if isinstance(inner, Mapping) else {}
            for key, value in given.items():
                known = None if inner is None else value or {}
                yield from _walk(named, (*place, name, str(key)), known)
        elif section is None:
            yield (*place, name), info
        else:
            yield from _walk(section, (*place, name), inner)
