"""Writes a new project from a template; the demo's project is made by the same code."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from watchkeeper.errors import ConfigurationError, ConflictError

_PACKAGE = Path(__file__).parents[1]
_TEMPLATES = Path(__file__).parent / "templates"

#: Each template, with the files that it takes from elsewhere in this package.
TEMPLATES: Mapping[str, Mapping[str, Path]] = {
    "example": {},
    "flights": {"data/train.parquet": _PACKAGE / "demo" / "data" / "flights_train.parquet"},
}
# Under their real names these would act on this repository too.
_RENAMED = {"dot-gitignore": ".gitignore"}


def create(directory: Path, template: str = "example") -> list[Path]:
    """Write a project to ``directory`` and return its files; all of it is written, or nothing.

    Raises
    ------
    ConflictError
        The folder holds something already.
    ConfigurationError
        The folder cannot be written.
    """
    directory = directory.absolute()
    try:
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            raise ConflictError(f"{directory} exists and is not an empty folder; choose another")
        # A folder that is there stays the same one: somebody may stand in it, or have mounted it.
        place = directory if directory.is_dir() else directory.parent
        place.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=place))
    except OSError as exc:
        problem = f"cannot be written: {exc.strerror}"
        raise ConfigurationError(problem, path=directory) from exc
    try:
        _write(draft, template)
        if place == directory:
            _move_out(draft, directory)
        else:
            draft.chmod(0o755)
            draft.replace(directory)
    except OSError as exc:
        problem = f"cannot be written: {exc.strerror}"
        raise ConfigurationError(problem, path=directory) from exc
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return sorted(path for path in directory.rglob("*") if path.is_file())


def _move_out(draft: Path, directory: Path) -> None:
    """Move all that a folder holds one level up, or nothing."""
    moved: list[Path] = []
    try:
        for path in sorted(draft.iterdir()):
            moved.append(path.replace(directory / path.name))  # noqa: PERF401  kept on an error
    except OSError:
        for path in moved:
            path.replace(draft / path.name)
        raise


def _write(draft: Path, template: str) -> None:
    source = _TEMPLATES / template
    for path in sorted(source.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            name = path.relative_to(source)
            _copy(path, draft / name.with_name(_RENAMED.get(name.name, name.name)))
    for target, path in TEMPLATES[template].items():
        _copy(path, draft / target)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    # Content alone: an installed package may be read-only, a project is not.
    shutil.copyfile(source, target)
