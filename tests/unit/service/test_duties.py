from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.duties import duty_notes
from watchkeeper.document import read_document
from watchkeeper.settings import load_settings

NOW = datetime(2026, 3, 27, 12, tzinfo=UTC)
FILE = """\
teams:
  flights:
    channel: C0FLIGHTS
    on_call:
      timezone: Europe/Berlin
      people: {ada: {name: Ada}}
      shifts:
      - {person: ada, start: 2026-03-23T09:00, end: 2026-03-30T09:00}
"""


def notes(tmp_path: Path, text: str, **environ: str) -> list[str]:
    path = tmp_path / "watchkeeper.yaml"
    path.write_text(text)
    found = duty_notes(load_settings(tmp_path, environ), read_document(path), now=NOW)
    return [str(note).removeprefix(f"{tmp_path}/") for note in found]


def test_gaps_of_the_next_two_weeks_are_named_with_file_and_line(tmp_path: Path) -> None:
    assert notes(tmp_path, FILE) == [
        "watchkeeper.yaml:4: teams.flights.on_call: nobody is on call from Mon 30 Mar 09:00 to "
        "Fri 10 Apr 14:00"
    ]


def test_a_calendar_that_cannot_be_read_is_named_without_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "http://127.0.0.1:9/the-secret-address"
    (line,) = notes(tmp_path, FILE, WATCHKEEPER_TEAMS__FLIGHTS__ON_CALL__ICAL=url)

    assert line.endswith("the calendar cannot be read: URLError")


def test_a_rotation_leaves_no_gap(tmp_path: Path) -> None:
    text = FILE.replace(
        "      shifts:", "      rotation: [ada]\n      start: 2026-01-05T09:00\n      shifts:"
    )

    assert notes(tmp_path, text) == []
