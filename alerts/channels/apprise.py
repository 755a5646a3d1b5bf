"""Everything that Apprise can reach, as one channel; needs ``watchkeeper[apprise]``."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from alerts.channels.outcome import Found, FoundKind, Outcome, OutcomeKind, Parcel
from alerts.model import DeliveryKind
from watchkeeper.errors import ConfigurationError


class AppriseChannel:
    """Addresses of Apprise by the names that destinations call them.

    Parameters
    ----------
    addresses
        By name; each may be several of Apprise's URLs.

    Raises
    ------
    ConfigurationError
        Apprise is not installed, or it does not understand an address.
    """

    def __init__(self, addresses: Mapping[str, Sequence[str]]) -> None:
        self._targets = {name: _open(name, urls) for name, urls in addresses.items()}

    def send(self, parcel: Parcel) -> Outcome:
        """Hand the message over once; a change of the facts is not sent, nothing can be edited."""
        target, story = self._targets.get(parcel.address), parcel.story
        if target is None or story is None:
            return Outcome(kind=OutcomeKind.BAD_DESTINATION, error="no_such_address")
        if parcel.kind is DeliveryKind.UPDATE:
            return Outcome(kind=OutcomeKind.NOTHING_TO_SAY)
        body = "\n".join(
            part for part in (story.news, story.text, *story.lines, story.link) if part
        )
        # It answers yes or no for all of its services together; a no may be a half yes.
        if target.notify(title=story.subject, body=body, body_format="text"):
            return Outcome(kind=OutcomeKind.SENT, channel=parcel.address, ts=parcel.delivery_id)
        return Outcome(kind=OutcomeKind.AMBIGUOUS, error="apprise_said_no")

    def find(self, parcel: Parcel) -> Found:
        """Nobody can look."""
        del parcel
        return Found(kind=FoundKind.CANNOT_LOOK)


def _open(name: str, urls: Sequence[str]) -> Any:
    try:
        import apprise  # noqa: PLC0415  an extra
    except ImportError as exc:
        raise ConfigurationError(
            "needs Apprise: install watchkeeper[apprise]", field=f"apprise.{name}"
        ) from exc
    # Its log repeats addresses, which hold keys.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    target = apprise.Apprise()
    for number, url in enumerate(urls, start=1):
        if not target.add(url):
            raise ConfigurationError(
                f"Apprise does not understand address {number} of {len(urls)}",
                field=f"apprise.{name}.urls",
            )
    return target
