from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from alerts.stand_in import StandIn
from service.cli.slack import stand_in, try_connection
from watchkeeper.errors import ConfigurationError, ConflictError, DeliveryError


@pytest.fixture
def slack() -> Iterator[StandIn]:
    with StandIn() as server:
        yield server


@pytest.fixture
def home(tmp_path: Path, slack: StandIn, monkeypatch: pytest.MonkeyPatch) -> Path:
    text = f"slack: {{channel: C0OPS, base_url: '{slack.base_url}'}}\n"
    (tmp_path / "watchkeeper.yaml").write_text(text)
    monkeypatch.setenv("WATCHKEEPER_SLACK__TOKEN", "xoxb-test")
    return tmp_path


def test_it_tries_every_call_and_leaves_nothing_behind(
    home: Path, slack: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    try_connection(home)

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        [name, "ok"] for name in ("post", "find", "edit", "answer", "delete")
    ]
    assert slack.visible("C0OPS") == []


def test_it_says_what_to_do_about_a_refusal(
    home: Path, slack: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    slack.workspace.room("C0OPS").member = False
    with pytest.raises(DeliveryError, match="did not do all"):
        try_connection(home)

    assert "not_in_channel: invite the app" in capsys.readouterr().out


def test_it_asks_for_a_token(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHKEEPER_SLACK__TOKEN")
    with pytest.raises(ConfigurationError, match="WATCHKEEPER_SLACK__TOKEN"):
        try_connection(home)


def test_a_taken_port_is_one_clear_line(slack: StandIn) -> None:
    port = int(slack.url.rsplit(":", 1)[1].strip("/"))
    with pytest.raises(ConflictError, match=f"cannot listen on 127.0.0.1:{port}: "):
        stand_in(port)
