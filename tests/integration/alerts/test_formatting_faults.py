from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine

from alerts import compose
from alerts.channels.outcome import Found, FoundKind, Outcome, OutcomeKind, Parcel
from alerts.deliver import Deliverer, Delivering
from alerts.destinations import UNLIMITED


class Shelf:
    """Keeps the parcels that it is given."""

    def __init__(self) -> None:
        self.parcels: list[Parcel] = []

    def send(self, parcel: Parcel) -> Outcome:
        self.parcels.append(parcel)
        return Outcome(kind=OutcomeKind.SENT, channel="c", ts="1")

    def find(self, parcel: Parcel) -> Found:
        del parcel
        return Found(kind=FoundKind.ABSENT)


def broken(*_args: Any, **_more: Any) -> Any:
    raise ValueError("a name that nobody thought of")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_alert_is_never_lost_to_its_formatting(
    flights: Any, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compose, "render", broken)
    monkeypatch.setattr(compose, "tell", broken)
    flights.day(0, broken=flights.columns)
    shelf = Shelf()
    Deliverer(engine, {"slack": shelf}, owner="one", how=Delivering(limits=UNLIMITED)).run_once()

    (parcel,) = shelf.parcels
    assert parcel.message.blocks == ()
    assert "PAGE flights: 13 columns broken" in parcel.message.text
    assert parcel.story is not None
    assert parcel.story.text.startswith("PAGE INC-0001: 13 columns broken")
