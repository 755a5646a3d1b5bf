from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from watchkeeper.channel_settings import Destination
from watchkeeper.errors import ConfigurationError
from watchkeeper.settings import Settings, load_settings

KEY = "a-key-of-the-test"
CHANNELS = """
email: {host: 127.0.0.1, security: none, sender: watch@example.org}
webhooks: {ops: {url: "https://hooks.example/in"}}
pagerduty: {flights: {}}
apprise: {phones: {}}
"""
ENVIRON = {
    "WATCHKEEPER_WEBHOOKS__OPS__SECRET": KEY,
    "WATCHKEEPER_PAGERDUTY__FLIGHTS__KEY": KEY,
    "WATCHKEEPER_APPRISE__PHONES__URLS": f"json://127.0.0.1/{KEY}",
}


def load(tmp_path: Path, text: str, **environ: str) -> Settings:
    (tmp_path / "watchkeeper.yaml").write_text(CHANNELS + text, encoding="utf-8")
    return load_settings(tmp_path, ENVIRON | environ)


def refusal(tmp_path: Path, text: str, **environ: str) -> str:
    with pytest.raises(ConfigurationError) as refused:
        load(tmp_path, text, **environ)
    return str(refused.value).removeprefix(f"{tmp_path}/")


def test_named_channels_take_their_secrets_from_variables_and_show_none(tmp_path: Path) -> None:
    settings = load(tmp_path, "")

    assert settings.pagerduty["flights"].key is not None
    assert settings.pagerduty["flights"].key.get_secret_value() == KEY
    assert KEY not in f"{settings!r} {settings.model_dump_json()}"


def test_named_channels_take_their_secrets_from_files(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    text = "teams: {flights: {on_call: {ical_file: key}}}"
    duty = load(tmp_path, text).teams["flights"].on_call

    assert duty is not None
    assert duty.ical is not None
    assert duty.ical.get_secret_value() == KEY


def test_a_part_of_a_team_is_set_by_a_variable(tmp_path: Path) -> None:
    settings = load(tmp_path, "teams: {night-owls: {}}", WATCHKEEPER_TEAMS_NIGHT_OWLS_CHANNEL="C1A")

    assert settings.teams["night-owls"].channel == "C1A"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fallback: [mail:a@b]", "6: fallback.0: expected one of slack:#channel, "),
        ("fallback: [webhook:opps]", "6: fallback.0: no webhooks 'opps'; did you mean 'ops'?"),
        ('fallback: ["email:a@b\\r\\nBcc: c"]', "is no address for email"),
        ("teams: {a: {page: [pagerduty:x]}}", "6: teams.a.page.0: no pagerduty 'x'"),
        ("teams: {a: {escalation: [{after: 5m, to: ['slack:']}]}}", "to.0: '' is no address"),
        (
            "teams: {a: {escalation: [{after: 9m, to: [email:b@c]}, {after: 5m, to: [email:c@d]}]}"
            "}",
            "6: teams.a.escalation: expected steps that come one after the other",
        ),
        ("teams: {a: {digest_at: 24:00}}", "6: teams.a.digest_at: expected a time such as 09:00"),
        ("teams: {a: {timezone: Berlin}}", "did you mean 'Europe/Berlin'?"),
        ("teams: {a: {on_call: {rotation: [bob]}}}", "on_call.start: missing"),
        ("teams: {a: {on_call: {start: '2026-01-05T09:00Z'}}}", "expected a local time such as"),
        ("teams: {a: {on_call: {every: 12h}}}", "6: teams.a.on_call.every: expected whole days"),
        ("teams: {a: {chanel: C1A}}", "6: teams.a.chanel: unknown key; did you mean 'channel'?"),
        ("sources: {weather: metz}", "6: sources.weather: no team 'metz'; there is none"),
    ],
)
def test_what_cannot_be_reached_is_an_error_with_its_line(
    tmp_path: Path, text: str, expected: str
) -> None:
    assert expected in refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"WATCHKEEPER_EMAIL__USER": "ada"}, "email.security: a password is never sent in the"),
        ({"WATCHKEEPER_WEBHOOKS__OPS__SECRET": "short"}, "at least 16 characters"),
        ({"WATCHKEEPER_WEBHOOKS__OPS__URL": "file:///etc/passwd"}, "begins with https://"),
        ({"WATCHKEEPER_WEBHOOKS__OPS__URL": "https://u:hunter2@h/"}, "without spaces, user and"),
        ({"WATCHKEEPER_PAGERDUTY__FLIGHTS__URL": "events.eu"}, "begins with https://"),
    ],
)
def test_what_would_leak_or_cannot_work_is_refused(
    tmp_path: Path, variables: dict[str, str], expected: str
) -> None:
    text = refusal(tmp_path, "", **variables)

    assert expected in text
    assert "hunter2" not in text


@given(st.sampled_from(["slack", "email", "webhook", "pagerduty", "apprise"]), st.text())
def test_no_destination_holds_a_character_that_could_end_a_header(kind: str, text: str) -> None:
    try:
        value = TypeAdapter(Destination).validate_python(f"{kind}:{text}")
    except ValidationError:
        return
    assert value.isprintable()
    assert value.isascii()
