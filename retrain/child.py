"""The training process: runs the user's code and saves the model that it returns.

What saves a model is imported when there is one.
"""

from __future__ import annotations

import json
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from retrain.command import TrainingCommand, TrainingFunction, parse_command
from retrain.outcome import SAVED, Outcome, write_outcome
from watchkeeper.confinement import confine
from watchkeeper.errors import TrainingError, UsersCodeError
from watchkeeper.training import CONTEXT_FILE, TrainingContext
from watchkeeper.users_code import load_function, users_modules, where

_PLAIN_MODEL = "model.skops"
_LONGEST = 300
#: Rows by which a saved model is proven.
_SAMPLE = 5_000


def main() -> int:
    """Run the training of the folder that is the first argument; 0 when a model was saved."""
    folder = Path(sys.argv[1])
    order = json.loads((folder / CONTEXT_FILE).read_text(encoding="utf-8"))
    confine(int(order["memory"]))
    outcome = _run(folder, order)
    write_outcome(folder, outcome)
    return 0 if outcome.status == SAVED else 1


def _run(folder: Path, order: dict[str, Any]) -> Outcome:
    home = Path(order["home"])
    try:
        context = TrainingContext.load(folder)
        command = parse_command(order["command"])
        with users_modules(_search_path(command, home)):
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
        return Outcome(status="raised", detail=where(exc, home))


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
        return _function(command, home)(context)
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


def _function(command: TrainingFunction, home: Path) -> Callable[..., Any]:
    try:
        return load_function(home / command.path, command.name)
    except UsersCodeError as exc:
        raise TrainingError("raised", str(exc)) from exc


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
    return [str(script.parent), str(home)]


def _left(exc: SystemExit) -> Outcome:
    if exc.code in {None, 0}:
        return Outcome(
            status="no_artifact", detail="the training code ended with status 0 without a model"
        )
    return Outcome(status="raised", detail=f"the training code left with {exc.code!r}"[:_LONGEST])
