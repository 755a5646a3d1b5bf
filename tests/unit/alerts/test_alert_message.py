from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

from alerts.block_kit import MAX_TOTAL, clean, problems, words
from alerts.message import Message, View, render, render_plain, render_reply
from alerts.model import (
    Cause,
    Evaluability,
    Facts,
    Incident,
    IncidentState,
    Member,
    Owner,
    Reading,
    SeriesState,
    Severity,
    Standing,
)
from monitor.model import Family
from monitor.performance.burn import Burn

NOON = datetime(2013, 6, 4, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HOSTILE = [
    "<!channel>",
    "*a*",
    "`b`",
    "c\nd",
    "&lt;",
    "\u202eevil",
    "\u200b",
    "<@U0ADA>",
    "x" * 5000,
    "🚢" * 900,
]


def member(column: str | None, *, reason: str = "nulls rose from 0.1 % to 31 %") -> Member:
    return Member(
        model="flights",
        family=Family.DATA_CONTRACT if column else Family.PERFORMANCE,
        check="null_surge" if column else "performance",
        metric="null_share" if column else "roc_auc",
        column=column,
        segment=None,
        state=SeriesState.FIRING,
        evaluability=Evaluability.OK,
        since=NOON - DAY,
        reading=Reading(
            reason=reason,
            window_start=NOON - DAY,
            window_end=NOON,
            effect=2.0,
            value=0.712,
            lower=0.698,
            upper=0.726,
            limit=0.76,
            n=18204,
        ),
    )


def incident(family: Family = Family.PERFORMANCE, **changes: object) -> Incident:
    standing = Standing(
        state=IncidentState.OPEN, severity=Severity.PAGE, revision=7, notified=True, opened_at=NOON
    )
    found = Incident(
        id=142,
        uid="u",
        key="k",
        model="flights",
        slot="production",
        family=family,
        scope="flights",
        started_at=NOON - 3 * DAY,
        detected_at=NOON,
        updated_at=NOON,
        standing=standing,
        facts=Facts(
            version=3,
            window_start=NOON - DAY,
            window_end=NOON,
            rows=30000,
            labels=18204,
            labels_mature=True,
            columns_checked=16,
            causes=(Cause(column="temp", check="null_surge", reason="nulls 31 %", effect=3.0),),
            causes_hidden=14,
        ),
        owner=Owner(name="Ada Byron", team="flights", slack="U0ADA", why="owner of model flights"),
        columns=("temp",),
        summary="ROC AUC 0.712, below the limit 0.760",
        destinations=("slack:C0FLIGHTS",),
    )
    return replace(found, **changes)  # type: ignore[arg-type]


def view(found: Incident | None = None, **changes: object) -> View:
    found = found or incident()
    members = [member(None)] if found.family is Family.PERFORMANCE else [member("temp")]
    shown = View(
        incident=found, members=members, public_url="https://watch.example", interactive=True
    )
    return replace(shown, **changes)  # type: ignore[arg-type]


def everything(message: Message) -> str:
    return message.text + json.dumps(message.blocks, ensure_ascii=False)


def test_a_loss_says_what_it_has_cost_and_how_many_windows_are_not_yet_in() -> None:
    burn = Burn(
        metric="log_loss", windows=5, waiting=2, labels=5000, days=5.0, excess=60.0, rate=3.24
    )

    text = everything(render(view(burn=burn)))

    for part in (
        "log loss 60.0 in all over 5,000 labelled rows (0.012 a row), 12.0 a day",
        "2 windows not yet in",
        "3.2 times what is tolerated, over 5 windows with all their labels",
    ):
        assert part in text
    assert "burn rate" not in everything(render(view())).casefold()


def test_a_loss_without_mature_labels_has_no_burn_rate() -> None:
    text = everything(render(view(burn=Burn(metric="mae", windows=0, waiting=1))))

    assert "no window has all its labels; 1 window not yet in" in text
    assert "Burn rate" not in text


def test_it_says_what_broke_how_bad_since_when_why_and_what_to_do() -> None:
    text = everything(render(view()))

    for part in (
        "PAGE · flights: ROC AUC 0.712, below the limit 0.760",
        "<@U0ADA>",
        "owner of model flights",
        "ROC AUC 0.712 (95% CI 0.698 to 0.726)",
        "61% arrived (n=18,204)",
        "01 Jun 2013 12:00 UTC (3 d of data)",
        "`temp` nulls 31 %",
        "+14 more",
        "Look at the broken columns above before anything else.",
        "https://watch.example/incidents/142",
        "INC-0142 rev 7",
    ):
        assert part in text


def test_its_text_alone_tells_the_story() -> None:
    text = render(view()).text

    assert text.startswith("🔴 PAGE flights: ROC AUC 0.712, below the limit 0.760.")
    assert "Changed at the same time: temp." in text
    assert "Since 01 Jun 2013 12:00 UTC; open" in text
    assert text.endswith("Owner Ada Byron. INC-0142.")


@pytest.mark.parametrize("state", IncidentState)
@pytest.mark.parametrize("family", Family)
def test_every_state_of_every_family_is_a_message_that_slack_takes(
    state: IncidentState, family: Family
) -> None:
    standing = replace(
        incident().standing,
        state=state,
        acked_by="ada",
        ack_expires_at=NOON,
        snoozed_by="ada",
        snoozed_until=NOON,
        mitigation="Retrain run 1",
        deadline=NOON,
        merged_into=7 if state is IncidentState.MERGED else None,
        resolved_at=NOON if state is IncidentState.RESOLVED else None,
    )
    message = render(view(incident(family, standing=standing)))

    assert problems(message.text, message.blocks) == []
    assert len(json.dumps(message.blocks)) < 8000
    assert [block.to_dict() for block in Block.parse_all(list(message.blocks))]


def test_only_an_open_incident_can_be_acknowledged_from_its_message() -> None:
    resolved = replace(incident().standing, state=IncidentState.RESOLVED, resolved_at=NOON)

    assert "incident.ack" in everything(render(view()))
    assert "incident.ack" not in everything(render(view(incident(standing=resolved))))
    assert "incident.useful" in everything(render(view(incident(standing=resolved))))
    assert "incident.ack" not in everything(render(view(interactive=False)))


@pytest.mark.parametrize("name", HOSTILE)
def test_foreign_names_call_nobody_and_break_nothing(name: str) -> None:
    found = incident(
        Family.DATA_CONTRACT,
        model=name,
        summary=f"{name} is broken",
        columns=(name,) * 9,
        owner=Owner(name=name, team=name, slack=name, why=name),
    )
    message = render(view(found, members=[member(name, reason=name)] * 20, news=name))

    assert problems(message.text, message.blocks) == []
    assert "<!channel>" not in everything(message)
    assert "<@U0ADA>" not in everything(message)
    assert "\u202e" not in everything(message)
    assert problems(*_both(render_reply(view(found), name, mention=True))) == []


@given(text=st.text(max_size=300))
def test_words_of_others_never_format_or_mention(text: str) -> None:
    written = words(text)

    assert not set("<>`*\n") & set(written)
    assert clean(text, 20) == clean(clean(text, 20), 20)
    assert len(clean(text, 20)) <= 20


def test_a_group_is_called_by_its_own_form() -> None:
    owner = Owner(name="Flight models", team="flights", slack="S0ML", why="owner")

    assert "<!subteam^S0ML>" in render_reply(view(incident(owner=owner)), "x", mention=True).text


def test_plain_text_needs_no_blocks() -> None:
    message = render_plain(view())

    assert message.blocks == ()
    assert message.text.endswith("https://watch.example/incidents/142")


@pytest.mark.parametrize(
    ("blocks", "problem"),
    [
        ([{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}], "3001 characters"),
        ([{"type": "divider"}] * 51, "51 blocks"),
        (
            [{"type": "section", "fields": [{"type": "mrkdwn", "text": "x" * 2001}]}],
            "2001 characters",
        ),
        ([{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}], "151 characters"),
        ([{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}], "plain_text"),
        ([{"type": "section", "text": {"type": "mrkdwn", "text": ""}}], "0 characters"),
        ([{"type": "section"}], "text or fields"),
        (
            [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 2900}}] * 5,
            "msg_blocks_too_long",
        ),
        ([{"type": "image", "image_url": "https://x", "alt_text": ""}], "alt_text"),
        ([{"type": "wormhole"}], "no block type"),
        ([{"type": "divider", "block_id": "a"}] * 2, "used twice"),
        ([{"type": "context", "elements": [{"type": "mrkdwn", "text": "x"}] * 11}], "11 elements"),
    ],
)
def test_the_limits_of_slack_are_known(blocks: list[dict[str, object]], problem: str) -> None:
    assert problem in " ".join(problems("text", blocks))


def test_the_limits_count_what_is_sent() -> None:
    assert problems("x" * 40_001, []) == ["msg_too_long: 40001 characters of text"]
    assert problems("", []) == ["no_text: a message needs text or blocks"]
    assert MAX_TOTAL < 13_200


def _both(message: Message) -> tuple[str, list[dict[str, object]]]:
    return message.text, [dict(block) for block in message.blocks]
