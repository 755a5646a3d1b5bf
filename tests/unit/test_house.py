"""The rules of the house that no tool knows: sizes, exports, what lock and files may hold."""

from __future__ import annotations

import ast
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import watchkeeper

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
MAX_LINES = 400

#: Kept in pieces, so that this file does not name them either.
REGISTRY_HOSTS = (
    ("pypi", "org"),
    ("pythonhosted", "org"),
    ("registry", "npmjs", "org"),
    ("registry", "yarnpkg", "com"),
    ("unpkg", "com"),
    ("jsdelivr", "net"),
    ("deb", "debian", "org"),
)


def committed_files() -> list[Path]:
    listing = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
    ).stdout
    paths = (ROOT / name for name in listing.decode().split("\0") if name)
    return [path for path in paths if path.is_file()]


def source_files() -> list[Path]:
    return [
        path
        for path in committed_files()
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in {*PACKAGES, "tests"}
    ]


def test_no_source_file_is_longer_than_a_reader_can_hold() -> None:
    too_long = {}
    for path in source_files():
        name, lines = path.relative_to(ROOT), len(path.read_text().splitlines())
        if lines > MAX_LINES:
            too_long[str(name)] = lines
    assert not too_long


def test_no_package_prints() -> None:
    printing = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in source_files()
        if path.relative_to(ROOT).parts[0] in PACKAGES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]
    assert not printing


def exported(tree: ast.Module) -> list[str] | None:
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets
        ):
            return list(ast.literal_eval(node.value))
    return None


def test_every_all_names_each_public_thing_once() -> None:
    for path in source_files():
        names = exported(ast.parse(path.read_text())) or []
        assert len(names) == len(set(names)), path
        assert not [name for name in names if name.startswith("_")], path


def test_the_kernel_exports_what_user_code_imports() -> None:
    assert {name for name in watchkeeper.__all__ if not hasattr(watchkeeper, name)} == set()


def test_only_the_kernel_exports_from_its_package_file() -> None:
    """A feature package has one place for a name: the module that defines it."""
    for package in set(PACKAGES) - {"watchkeeper"}:
        tree = ast.parse((ROOT / package / "__init__.py").read_text())
        assert not [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)], package


def test_no_committed_file_names_a_package_registry() -> None:
    hosts = [".".join(parts).encode() for parts in REGISTRY_HOSTS]
    naming = {
        str(path.relative_to(ROOT))
        for path in committed_files()
        for host in hosts
        if host in path.read_bytes()
    }
    assert not naming


def locked(name: str) -> Iterator[list[str]]:
    """Yield the lines of each requirement in a lock file, comments aside."""
    entry: list[str] = []
    for line in (ROOT / name).read_text().splitlines():
        if line.lstrip().startswith("#") or not line.strip():
            continue
        if not line.startswith(" ") and entry:
            yield entry
            entry = []
        entry.append(line.rstrip(" \\"))
    if entry:
        yield entry


LOCKS = [
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "requirements.lock", ROOT / "benchmarks" / "requirements.lock")
    if path.exists()
]


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_requirement_is_pinned_and_hashed(name: str) -> None:
    for first, *rest in locked(name):
        assert "==" in first
        assert rest, first
        assert all(line.strip().startswith("--hash=sha256:") for line in rest), first


def test_the_lock_satisfies_the_project() -> None:
    versions: dict[str, set[str]] = {}
    for first, *_ in locked("requirements.lock"):
        requirement = Requirement(first)
        pins = {specifier.version for specifier in requirement.specifier}
        versions.setdefault(canonicalize_name(requirement.name), set()).update(pins)
    wanted = [
        *PROJECT["project"]["dependencies"],
        *PROJECT["project"]["optional-dependencies"]["dev"],
        *PROJECT["build-system"]["requires"],
    ]
    for requirement in map(Requirement, wanted):
        pins = versions.get(canonicalize_name(requirement.name), set())
        assert pins, f"{requirement} is not in requirements.lock"
        assert all(requirement.specifier.contains(pin) for pin in pins), (requirement, pins)
