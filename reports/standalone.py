"""Pages that stand alone: one HTML file that needs no script, no other file and no network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from watchkeeper.errors import TableError


def render_alone(template: str, filters: Mapping[str, Callable[..., Any]], **values: Any) -> str:
    """Return a page; every name from the data is escaped."""
    environment = Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= filters
    return environment.get_template(template).render(values)


def write_page(html: str, target: Path) -> None:
    """Write a page.

    Raises
    ------
    TableError
        The file cannot be written, or is none.
    """
    if str(target) == "-":
        raise TableError("expected the name of a file for the page", table="--html")
    try:
        target.write_text(html, encoding="utf-8")
    except OSError as exc:
        raise TableError(f"cannot be written: {exc.strerror}", table=str(target)) from exc
