"""The errors that watchkeeper raises on purpose; none of them knows of HTTP or of the terminal.

::

    WatchkeeperError
    ├── ConfigurationError      a config file or variable is wrong: file, line, field, expected
    ├── InputError              data from outside is wrong
    │   ├── RecordError         one record of a request: index, field, what was expected
    │   ├── TooLargeError       a request holds more than is taken at once
    │   └── TableError          one file or table: path, row or column, what was expected
    ├── NotFoundError           the thing that was asked for does not exist
    ├── ConflictError           the state does not allow it now (also: somebody else was first)
    ├── CapacityError           a bounded store is full; try again later
    ├── ArtifactError           a model artifact is damaged, altered or not allowed
    ├── UsersCodeError          a function of the user's is not there, or did not do what it should
    ├── TrainingError           the user's training code did not deliver a model
    ├── DatabaseError           the database cannot be used: absent, locked, or of another release
    ├── DeliveryError           a message could not be handed over
    └── LeaseLostError          another worker has taken this run over; write nothing

Every message is one line that a person can act on: what is wrong, where, and what was expected.
"""

from __future__ import annotations

from pathlib import Path


class WatchkeeperError(Exception):
    """Anything that watchkeeper refuses with a reason."""


class ConfigurationError(WatchkeeperError):
    """A configuration file or variable is wrong.

    Parameters
    ----------
    problem
        What is wrong and what was expected, in one line.
    path, line
        Where; None when the value came from a variable or a default.
    field
        Dotted name of the field, for example ``windows.size``.

    Examples
    --------
    >>> str(ConfigurationError("unknown key", path=Path("m.yaml"), line=3, field="ownr"))
    'm.yaml:3: ownr: unknown key'
    """

    def __init__(
        self,
        problem: str,
        *,
        path: Path | None = None,
        line: int | None = None,
        field: str | None = None,
    ) -> None:
        place = "" if path is None else f"{path}:{line}: " if line else f"{path}: "
        super().__init__(f"{place}{f'{field}: ' if field else ''}{problem}")
        self.problem = problem
        self.path = path
        self.line = line
        self.field = field


class InputError(WatchkeeperError):
    """Data from outside is not what was expected."""


class RecordError(InputError):
    """One record of a request is wrong.

    Examples
    --------
    >>> str(RecordError("expected a number, got a string", record=2, field="features.distance"))
    'records[2].features.distance: expected a number, got a string'
    """

    def __init__(
        self, problem: str, *, record: int | None = None, field: str | None = None
    ) -> None:
        place = ".".join(
            part for part in (None if record is None else f"records[{record}]", field) if part
        )
        super().__init__(f"{place}: {problem}" if place else problem)
        self.problem = problem
        self.record = record
        self.field = field
        self.place = place


class TooLargeError(InputError):
    """A request holds more than is taken at once; a smaller one would be."""


class TableError(InputError):
    """A file or table cannot be read, or holds what it should not.

    Examples
    --------
    >>> str(TableError("expected 4 fields, got 3", table="a.csv", place="line 7"))
    'a.csv: line 7: expected 4 fields, got 3'
    """

    def __init__(self, problem: str, *, table: str, place: str | None = None) -> None:
        super().__init__(f"{table}: {place}: {problem}" if place else f"{table}: {problem}")
        self.problem = problem
        self.table = table
        self.place = place


class NotFoundError(WatchkeeperError):
    """The thing that was asked for does not exist.

    Examples
    --------
    >>> str(NotFoundError("model", "churn", known=["flights"]))
    "no model 'churn'; there is: flights"
    """

    def __init__(self, kind: str, name: str, *, known: list[str] | None = None) -> None:
        hint = "" if known is None else f"; there is: {', '.join(known[:20]) or 'none yet'}"
        super().__init__(f"no {kind} {name!r}{hint}")
        self.kind = kind
        self.name = name


class ConflictError(WatchkeeperError):
    """The present state does not allow the request."""


class CapacityError(WatchkeeperError):
    """A bounded store is full; the request was refused, nothing was forgotten."""


class ArtifactError(WatchkeeperError):
    """A model artifact is damaged, altered, or of a kind that is not allowed."""


class UsersCodeError(WatchkeeperError):
    """A function of the user's is not there, or has not done what was expected of it."""


class TrainingError(WatchkeeperError):
    """The training code did not deliver a model.

    Parameters
    ----------
    reason
        One of ``raised``, ``timeout``, ``memory``, ``no_artifact``, ``not_a_model``, ``refused``.
    detail
        One line for the reader.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class DatabaseError(WatchkeeperError):
    """The database cannot be used as it is."""


class DeliveryError(WatchkeeperError):
    """A message could not be handed over to its channel."""


class LeaseLostError(WatchkeeperError):
    """The lease of a run has passed to another worker; its effects must not be written."""
