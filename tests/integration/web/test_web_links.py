"""Every link of a message leads to a page."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from litestar.testing import TestClient

from alerts.channels.slack import SlackChannel, make_client
from alerts.deliver import Deliverer, Delivering
from alerts.destinations import UNLIMITED
from alerts.stand_in import StandIn
from service.web.context import Web

HERE = "https://watch.example"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_every_link_of_a_message_leads_to_a_page(web: Web, client: TestClient[Any]) -> None:
    with StandIn() as slack:
        channel = SlackChannel(
            make_client("xoxb-test", base_url=slack.base_url), default_channel="C0FLIGHTS"
        )
        how = Delivering(limits=UNLIMITED, look_after=0.0, public_url=HERE, interactive=True)
        worker = Deliverer(web.engine, {"slack": channel}, owner="w", how=how)
        while worker.run_once():
            pass
        said = [message for room in slack.workspace.rooms() for message in slack.visible(room.id)]

    text = json.dumps([[message["text"], message["blocks"]] for message in said])
    links = set(re.findall(rf"{HERE}[^\s\"|>\\]*", text))
    assert links
    for link in links:
        assert client.get(urlsplit(link).path).status_code == 200, link
    assert {urlsplit(link).path for link in links} >= {"/incidents/1"}
