from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web import WebClient

from alerts.channels.slack import make_client
from alerts.stand_in import Fault, FaultKind, StandIn
from alerts.stand_in.api import METHODS

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@pytest.fixture
def slack() -> Iterator[StandIn]:
    with StandIn(channels={"C0FLIGHTS": "flights-alerts"}, users={"U0ADA": "Ada"}) as stand_in:
        yield stand_in


@pytest.fixture
def client(slack: StandIn) -> WebClient:
    return make_client("xoxb-test", base_url=slack.base_url)


def refusal(call: object, **arguments: object) -> str:
    with pytest.raises(SlackApiError) as caught:
        call(**arguments)  # type: ignore[operator]
    return str(caught.value.response["error"])


def test_it_answers_the_calls_that_the_client_makes(slack: StandIn, client: WebClient) -> None:
    assert client.auth_test()["user"] == "watchkeeper"
    ts = client.chat_postMessage(channel="C0FLIGHTS", text="one")["ts"]
    client.chat_postMessage(channel="C0FLIGHTS", text="two", thread_ts=ts)
    client.chat_update(channel="C0FLIGHTS", ts=ts, text="one, edited")
    client.chat_postEphemeral(channel="C0FLIGHTS", user="U0ADA", text="only you")

    (history,) = client.conversations_history(channel="C0FLIGHTS")["messages"]
    assert (history["text"], "edited" in history) == ("one, edited", True)
    replies = client.conversations_replies(channel="C0FLIGHTS", ts=ts)["messages"]
    assert [message["text"] for message in replies] == ["one, edited", "two"]
    assert slack.edits("C0FLIGHTS", ts)[0]["text"] == "one"
    assert client.conversations_info(channel="C0FLIGHTS")["channel"]["name"] == "flights-alerts"
    assert client.users_info(user="U0ADA")["user"]["name"] == "Ada"
    assert client.chat_getPermalink(channel="C0FLIGHTS", message_ts=ts)["permalink"]
    client.chat_delete(channel="C0FLIGHTS", ts=ts)
    assert client.conversations_history(channel="C0FLIGHTS")["messages"] == []


def test_metadata_comes_back_only_when_asked_for(client: WebClient) -> None:
    metadata = {"event_type": "test", "event_payload": {"delivery_id": "d1"}}
    client.chat_postMessage(channel="C0FLIGHTS", text="one", metadata=metadata)

    (plain,) = client.conversations_history(channel="C0FLIGHTS")["messages"]
    (full,) = client.conversations_history(channel="C0FLIGHTS", include_all_metadata=True)[
        "messages"
    ]
    assert "metadata" not in plain
    assert full["metadata"] == metadata


def test_history_comes_in_pages(client: WebClient) -> None:
    for number in range(5):
        client.chat_postMessage(channel="C0FLIGHTS", text=str(number))
    texts, cursor = [], ""
    for _ in range(3):
        page = client.conversations_history(channel="C0FLIGHTS", limit=2, cursor=cursor)
        texts += [message["text"] for message in page["messages"]]
        cursor = page["response_metadata"]["next_cursor"]

    assert texts == ["4", "3", "2", "1", "0"]
    assert cursor == ""


def test_it_refuses_what_slack_refuses(slack: StandIn, client: WebClient) -> None:
    post = client.chat_postMessage
    long = [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]
    assert refusal(post, channel="C0NOWHERE", text="x") == "channel_not_found"
    empty = {"channel": "C0FLIGHTS", "text": ""}
    assert refusal(client.api_call, api_method="chat.postMessage", json=empty) == "no_text"
    assert refusal(post, channel="C0FLIGHTS", text="x", blocks=long) == "invalid_blocks"
    assert refusal(post, channel="C0FLIGHTS", text="x", thread_ts="1.0") == "thread_not_found"
    assert (
        refusal(client.chat_update, channel="C0FLIGHTS", ts="1.0", text="x") == "message_not_found"
    )
    assert refusal(client.api_call, api_method="views.publish") == "unknown_method"
    assert refusal(client.api_call, api_method="views.open") == "invalid_trigger_id"
    slack.workspace.room("C0FLIGHTS").archived = True
    assert refusal(post, channel="C0FLIGHTS", text="x") == "is_archived"
    slack.revoked = True
    assert refusal(client.auth_test) == "token_revoked"


def test_it_keeps_the_rates_and_notes_who_does_not_wait() -> None:
    with StandIn(rate_limits=True) as slack:
        client = make_client("xoxb-test", base_url=slack.base_url)
        for number in range(5):
            client.chat_postMessage(channel="C0FLIGHTS", text=str(number))
        post = client.chat_postMessage
        assert refusal(post, channel="C0FLIGHTS", text="one too many") == "ratelimited"
        assert slack.limits.impatient == []
        assert refusal(post, channel="C0FLIGHTS", text="again") == "ratelimited"
        assert slack.limits.impatient == ["chat.postMessage C0FLIGHTS"]
        client.chat_postMessage(channel="C0TRAINS", text="another channel")


def test_a_file_is_uploaded_and_shown(slack: StandIn, client: WebClient) -> None:
    client.files_upload_v2(channel="C0FLIGHTS", filename="chart.png", content=b"\x89PNG")

    (stored,) = slack.workspace.files.values()
    assert stored["content"] == b"\x89PNG"
    with OPENER.open(f"{slack.url}files/{stored['id']}") as response:
        assert response.read() == b"\x89PNG"


def test_the_page_holds_what_was_said_and_no_way_out_of_its_script(
    slack: StandIn, client: WebClient
) -> None:
    client.chat_postMessage(channel="C0FLIGHTS", text="</script><b>bold</b>")
    with OPENER.open(slack.url) as response:
        page = response.read().decode()

    data = page.partition('id="state">')[2].partition("</script>")[0]
    (channel,) = json.loads(data)["channels"]
    assert channel["messages"][0]["text"] == "</script><b>bold</b>"
    assert "https://" not in page


@pytest.mark.parametrize("path", ["assets/page.js", "assets/page.css", "assets/icon.svg"])
def test_the_page_brings_everything_with_it(slack: StandIn, path: str) -> None:
    with OPENER.open(slack.url + path) as response:
        assert response.status == 200


@pytest.mark.parametrize("path", ["assets/../server.py", "assets/nothing.js", "files/F1", "x"])
def test_it_serves_nothing_else(slack: StandIn, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        OPENER.open(slack.url + path)


def test_a_click_needs_a_button_and_a_listener(slack: StandIn, client: WebClient) -> None:
    ts = client.chat_postMessage(channel="C0FLIGHTS", text="no buttons")["ts"]
    with pytest.raises(Exception, match="no_interactivity_url"):
        slack.clicks.click("C0FLIGHTS", ts, "incident.ack", user="U0ADA")
    slack.clicks.url = "http://127.0.0.1:9/"
    with pytest.raises(Exception, match="action_not_found"):
        slack.clicks.click("C0FLIGHTS", ts, "incident.ack", user="U0ADA")


def test_planned_faults_come_in_order(slack: StandIn, client: WebClient) -> None:
    slack.faults.add("auth.test", None, Fault(kind=FaultKind.REFUSE, error="fatal_error"), None)

    client.auth_test()
    assert refusal(client.auth_test) == "fatal_error"
    client.auth_test()


def test_every_method_that_the_product_calls_is_known() -> None:
    assert {
        "chat.postMessage",
        "chat.update",
        "conversations.history",
        "conversations.replies",
    } <= set(METHODS)
