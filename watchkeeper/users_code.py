"""The user's own functions: found in a file, run among the user's modules, shown no secret.

They run in processes of their own. The user's modules must win over ours of the same name
(``reports``, ``serving``, …): while the user's code runs, our packages are out of the table of
imported modules, and the project's folder is the first place that modules are looked for.
"""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from watchkeeper.errors import UsersCodeError, WatchkeeperError

#: What the user's code may see of our environment. A list of what is allowed, because a list of
#: what is secret is never complete.
ALLOWED = frozenset(
    {"HOME", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "LOGNAME", "PATH", "SHELL"}
    | {"TEMP", "TERM", "TMP", "TMPDIR", "TZ", "USER", "VIRTUAL_ENV"}
)
ALLOWED_PREFIXES = ("CUDA_", "LC_", "MKL_", "NUMBA_", "OMP_", "OPENBLAS_")
#: Threads that wait give their core away: beside a busy server the spinning that is OpenMP's
#: default has been seen to make the fit of a boosted model twenty times as long.
DEFAULTS = {"OMP_WAIT_POLICY": "PASSIVE"}
_OURS = ("alerts", "monitor", "reports", "retrain", "service", "serving")
_LONGEST = 300


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what the user's code may see of an environment: no secret of ours.

    Examples
    --------
    >>> environment({"PATH": "/bin", "WATCHKEEPER_SLACK_TOKEN": "secret", "OMP_NUM_THREADS": "1"})
    {'OMP_WAIT_POLICY': 'PASSIVE', 'PATH': '/bin', 'OMP_NUM_THREADS': '1'}
    """
    return DEFAULTS | {
        name: value
        for name, value in environ.items()
        if name in ALLOWED or name.startswith(ALLOWED_PREFIXES)
    }


def load_function(path: Path, name: str) -> Callable[..., Any]:
    """Return a function of a file.

    Raises
    ------
    UsersCodeError
        There is no such file or function.
    Exception
        Whatever the file raises when it is imported.
    """
    if not path.is_file():
        raise UsersCodeError(f"{path.name}: no such file in {path.parent}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise UsersCodeError(f"{path.name}: cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    function = getattr(module, name, None)
    if not callable(function):
        raise UsersCodeError(f"{path.name}: has no function {name!r}")
    return function  # type: ignore[no-any-return]


@contextmanager
def users_modules(places: list[str]) -> Iterator[None]:
    """Look for modules in these folders first, and for none of ours."""
    ours, path = _taken_out(), list(sys.path)
    sys.path[:0] = list(dict.fromkeys(places))
    try:
        yield
    finally:
        sys.path[:] = path
        _taken_out()
        sys.modules.update(ours)


def _taken_out() -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name.partition(".")[0] in _OURS]
    return {name: sys.modules.pop(name) for name in names}


def where(exc: Exception, home: Path) -> str:
    """Name the file and line of the user's code that an exception came from, in one line."""
    what = " ".join(f"{type(exc).__name__}: {exc}".split())[:_LONGEST]
    if isinstance(exc, WatchkeeperError):
        what = str(exc)
    place = ""
    if isinstance(exc, SyntaxError) and exc.filename:
        place = f"{_short(exc.filename, home)}:{exc.lineno}: "
        what = f"SyntaxError: {exc.msg}"
    else:
        frames = traceback.extract_tb(exc.__traceback__)
        theirs = [frame for frame in frames if _users(Path(frame.filename), home)]
        if theirs:
            place = f"{_short(theirs[-1].filename, home)}:{theirs[-1].lineno}: "
    return f"{place}{what}"


def _users(path: Path, home: Path) -> bool:
    # An environment often lies inside the project's folder.
    return path.is_relative_to(home) and not path.is_relative_to(sys.prefix)


def _short(filename: str, home: Path) -> str:
    path = Path(filename)
    return str(path.relative_to(home)) if path.is_relative_to(home) else path.name
