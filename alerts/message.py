"""The Slack message of an incident, written from its present state; no row values, no secrets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alerts.block_kit import clean, code, escape, problems, words
from alerts.burning import burn_facts
from alerts.model import SELF, Evaluability, Incident, IncidentState, Member, Severity
from alerts.plan import Duty
from alerts.wording import UNKNOWN, against_limit, in_trouble, metric_name, moment, number, span
from monitor.model import DECAY, DETECTORS, Family
from monitor.performance.burn import Burn
from watchkeeper.errors import DeliveryError

_SHOWN_FINDINGS = 8
_REASON = 400
_MARKS = {
    Severity.PAGE: "\N{LARGE RED CIRCLE}",
    Severity.TICKET: "\N{LARGE ORANGE CIRCLE}",
    Severity.DIGEST: "\N{LARGE BLUE CIRCLE}",
}
_STATE = IncidentState


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """What a channel is given: the whole story as text, and blocks where it can show them."""

    text: str
    blocks: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """Everything that the message of an incident is written from.

    Parameters
    ----------
    members
        The worst of its series, the worst first.
    firing, total
        How many series fire or recover, and how many there are in all.
    public_url
        Where its page is; without one there is no link.
    interactive
        Whether somebody listens to its buttons.
    remark
        A line about the sending itself: late, possibly a repeat, continuing another message.
    news
        What happened, when it opens a thread that began elsewhere.
    duty
        Who is on call now, for a page.
    burn
        What a loss has cost beyond the tolerance since it began; it pages nobody.
    """

    incident: Incident
    members: Sequence[Member]
    firing: int = 0
    total: int = 0
    public_url: str | None = None
    interactive: bool = False
    remark: str = ""
    news: str = ""
    duty: Duty | None = None
    burn: Burn | None = None


def render(view: View) -> Message:
    """Return the root message of an incident as it stands.

    Raises
    ------
    DeliveryError
        The message breaks one of Slack's limits; ``render_plain`` always works.
    """
    blocks = [
        {"type": "header", "text": _plain(_title(view))},
        _section(view, "who", _who(view)),
        {**_section(view, "facts", ""), **_fields(view)},
        *_findings(view),
        _section(view, "do", f"*Do first*  {first_action(view)}"),
        *_buttons(view),
        {
            "type": "context",
            "block_id": _block_id(view, "context"),
            "elements": [_mrkdwn(_context(view))],
        },
    ]
    message = Message(text=_story(view), blocks=tuple(blocks))
    wrong = problems(message.text, message.blocks)
    if wrong:
        raise DeliveryError(f"{view.incident.name}: {'; '.join(wrong[:3])}")
    return message


def render_plain(view: View) -> Message:
    """Return the root message without blocks: an alert is never lost to its formatting."""
    link = _link(view)
    return Message(text=f"{_story(view)} {link}" if link else _story(view))


def render_reply(view: View, text: str, *, mention: bool) -> Message:
    """Return a reply for the thread of an incident."""
    call = _mention(view) if mention else ""
    line = words(text, 1500) or view.incident.name
    return Message(text=f"{call} {line}".strip() + (f" _{view.remark}_" if view.remark else ""))


def _title(view: View) -> str:
    incident = view.incident
    title = clean(f"{_headline(incident)} · {incident.model}: {incident.summary}", 150)
    while len(escape(title)) > 150:
        title = f"{title[:-2].rstrip()}…"
    return title


def _headline(incident: Incident) -> str:
    if incident.state in (_STATE.RESOLVED, _STATE.CLOSED):
        return "\N{LARGE GREEN CIRCLE} RESOLVED"
    if incident.state is _STATE.MERGED:
        return f"\N{MEDIUM WHITE CIRCLE} MERGED INTO INC-{incident.standing.merged_into:04d}"
    if incident.state is _STATE.RECOVERING:
        return f"\N{LARGE YELLOW CIRCLE} RECOVERING {incident.severity.upper()}"
    return f"{_MARKS[incident.severity]} {incident.severity.upper()}"


def _who(view: View) -> str:
    incident = view.incident
    owner = incident.owner
    # Who is on call is called; whoever is not may sleep.
    rests = view.duty is not None and bool(view.duty.slack)
    who = words(owner.name, 80) if rests else called(owner.slack) or words(owner.name, 80)
    return (
        f"*Owner*  {who}, team {words(owner.team, 80)}{_on_call(view)}\n"
        f"*State*  {_standing(incident)}\n*Why you*  {words(owner.why, 200)}"
    )


def _on_call(view: View) -> str:
    if view.duty is None:
        return ""
    until = f" until {moment(view.duty.until)}" if view.duty.until else ""
    return f"\n*On call*  {called(view.duty.slack) or words(view.duty.name, 80)}{until}"


def _mention(view: View) -> str:
    """Return the call of who is on call, else of the owner."""
    duty = called(view.duty.slack) if view.duty else ""
    return duty or called(view.incident.owner.slack)


def called(slack: str | None) -> str:
    """Return the mention of a user or group; the IDs of groups have a form of their own.

    Examples
    --------
    >>> called("U0ADA"), called("S0ML"), called("<!channel>"), called(None)
    ('<@U0ADA>', '<!subteam^S0ML>', '', '')
    """
    if not slack or not slack.isalnum():
        return ""
    return f"<!subteam^{slack}>" if slack.startswith("S") else f"<@{slack}>"


def _standing(incident: Incident) -> str:
    standing = incident.standing
    if standing.state is _STATE.ACKED:
        until = f" until {moment(standing.ack_expires_at)}" if standing.ack_expires_at else ""
        return f"acknowledged by {words(standing.acked_by or '?', 80)}{until}"
    if standing.state is _STATE.SNOOZED:
        ends = [moment(standing.snoozed_until)] if standing.snoozed_until else []
        ends += [words(standing.snooze_condition, 80)] if standing.snooze_condition else []
        return f"snoozed by {words(standing.snoozed_by or '?', 80)} until {' or '.join(ends)}"
    if standing.state is _STATE.MITIGATING:
        due = f", due by {moment(standing.deadline)}" if standing.deadline else ""
        return f"being repaired: {words(standing.mitigation or '', 200)}{due}"
    if standing.state is _STATE.RECOVERING and standing.provisional:
        return "recovering, provisionally: the windows of the new version are still to come"
    if standing.state is _STATE.RECOVERING:
        return "recovering: all checks are clear"
    if standing.resolved_at is not None:
        took = span(standing.resolved_at - (standing.opened_at or incident.started_at))
        return f"resolved {moment(standing.resolved_at)}, after {took}"
    again = f", reopened {standing.reopen_count} times" if standing.reopen_count > 1 else ""
    again = ", reopened" if standing.reopen_count == 1 else again
    return f"open, nobody has acknowledged it{again}"


def facts_of(view: View) -> list[tuple[str, str]]:
    """Return what is known of an incident as names and values, escaped for Slack."""
    incident, facts = view.incident, view.incident.facts
    if incident.scope == SELF:
        return [("Started", moment(incident.started_at))]
    fields = []
    if incident.family is Family.PERFORMANCE and view.members:
        fields += _performance_fields(view.members[0])
        share = f"{facts.labels / facts.rows:.0%} arrived" if facts.rows else "none"
        fields.append(("Labels", f"{share} (n={facts.labels:,})"))
        fields += _evidence_fields(view.members)
        fields += burn_facts(view.burn)
    else:
        fields.append(("Findings", f"{view.firing} now, {view.total} in all"))
        fields.append(("Rows", f"{facts.rows:,} in the newest window"))
    lasted = span(facts.window_end - incident.started_at)
    fields.append(("Started", f"{moment(incident.started_at)} ({lasted} of data)"))
    fields.append(("Newest window", f"until {moment(facts.window_end)}"))
    fields.append(("Version", str(facts.version)))
    return fields[:10]


def _fields(view: View) -> dict[str, Any]:
    return {"fields": [_mrkdwn(f"*{name}*\n{value}") for name, value in facts_of(view)]}


def _performance_fields(member: Member) -> list[tuple[str, str]]:
    reading = member.reading
    between = ""
    if reading.lower is not None and reading.upper is not None:
        between = f" (95% CI {number(reading.lower)} to {number(reading.upper)})"
    where = f", segment {words(member.segment, 60)}" if member.segment else ""
    value = f"{words(metric_name(member.metric), 60)} {number(reading.value)}{between}{where}"
    return [("Metric", value), ("Limit", number(reading.limit))]


def _evidence_fields(members: Sequence[Member]) -> list[tuple[str, str]]:
    """Say why it is no chance, and whether it is this model or its whole fleet."""
    surely = [each for each in members if each.check in DETECTORS and in_trouble(each)]
    surely.sort(key=lambda each: each.check != DECAY)
    return [("Evidence", words(surely[0].reading.reason, _REASON))] if surely else []


def findings_of(view: View) -> tuple[str, list[str]]:
    """Return the findings or likely causes, with their heading, escaped for Slack."""
    incident = view.incident
    if incident.family is Family.PERFORMANCE:
        causes = incident.facts.causes
        lines = [f"{code(cause.column)} {words(cause.reason)}" for cause in causes]
        hidden = incident.facts.causes_hidden
        title = "*Changed at the same time* (evidence, not proof)"
    else:
        current = [member for member in view.members if in_trouble(member)]
        lines = [_finding(member) for member in current[:_SHOWN_FINDINGS]]
        hidden = view.firing - len(lines)
        title = "*Findings*, worst first"
    numbered = [f"{place}. {line}" for place, line in enumerate(lines, start=1)]
    return title, [*numbered, *([f"+{hidden} more"] if lines and hidden > 0 else [])]


def _findings(view: View) -> list[dict[str, Any]]:
    title, lines = findings_of(view)
    return [_section(view, "findings", "\n".join([title, *lines]))] if lines else []


def _finding(member: Member) -> str:
    column = f"{code(member.column)} " if member.column else ""
    unknown = UNKNOWN.get(member.evaluability)
    doubt = f" ({unknown})" if member.evaluability is not Evaluability.OK and unknown else ""
    return f"{column}{words(member.reading.reason)}{doubt}"


def first_action(view: View) -> str:
    """Return what to do before anything else, escaped for Slack."""
    incident = view.incident
    if incident.state in (_STATE.RESOLVED, _STATE.CLOSED, _STATE.MERGED):
        return "Nothing." + (" Was this worth your time?" if view.interactive else "")
    if incident.family is Family.DATA_CONTRACT:
        names = ", ".join(code(name) for name in incident.columns[:3]) or "these columns"
        return (
            f"Ask the source of {names} what changed at {moment(incident.started_at)}. "
            "Until it is repaired, retraining would learn the fault."
        )
    if incident.family is Family.PIPELINE:
        if incident.scope == SELF:
            return "Look at the log of its workers: until it is repaired, models are not watched."
        return "Check that predictions and labels still reach the log."
    if incident.family is Family.PERFORMANCE:
        if any(cause.check != "drift" for cause in incident.facts.causes):
            return "Look at the broken columns above before anything else."
        return "Look at what changed above; the model's retrain policy decides by the loss."
    return "Nothing urgent: no loss has been measured. Look at it beside the next labels."


def _buttons(view: View) -> list[dict[str, Any]]:
    elements: list[dict[str, Any]] = []
    if view.interactive:
        elements += _responses(view.incident)
    if view.public_url:
        url = f"{view.public_url.rstrip('/')}/incidents/{view.incident.id}"
        elements.append(
            {
                "type": "button",
                "action_id": "incident.evidence",
                "text": _plain("Evidence"),
                "url": url,
            }
        )
    if not elements:
        return []
    return [{"type": "actions", "block_id": _block_id(view, "actions"), "elements": elements}]


def _responses(incident: Incident) -> list[dict[str, Any]]:
    value = f"{incident.id}.{incident.standing.revision}"

    def button(action: str, label: str, **more: Any) -> dict[str, Any]:
        return {
            "type": "button",
            "action_id": f"incident.{action}",
            "text": _plain(label),
            "value": value,
            **more,
        }

    if incident.state is _STATE.RESOLVED:
        return [button("useful", "Useful", style="primary"), button("noise", "Not useful")]
    if incident.state in (_STATE.CLOSED, _STATE.MERGED, _STATE.DISCARDED):
        return []
    snoozes = [("1 hour", "1h"), ("1 day", "1d"), ("Until next labels", "labels")]
    snoozes += [("Until next deploy", "deploy"), ("Until 25 % worse", "worse")]
    confirm = {
        "title": _plain("Start a retrain?"),
        "text": _plain("A new version is served only if it beats this one on the newest labels."),
        "confirm": _plain("Start"),
        "deny": _plain("Cancel"),
    }
    return [
        button("ack", "Acknowledge", style="primary"),
        {
            "type": "static_select",
            "action_id": "incident.snooze",
            "placeholder": _plain("Snooze"),
            "options": [
                {"text": _plain(label), "value": f"{value}.{key}"} for label, key in snoozes
            ],
        },
        button("retrain", "Retrain", confirm=confirm),
        button("noise", "Not useful"),
    ]


def _context(view: View) -> str:
    incident = view.incident
    parts = [
        f"{incident.name} rev {incident.standing.revision}",
        f"data as of {moment(incident.facts.window_end)}",
    ]
    if incident.continues is not None:
        parts.append(f"follows INC-{incident.continues:04d}")
    parts += [view.remark] if view.remark else []
    parts += [words(view.news)] if view.news else []
    return "  |  ".join(parts)


def _story(view: View) -> str:
    """Return all that matters in one paragraph: it is what screen readers and watches get."""
    incident = view.incident
    parts = [f"{_headline(incident)} {words(incident.model, 80)}: {words(incident.summary)}."]
    if incident.family is Family.PERFORMANCE and view.members:
        worst = view.members[0]
        parts = [
            f"{_headline(incident)} {words(incident.model, 80)}: "
            f"{words(metric_name(worst.metric), 60)} {against_limit(worst)}."
        ]
        causes = [f"{words(cause.column, 80)}" for cause in incident.facts.causes[:3]]
        parts += [f"Changed at the same time: {', '.join(causes)}."] if causes else []
    parts.append(f"Since {moment(incident.started_at)}; {_standing(incident)}.")
    parts.append(f"Owner {words(incident.owner.name, 80)}. {incident.name}.")
    parts += [f"({view.remark})"] if view.remark else []
    parts += [words(view.news)] if view.news else []
    return " ".join(parts)


def _link(view: View) -> str:
    if not view.public_url:
        return ""
    return escape(f"{view.public_url.rstrip('/')}/incidents/{view.incident.id}")


def _section(view: View, name: str, text: str) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "section", "block_id": _block_id(view, name)}
    if text:
        block["text"] = _mrkdwn(text if len(text) <= 3000 else text[:2999] + "…")
    return block


def _block_id(view: View, name: str) -> str:
    """Return a name that changes with each edit: Slack keeps the state of blocks by it."""
    return f"inc:{view.incident.id}:{view.incident.standing.revision}:{name}"


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": escape(text), "emoji": True}


def _mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text}
