"""The settings of the service: ``watchkeeper.yaml`` and ``WATCHKEEPER_…`` variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import ByteSize, Field, SecretStr, model_validator

from watchkeeper.channel_settings import (
    NAMED,
    Apprise,
    Destination,
    Email,
    Name,
    PagerDuty,
    Webhook,
)
from watchkeeper.configuration import (
    ConfigurationErrors,
    Duration,
    Section,
    nearest,
    settings_of,
    validate,
)
from watchkeeper.document import Document, Place, read_document
from watchkeeper.environment import overlay, variable_of
from watchkeeper.errors import ConfigurationError
from watchkeeper.team_settings import Team

SETTINGS_FILE = "watchkeeper.yaml"

_MIB = 1024**2
_GIB = 1024**3

#: What lies in the home unless the file says otherwise.
_PLACES: Mapping[Place, str] = {
    ("lake_url",): "lake",
    ("artifacts",): "artifacts",
    ("spool", "directory"): "spool",
    ("ui", "token_file"): "state/admin-token",
}


class Spool(Section):
    """The local buffer that every prediction and label reaches before the answer leaves."""

    directory: Path = Field(
        default=Path("spool"), description="Its folder, on a local disk; one process owns it."
    )
    max_bytes: ByteSize = Field(
        default=ByteSize(_GIB),
        description="Once it holds this much, requests are refused with 503, never forgotten.",
    )
    max_rows: int = Field(
        default=5_000_000, ge=1, description="Likewise, in predictions and labels."
    )
    flush: Duration = Field(
        default=timedelta(seconds=2), description="How often its rows are shipped to the lake."
    )


class Server(Section):
    """The address that the service listens on."""

    host: str = Field(
        default="127.0.0.1", description="Address; the default is reached from this machine only."
    )
    port: int = Field(default=8000, ge=0, le=65535, description="Port; 0 takes a free one.")
    public_url: str | None = Field(
        default=None, description="How people reach the pages; messages link to it."
    )


class Slack(Section):
    """How incidents are told on Slack; without a token nothing is sent."""

    token: SecretStr | None = Field(default=None, description="Bot token; never in the file.")
    token_file: Path | None = Field(default=None, description="File that holds the bot token.")
    signing_secret: SecretStr | None = Field(
        default=None,
        description="Proves that a click comes from Slack; without it messages have no buttons.",
    )
    signing_secret_file: Path | None = Field(
        default=None, description="File that holds the signing secret."
    )
    app_token: SecretStr | None = Field(
        default=None,
        description="App-level token (`xapp-…`); clicks then come by Socket Mode, without a "
        "public address.",
    )
    app_token_file: Path | None = Field(
        default=None, description="File that holds the app-level token."
    )
    buttons: Literal["channel", "linked"] = Field(
        default="channel",
        description="Who may press: whoever reads the channel, until anybody is linked; or "
        "`linked` users only.",
    )
    roles: dict[str, Literal["responder", "operator", "admin"]] = Field(
        default_factory=dict,
        description="Roles by Slack user, as `watchkeeper slack link` gives them; Retrain needs "
        "`operator`.",
    )
    base_url: str = Field(
        default="https://slack.com/api/", description="Slack's API, or that of a stand-in."
    )
    channel: str | None = Field(
        default=None, description="Channel for models whose owner names none."
    )


class Training(Section):
    """The limits of the process in which training code runs."""

    timeout: Duration = Field(default=timedelta(hours=1), description="After this it is ended.")
    memory: ByteSize = Field(
        default=ByteSize(4 * _GIB), description="More memory than this is refused to it."
    )


class Worker(Section):
    """The process that monitors, alerts and retrains."""

    tick: Duration = Field(
        default=timedelta(seconds=60), description="How often it looks for work."
    )
    lease: Duration = Field(
        default=timedelta(seconds=60),
        description="A run whose worker has been silent for this long is taken over by another.",
    )


class Heartbeat(Section):
    """The sign of life to a watch outside, sent only while an audit finds nothing wrong."""

    url: SecretStr | None = Field(
        default=None, description="Address to call; secret, so never in the file."
    )
    url_file: Path | None = Field(default=None, description="File that holds the address.")
    method: Literal["GET", "POST"] = Field(default="GET", description="How it is called.")
    every: Duration = Field(
        default=timedelta(seconds=60), description="How often all is audited, and it is called."
    )
    timeout: Duration = Field(
        default=timedelta(seconds=10), description="The longest that one call may take."
    )


class Serving(Section):
    """The limits of prediction requests, and which artifacts may be loaded."""

    max_body_bytes: ByteSize = Field(
        default=ByteSize(8 * _MIB), description="Larger request bodies are refused with 413."
    )
    max_records: int = Field(
        default=10_000, ge=1, description="More records in one request are refused with 413."
    )
    trusted_types: tuple[str, ...] = Field(
        default=(),
        description="Types beyond the well-known ones that a stored model may consist of.",
    )


class Ui(Section):
    """The web pages."""

    token_file: Path = Field(
        default=Path("state/admin-token"), description="File that holds the administrator's token."
    )


class Settings(Section):
    """Everything about the service that is not about one model.

    Examples
    --------
    >>> Settings(home=Path("/srv/churn")).spool.directory.as_posix()
    '/srv/churn/spool'
    """

    home: Path = Field(description="Folder of watchkeeper.yaml; other paths are relative to it.")
    database_url: str = Field(
        default="",
        repr=False,
        description="`sqlite:///PATH` or `postgresql+psycopg://USER@HOST/NAME`; by default the "
        "SQLite file `state/watchkeeper.db` in the home. With a password: by variable only.",
    )
    lake_url: str = Field(
        default="lake", description="Where predictions and labels are kept: a folder or a URL."
    )
    artifacts: Path = Field(default=Path("artifacts"), description="Where models are kept.")
    spool: Spool = Field(default=Spool(), description="The buffer before the lake.")
    server: Server = Field(default=Server(), description="The address to listen on.")
    slack: Slack = Field(default=Slack(), description="How incidents are told.")
    email: Email = Field(default=Email(), description="How mail is sent.")
    webhooks: dict[Name, Webhook] = Field(default={}, description="Web addresses that are told.")
    pagerduty: dict[Name, PagerDuty] = Field(default={}, description="Services of PagerDuty.")
    apprise: dict[Name, Apprise] = Field(default={}, description="Whatever Apprise can reach.")
    teams: dict[Name, Team] = Field(default={}, description="Who is told, and where.")
    sources: dict[str, Name] = Field(
        default={},
        description="Tables with the team that is told when one of them is broken: `TABLE: team`.",
    )
    fallback: tuple[Destination, ...] = Field(
        default=(), description="Where messages go that have no other way."
    )
    training: Training = Field(default=Training(), description="Limits of training code.")
    worker: Worker = Field(default=Worker(), description="Rhythm of the background work.")
    heartbeat: Heartbeat = Field(
        default=Heartbeat(), description="The sign of life to a watch outside."
    )
    serving: Serving = Field(default=Serving(), description="Limits of prediction requests.")
    ui: Ui = Field(default=Ui(), description="The web pages.")

    def problems(self) -> Iterator[tuple[Place, str]]:
        """Yield what is wrong between settings that are each right by themselves."""
        groups: dict[str, Mapping[str, Section]] = {
            "webhooks": self.webhooks,
            "pagerduty": self.pagerduty,
            "apprise": self.apprise,
            "teams": self.teams,
        }
        for group, named in groups.items():
            for name, section in named.items():
                yield from (((group, name, *at), said) for at, said in section.problems())
        yield from ((("email", *at), said) for at, said in self.email.problems())
        for place, destination in self._destinations():
            problem = self._unknown(destination)
            if problem:
                yield place, problem
        for table, team in self.sources.items():
            if team not in self.teams:
                yield ("sources", table), f"no team {team!r}; {nearest(team, self.teams)}"

    def _destinations(self) -> Iterator[tuple[Place, str]]:
        for index, destination in enumerate(self.fallback):
            yield ("fallback", index), destination
        for name, team in self.teams.items():
            yield from ((("teams", name, *at), to) for at, to in team.destinations())

    def _unknown(self, destination: str) -> str | None:
        """Say why nothing can be sent there, whatever the address; None when it can."""
        transport, _, address = destination.partition(":")
        if transport == "email" and self.email.host is None:
            return f"{destination} needs email.host"
        if transport in NAMED:
            known = getattr(self, NAMED[transport])
            if address not in known:
                return f"no {NAMED[transport]} {address!r}; {nearest(address, known)}"
        return None

    @model_validator(mode="before")
    @classmethod
    def _resolve_paths(cls, data: Any) -> Any:
        if not isinstance(data, dict) or not isinstance(data.get("home"), str | Path):
            return data
        home = Path(data["home"]).absolute()
        resolved = {**data, "home": home}
        for place, default in _PLACES.items():
            _resolve(resolved, place, home, default)
        if not resolved.get("database_url"):
            resolved["database_url"] = f"sqlite:///{home / 'state' / 'watchkeeper.db'}"
        return resolved


def load_settings(home: Path, environ: Mapping[str, str]) -> Settings:
    """Read ``watchkeeper.yaml`` of ``home``; variables take precedence over it.

    Raises
    ------
    ConfigurationError
        There is no such file, or something in it or in a variable is wrong; a
        `ConfigurationErrors` names everything that is.
    """
    document = read_document(home / SETTINGS_FILE)
    _refuse_secrets(document)
    document = overlay(Settings, document, environ)
    document = _read_secret_files(document, home)
    return validate(Settings, replace(document, data={**document.data, "home": str(home)}))


def secret_settings(data: Mapping[str, Any] | None = None) -> list[Place]:
    """Return the places of the settings that must never be written in the file.

    Parameters
    ----------
    data
        What is set, for the names that people have given.
    """
    fields = settings_of(Settings, data)
    return [place for place, info in fields.items() if SecretStr in get_args(info.annotation)]


def _refuse_secrets(document: Document) -> None:
    errors = [
        document.error(
            f"a secret does not belong into this file; set {variable_of(place)}, "
            f"or name a file by {place[-1]}_file",
            place,
        )
        for place in secret_settings(document.data)
        if _get(document.data, place) is not None
    ]
    url = document.data.get("database_url")
    if isinstance(url, str) and urlsplit(url).password:
        variable = variable_of(("database_url",))
        problem = f"a password does not belong into this file; set {variable}"
        errors.append(document.error(problem, ("database_url",)))
    if "home" in document.data:
        errors.append(document.error("is the folder of this file; remove it", ("home",)))
    if errors:
        raise ConfigurationErrors(errors)


def _read_secret_files(document: Document, home: Path) -> Document:
    data = dict(document.data)
    errors: list[ConfigurationError] = []
    for place in secret_settings(document.data):
        source: Place = (*place[:-1], f"{place[-1]}_file")
        name = _get(data, source)
        if not isinstance(name, str):
            continue
        if _get(data, place) is not None:
            errors.append(document.error(f"{variable_of(place)} is set too; remove one", source))
            continue
        try:
            secret = (home / name).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as exc:
            reason = getattr(exc, "strerror", None) or "not text"
            errors.append(document.error(f"cannot read {name}: {reason}", source))
            continue
        data = _with(data, place, secret)
    if errors:
        raise ConfigurationErrors(errors)
    return replace(document, data=data)


def _with(data: Mapping[str, Any], place: Place, value: Any) -> dict[str, Any]:
    first, *rest = place
    inner = _with(data[str(first)], tuple(rest), value) if rest else value
    return {**data, str(first): inner}


def _get(data: Mapping[str, Any], place: Place) -> Any:
    value: Any = data
    for part in place:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _resolve(data: dict[str, Any], place: Place, home: Path, default: str) -> None:
    *groups, last = place
    for group in groups:
        inner = data.get(str(group), {})
        if isinstance(inner, Section):
            inner = inner.model_dump(exclude_unset=True)
        if not isinstance(inner, dict):
            return
        data[str(group)] = dict(inner)
        data = data[str(group)]
    value = data.get(str(last), default)
    if isinstance(value, str | Path) and "://" not in str(value):
        data[str(last)] = str(home / value)
