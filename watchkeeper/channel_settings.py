"""The settings of the ways to reach people beside Slack, and the names of destinations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from watchkeeper.configuration import Section
from watchkeeper.document import Place

_NAME = r"[a-z][a-z0-9_-]{0,62}"
_MAILBOX = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?"
#: How the address of each transport looks.
_ADDRESSES = {
    "slack": r"#?[A-Za-z0-9_-]+",
    "email": _MAILBOX,
    "webhook": _NAME,
    "pagerduty": _NAME,
    "apprise": _NAME,
}
#: Transports whose addresses are names of the service's settings, with the setting.
NAMED = {"webhook": "webhooks", "pagerduty": "pagerduty", "apprise": "apprise"}


def _destination(value: str) -> str:
    transport, _, address = value.partition(":")
    pattern = _ADDRESSES.get(transport)
    if pattern is None:
        kinds = "slack:#channel, email:a@b.example, webhook:NAME, pagerduty:NAME, apprise:NAME"
        raise ValueError(f"expected one of {kinds}, got {value!r}")
    if re.fullmatch(pattern, address) is None:
        raise ValueError(f"{address!r} is no address for {transport}")
    return value


def _name(value: str) -> str:
    if re.fullmatch(_NAME, value) is None:
        raise ValueError(f"expected lower-case letters, digits, - and _, got {value!r}")
    return value


def _mailbox(value: str) -> str:
    if re.fullmatch(_MAILBOX, value) is None:
        raise ValueError(f"expected an address such as watch@example.org, got {value!r}")
    return value


def _web_address(value: str) -> str:
    try:
        parts = urlsplit(value)
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit(""), None
    if parts.scheme not in {"http", "https"} or not host or not value.isprintable():
        # The address is not repeated: it may hold a token.
        raise ValueError("expected an address that begins with https:// or http://")
    if " " in value or parts.username is not None or parts.password is not None:
        raise ValueError("expected an address without spaces, user and password")
    return value


#: Where messages go: ``slack:#channel``, ``email:a@b.example``, ``webhook:NAME``, ….
Destination = Annotated[str, AfterValidator(_destination)]
#: What a person calls a team, a webhook, a calendar.
Name = Annotated[str, AfterValidator(_name)]
#: The address of one mailbox.
Mailbox = Annotated[str, AfterValidator(_mailbox)]


class Email(Section):
    """How mail is sent; without a host none is."""

    host: str | None = Field(default=None, description="Mail server that takes the messages.")
    port: int = Field(default=587, ge=1, le=65535, description="Its port.")
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls",
        description="`starttls`, `tls` from the first byte on, or `none` inside one machine.",
    )
    user: str | None = Field(default=None, description="Who logs in; by default nobody does.")
    password: SecretStr | None = Field(default=None, description="Password; never in the file.")
    password_file: Path | None = Field(default=None, description="File that holds the password.")
    certificates: Path | None = Field(
        default=None, description="File with the authorities to trust; by default the system's."
    )
    sender: Mailbox | None = Field(default=None, description="Address that the messages are from.")

    def problems(self) -> Iterator[tuple[Place, str]]:
        """Yield what is missing or could leak a password."""
        if self.host is not None and self.sender is None:
            yield ("sender",), "missing: the address that the messages are from"
        if self.user is not None and self.security == "none":
            yield ("security",), "a password is never sent in the clear; use starttls or tls"
        if (self.user is None) != (self.password is None):
            yield ("user",), "expected both a user and a password, or neither"


class Webhook(Section):
    """A web address that is sent every change of an incident, signed."""

    url: Annotated[str, AfterValidator(_web_address)] = Field(
        repr=False, description="Where the messages are posted; redirects are not followed."
    )
    secret: SecretStr | None = Field(
        default=None, description="Key of the signature; never in the file."
    )
    secret_file: Path | None = Field(default=None, description="File that holds the key.")

    def problems(self) -> Iterator[tuple[Place, str]]:
        """Yield a missing key: nobody could tell our messages from another's."""
        if self.secret is None or len(self.secret.get_secret_value()) < 16:
            yield ("secret",), "expected a key of at least 16 characters, by variable or file"


class PagerDuty(Section):
    """A service of PagerDuty that pages go to."""

    key: SecretStr | None = Field(
        default=None, description="Integration key of Events API v2; never in the file."
    )
    key_file: Path | None = Field(default=None, description="File that holds the key.")
    url: Annotated[str, AfterValidator(_web_address)] = Field(
        default="https://events.pagerduty.com",
        description="Address of the region; `https://events.eu.pagerduty.com` for the European.",
    )

    def problems(self) -> Iterator[tuple[Place, str]]:
        """Yield a missing key."""
        if self.key is None:
            yield ("key",), "missing: the integration key, by variable or file"


class Apprise(Section):
    """Any service that Apprise knows; needs `watchkeeper[apprise]`."""

    urls: SecretStr | None = Field(
        default=None, description="Apprise's addresses, separated by spaces; never in the file."
    )
    urls_file: Path | None = Field(default=None, description="File that holds them.")

    def problems(self) -> Iterator[tuple[Place, str]]:
        """Yield missing addresses."""
        if self.urls is None or not self.urls.get_secret_value().split():
            yield ("urls",), "missing: at least one address, by variable or file"
