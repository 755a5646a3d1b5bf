"""The form behind "Not useful": what it asks, and what was chosen in it; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alerts.block_kit import clean, code, words
from alerts.model import Incident, Verdict

#: Names the form; what is sent back carries it.
CALLBACK = "incident.not_useful"
#: Button that asks, rather than does.
ASKS = "noise"
#: Where an answer is to be put right.
FIELD = "reason"
_CHOICE = "choice"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """One answer of the form.

    Parameters
    ----------
    verdict
        What it says of the rule; None where it says nothing of it.
    """

    label: str
    explanation: str
    verdict: Verdict | None


REASONS: Mapping[str, Reason] = {
    "noise": Reason(
        label="Too sensitive",
        explanation="It did not matter. This counts against the rule.",
        verdict=Verdict.NOISE,
    ),
    "known": Reason(
        label="A known change",
        explanation="Somebody meant this to happen.",
        verdict=Verdict.KNOWN,
    ),
    "data_bug": Reason(
        label="A fault in the data",
        explanation="The input was broken, not the model.",
        verdict=Verdict.DATA_BUG,
    ),
    "not_mine": Reason(
        label="Not my area",
        explanation="Somebody else should be told. This does not count against the rule.",
        verdict=None,
    ),
}


def not_useful(incident: Incident, value: str) -> dict[str, Any]:
    """Return the form about an incident, as Slack's modal.

    Parameters
    ----------
    value
        That of the button, which comes back with the answer.
    """
    about = f"{incident.name} · {code(incident.model)}\n{words(incident.summary, 500)}"
    options = [
        {
            "text": _plain(reason.label),
            "description": _plain(reason.explanation),
            "value": name,
        }
        for name, reason in REASONS.items()
    ]
    return {
        "type": "modal",
        "callback_id": CALLBACK,
        "private_metadata": clean(value, 100),
        "title": _plain("Not useful"),
        "submit": _plain("Send"),
        "close": _plain("Cancel"),
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": about}},
            {
                "type": "input",
                "block_id": FIELD,
                "label": _plain("Why was it of no use?"),
                "element": {"type": "radio_buttons", "action_id": _CHOICE, "options": options},
            },
        ],
    }


def chosen(view: Mapping[str, Any]) -> str:
    """Return what was chosen in a form that was sent back; "" for nothing that it offers.

    Examples
    --------
    >>> state = {"values": {"reason": {"choice": {"selected_option": {"value": "known"}}}}}
    >>> chosen({"state": state}), chosen({"state": {"values": []}})
    ('known', '')
    """
    found: Any = view
    for name in ("state", "values", FIELD, _CHOICE, "selected_option", "value"):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, str) and found in REASONS else ""


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}
