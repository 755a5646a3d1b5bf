"""The training process: runs the user's code and saves the model that it returns.

The user's modules must win over ours of the same name (``reports``, ``serving``, …): while the
user's code runs, our packages are out of the table of imported modules, and the project's folder
is the first place that modules are looked for. What saves a model is imported when there is one.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import resource
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from retrain.command import TrainingCommand, TrainingFunction, parse_command
from retrain.outcome import SAVED, Outcome, write_outcome
from watchkeeper.errors import TrainingError, WatchkeeperError
from watchkeeper.training import CONTEXT_FILE, TrainingContext

_OURS = ("alerts", "monitor", "reports", "retrain", "service", "serving")
_PLAIN_MODEL = "model.skops"
_LONGEST = 300
#: Rows by which a saved model is proven.
_SAMPLE = 5_000
#: Address space that the libraries take besides what the training data need.
_HEADROOM = 1 << 30
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def main() -> int:
    """Run the training of the folder that is the first argument; 0 when a model was saved."""
    folder = Path(sys.argv[1])
    order = json.loads((folder / CONTEXT_FILE).read_text(encoding="utf-8"))
    _limit(int(order["memory"]))
    outcome = _run(folder, order)
    write_outcome(folder, outcome)
    return 0 if outcome.status == SAVED else 1


def _run(folder: Path, order: dict[str, Any]) -> Outcome:
    home = Path(order["home"])
    try:
        context = TrainingContext.load(folder)
        command = parse_command(order["command"])
        with _users_modules(_search_path(command, home)):
            estimator = _train(context, command, home, order["trusted"])
        return Outcome(status=SAVED, detail=_save(estimator, context, order["trusted"]))
    except TrainingError as exc:
        return Outcome(status=exc.reason, detail=exc.detail)
    except MemoryError:
        traceback.print_exc()
        return Outcome(status="memory", detail="the training ran out of memory")
    except SystemExit as exc:
        return _left(exc)
    except Exception as exc:  # noqa: BLE001 - the user's code may raise anything; this is its border
        traceback.print_exc()
        return Outcome(status="raised", detail=_where(exc, home))


def _save(estimator: Any, context: TrainingContext, trusted: list[str]) -> str:
    from serving.artifact import save  # noqa: PLC0415 - after the user's code, which may fail early

    sample = context.read().features.head(_SAMPLE)
    return save(estimator, context.schema, sample, context.artifact, trusted)


def _train(
    context: TrainingContext,
    command: TrainingFunction | TrainingCommand,
    home: Path,
    trusted: list[str],
) -> Any:
    if isinstance(command, TrainingFunction):
        return _function(home / command.path, command.name)(context)
    place = context.artifact / _PLAIN_MODEL
    try:
        code = subprocess.run(command.arguments, cwd=home, check=False).returncode
    except OSError as exc:
        raise TrainingError(
            "raised", f"{command.arguments[0]}: cannot be started ({exc.strerror})"
        ) from exc
    if code != 0:
        raise TrainingError("raised", f"{command.arguments[0]}: ended with status {code}")
    if not place.is_file():
        raise TrainingError(
            "no_artifact",
            f"{command.arguments[0]}: ended with status 0 but left no artifact/{_PLAIN_MODEL}",
        )
    return _opened(place, trusted)


def _function(path: Path, name: str) -> Any:
    if not path.is_file():
        raise TrainingError("raised", f"{path.name}: no such file in {path.parent}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise TrainingError("raised", f"{path.name}: cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    function = getattr(module, name, None)
    if not callable(function):
        raise TrainingError("raised", f"{path.name}: has no function {name!r}")
    return function


def _opened(path: Path, trusted: list[str]) -> Any:
    import skops.io  # noqa: PLC0415 - only a plain command needs it

    try:
        strange = set(skops.io.get_untrusted_types(file=path)) - set(trusted)
        if not strange:
            return skops.io.load(path, trusted=trusted)
    except Exception as exc:
        raise TrainingError("not_a_model", f"artifact/{path.name}: not a file of skops") from exc
    raise TrainingError(
        "refused",
        f"artifact/{path.name}: holds types that are not trusted: {', '.join(sorted(strange)[:5])}",
    )


def _search_path(command: TrainingFunction | TrainingCommand, home: Path) -> list[str]:
    script = home / command.path if isinstance(command, TrainingFunction) else home / "-"
    return list(dict.fromkeys([str(script.parent), str(home)]))


@contextmanager
def _users_modules(places: list[str]) -> Iterator[None]:
    ours, path = _taken_out(), list(sys.path)
    sys.path[:0] = places
    try:
        yield
    finally:
        sys.path[:] = path
        _taken_out()
        sys.modules.update(ours)


def _taken_out() -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name.partition(".")[0] in _OURS]
    return {name: sys.modules.pop(name) for name in names}


def _left(exc: SystemExit) -> Outcome:
    if exc.code in {None, 0}:
        return Outcome(
            status="no_artifact", detail="the training code ended with status 0 without a model"
        )
    return Outcome(status="raised", detail=f"the training code left with {exc.code!r}"[:_LONGEST])


def _where(exc: Exception, home: Path) -> str:
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


def _limit(memory: int) -> None:
    # RLIMIT_AS would count what libraries only reserve; RLIMIT_DATA counts what can be written.
    # It is a backstop for one huge allocation: the parent measures what is really used.
    limit = memory + _HEADROOM
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        # A killed worker takes its training along, and orphans stay in our family.
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
