"""The service's settings come from one file and from variables; secrets never from the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from watchkeeper.configuration import ConfigurationErrors, settings_of
from watchkeeper.environment import variable_of
from watchkeeper.errors import ConfigurationError
from watchkeeper.settings import Settings, load_settings, secret_settings

TOKEN = "xoxb-very-secret"


def home_with(tmp_path: Path, text: str) -> Path:
    (tmp_path / "watchkeeper.yaml").write_text(text, encoding="utf-8")
    return tmp_path


def refusal(home: Path, environ: dict[str, str]) -> str:
    with pytest.raises(ConfigurationErrors) as caught:
        load_settings(home, environ)
    return str(caught.value)


def test_an_empty_file_is_enough_and_everything_lies_in_the_home(tmp_path: Path) -> None:
    settings = load_settings(home_with(tmp_path, ""), {})

    assert settings.database_url == f"sqlite:///{tmp_path}/state/watchkeeper.db"
    assert settings.lake_url == str(tmp_path / "lake")
    assert settings.spool.directory == tmp_path / "spool"
    assert settings.ui.token_file == tmp_path / "state" / "admin-token"
    assert settings == Settings(home=tmp_path)


def test_paths_are_relative_to_the_home_and_urls_are_left_alone(tmp_path: Path) -> None:
    text = "lake_url: s3://bucket/lake\nartifacts: /srv/models\nspool: {directory: buffer}\n"
    settings = load_settings(home_with(tmp_path, text), {})

    assert settings.lake_url == "s3://bucket/lake"
    assert settings.artifacts == Path("/srv/models")
    assert settings.spool.directory == tmp_path / "buffer"


def test_sizes_and_durations_are_written_as_people_write_them(tmp_path: Path) -> None:
    text = "training: {memory: 2GiB, timeout: 15m}\nserving: {max_body_bytes: 1MiB}\n"
    settings = load_settings(home_with(tmp_path, text), {})

    assert settings.training.memory == 2 * 1024**3
    assert settings.training.timeout.total_seconds() == 900
    assert settings.serving.max_body_bytes == 1024**2


@pytest.mark.parametrize("name", ["WATCHKEEPER_SERVER__PORT", "WATCHKEEPER_SERVER_PORT"])
def test_a_variable_takes_precedence_over_the_file(tmp_path: Path, name: str) -> None:
    home = home_with(tmp_path, "server: {port: 8001}\n")

    assert load_settings(home, {name: "8002"}).server.port == 8002
    assert load_settings(home, {}).server.port == 8001


def test_a_list_may_be_given_by_a_variable(tmp_path: Path) -> None:
    environ = {"WATCHKEEPER_SERVING__TRUSTED_TYPES": "[churn.Model, churn.Encoder]"}
    settings = load_settings(home_with(tmp_path, ""), environ)

    assert settings.serving.trusted_types == ("churn.Model", "churn.Encoder")


def test_a_variable_that_is_no_setting_is_refused_with_the_nearest(tmp_path: Path) -> None:
    text = refusal(home_with(tmp_path, ""), {"WATCHKEEPER_SERVR__PORT": "1"})

    assert text == (
        "WATCHKEEPER_SERVR__PORT: is not a setting; did you mean WATCHKEEPER_SERVER__PORT?"
    )


def test_two_variables_for_one_setting_must_agree(tmp_path: Path) -> None:
    environ = {"WATCHKEEPER_SERVER_PORT": "1", "WATCHKEEPER_SERVER__PORT": "2"}

    assert "says something else than" in refusal(home_with(tmp_path, ""), environ)


def test_variables_that_kubernetes_sets_for_a_service_are_not_ours(tmp_path: Path) -> None:
    environ = {
        "WATCHKEEPER_SERVICE_HOST": "10.0.0.1",
        "WATCHKEEPER_PORT": "tcp://10.0.0.1:80",
        "WATCHKEEPER_PORT_80_TCP_ADDR": "10.0.0.1",
        "WATCHKEEPER_HOME": "/srv",
        "PATH": "/bin",
    }
    assert load_settings(home_with(tmp_path, ""), environ) == Settings(home=tmp_path)


def test_a_wrong_value_of_a_variable_names_the_variable(tmp_path: Path) -> None:
    text = refusal(home_with(tmp_path, ""), {"WATCHKEEPER_SERVER__PORT": "eighty"})

    assert text == "WATCHKEEPER_SERVER__PORT: expected a whole number, got 'eighty'"


def test_a_secret_comes_from_a_variable_or_a_file_and_is_never_shown(tmp_path: Path) -> None:
    home = home_with(tmp_path, "")
    (home / "token").write_text(f"{TOKEN}\n", encoding="utf-8")
    by_variable = load_settings(home, {"WATCHKEEPER_SLACK_TOKEN": TOKEN})
    by_file = load_settings(home_with(tmp_path, "slack: {token_file: token}"), {})

    for settings in (by_variable, by_file):
        assert settings.slack.token is not None
        assert settings.slack.token.get_secret_value() == TOKEN
        assert TOKEN not in f"{settings!r} {settings} {settings.model_dump_json()}"


@pytest.mark.parametrize("place", secret_settings())
def test_a_secret_in_the_file_is_refused_without_showing_it(
    tmp_path: Path, place: tuple[str, ...]
) -> None:
    *groups, last = place
    inner = f"{{{last}: {TOKEN}}}"
    for group in reversed(groups[1:]):
        inner = f"{{{group}: {inner}}}"
    text = refusal(home_with(tmp_path, f"{groups[0]}: {inner}"), {})

    assert f"watchkeeper.yaml:1: {'.'.join(place)}: a secret does not belong into this file" in text
    assert variable_of(place) in text
    assert TOKEN not in text


def test_a_password_in_the_file_is_refused_without_showing_it(tmp_path: Path) -> None:
    home = home_with(tmp_path, "database_url: postgresql+psycopg://w:hunter2@db/w")

    text = refusal(home, {})
    assert "database_url: a password does not belong into this file" in text
    assert "hunter2" not in text
    settings = load_settings(
        home_with(tmp_path, ""),
        {"WATCHKEEPER_DATABASE_URL": "postgresql+psycopg://w:hunter2@db/w"},
    )
    assert "hunter2" not in repr(settings)


def test_a_secret_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    home = home_with(tmp_path, "slack:\n  token_file: absent\n")

    assert "watchkeeper.yaml:2: slack.token_file: cannot read absent: No such" in refusal(home, {})
    (home / "absent").write_text(TOKEN, encoding="utf-8")
    twice = refusal(home, {"WATCHKEEPER_SLACK_TOKEN": "other"})
    assert "WATCHKEEPER_SLACK__TOKEN is set too" in twice


def test_a_home_without_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"watchkeeper\.yaml: cannot be read"):
        load_settings(tmp_path, {})


def test_every_setting_is_described_and_its_variable_is_its_own() -> None:
    fields = settings_of(Settings)
    short = {variable_of(place).replace("__", "_") for place in fields}

    assert all(field.description for field in fields.values())
    assert len(short) == len(fields)
