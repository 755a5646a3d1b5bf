"""Writes the generated parts of docs/reference from the code: every setting and every command."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ByteSize
from pydantic_core import PydanticUndefined

from service.cli.commands import COMMANDS
from service.cli.run import load
from watchkeeper.configuration import Section, settings_of
from watchkeeper.environment import variable_of
from watchkeeper.model_settings import AHEAD, ModelSettings
from watchkeeper.settings import Settings
from watchkeeper.tolerance import METRICS
from watchkeeper.window import format_duration

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"


def main() -> int:
    """Rewrite what has changed; with ``--check`` write nothing and say whether anything would."""
    stale = []
    for path in sorted(REFERENCE.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        fresh = render(text)
        if fresh != text:
            stale.append(path.name)
            if "--check" not in sys.argv:
                path.write_text(fresh, encoding="utf-8")
    sys.stdout.write(f"{len(stale)} pages were out of date: {', '.join(stale) or 'none'}\n")
    return 1 if stale and "--check" in sys.argv else 0


def render(text: str) -> str:
    """Return a page with its generated parts renewed; the rest is left as it is."""
    for name, part in PARTS.items():
        pattern = re.compile(rf"(<!-- generated: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text = pattern.sub(lambda match, part=part: f"{match[1]}{part()}{match[2]}", text)
    return text


def service_settings() -> str:
    """Return the table of the service's settings."""
    places = {place: info for place, info in settings_of(Settings).items() if place != ("home",)}
    rows = ((place, info, f"`{variable_of(place)}`") for place, info in places.items())
    return _settings_table(Settings, rows, "variable")


def model_settings() -> str:
    """Return the table of a model's settings."""
    rows = ((place, info, None) for place, info in settings_of(ModelSettings).items())
    return _settings_table(ModelSettings, rows, None)


def metrics() -> str:
    """Return the table of metrics."""
    lines = ["| metric | better when | tasks |", "|---|---|---|"]
    for name, kind in sorted(METRICS.items()):
        lines.append(f"| `{name}` | {kind.better} | {', '.join(sorted(kind.tasks))} |")
    return "\n".join(lines) + "\n"


def commands() -> str:
    """Return a section for every command."""
    return "\n".join(part for entry in COMMANDS for part in _command(entry.name, load(entry)))


def _settings_table(model: type[Section], rows: Any, extra: str | None) -> str:
    head = ["setting", "default", "meaning", *([extra] if extra else [])]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for place, info, more in rows:
        meaning = _escape(info.description) + _ahead(model, place)
        cells = [f"`{'.'.join(place)}`", _default(model, place, info), meaning]
        lines.append(f"| {' | '.join([*cells, *([more] if more else [])])} |")
    return "\n".join(lines) + "\n"


def _ahead(model: type[Section], place: tuple[str, ...]) -> str:
    told = (place[: len(known)] == known for known in AHEAD if model is ModelSettings)
    return " *Has no effect yet beyond its default.*" if any(told) else ""


def _default(model: type[Section], place: tuple[str, ...], info: Any) -> str:
    if place in SPECIAL:
        return SPECIAL[place]
    value = info.get_default()
    if value is PydanticUndefined:
        optional = len(place) > 1 and model.model_fields[place[0]].get_default() is None
        return f"required in `{place[0]}`" if optional else "**required**"
    if value is None or value == ():
        return "none"
    return f"`{_plain(value)}`"


#: Defaults that depend on other settings.
SPECIAL = {
    ("database_url",): "`sqlite:///…/state/watchkeeper.db`",
    ("windows", "tile"): "up to `1h`",
}


def _plain(value: Any) -> str:
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, ByteSize):
        return value.human_readable(separator=" ").replace(".0", "")
    if isinstance(value, ZoneInfo):
        return value.key
    return str(value)


def _escape(text: str | None) -> str:
    text = (text or "").replace("|", "\\|")
    return text[:1].upper() + text[1:]


def _command(name: str, command: Any) -> Iterator[str]:
    inner = getattr(command, "commands", None)
    if inner:
        yield f"## `watchkeeper {name}`\n\n{command.help or ''}\n"
        for child in inner.values():
            yield from _command(f"{name} {child.name}", child)
        return
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    options = [param for param in command.params if param.param_type_name == "option"]
    usage = " ".join(["watchkeeper", name, *(_argument(param) for param in arguments)])
    yield f"## `watchkeeper {name}`\n\n```\n{usage}{' [OPTIONS]' if options else ''}\n```\n"
    yield f"{command.help or ''}\n"
    if arguments or options:
        yield "| | |\n|---|---|"
        yield from (f"| `{_argument(param)}` | {_escape(param.help)} |" for param in arguments)
        yield from (
            f"| {_names(param)} | {_escape(param.help)}{_usual(param)} |" for param in options
        )
        yield ""


def _argument(param: Any) -> str:
    name = str(param.metavar or param.name).upper()
    return name if param.required else f"[{name}]"


def _usual(param: Any) -> str:
    value = param.default
    shown = param.show_default is True and value not in {None, False, True, "", Path()}
    return f" Default `{value}`." if shown and not callable(value) else ""


def _names(param: Any) -> str:
    names = [*param.opts, *param.secondary_opts]
    return ", ".join(f"`{name}`" for name in names)


PARTS = {
    "service settings": service_settings,
    "model settings": model_settings,
    "metrics": metrics,
    "commands": commands,
}

if __name__ == "__main__":
    sys.exit(main())
