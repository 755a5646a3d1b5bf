"""A team's digest: what it says, as sections of lines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Self

from alerts.block_kit import clean, escape
from alerts.message import Message
from alerts.story import Story

_SHOWN = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """Lines under a heading, the most important first; they are plain words."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Digest:
    """What a team is told on one of its days.

    Parameters
    ----------
    sections
        What needs somebody; empty when all is quiet.
    context
        What is good to know beside it, and once a week by itself.
    """

    team: str
    day: date
    headline: str
    sections: tuple[Section, ...] = ()
    context: tuple[Section, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the digest as plain JSON types."""
        return {
            "team": self.team,
            "day": self.day.isoformat(),
            "headline": self.headline,
            **{
                name: [[section.title, list(section.lines)] for section in getattr(self, name)]
                for name in ("sections", "context")
            },
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what ``to_dict`` wrote."""

        def read(name: str) -> tuple[Section, ...]:
            return tuple(Section(title=title, lines=tuple(lines)) for title, lines in data[name])

        return cls(
            team=data["team"],
            day=date.fromisoformat(data["day"]),
            headline=data["headline"],
            sections=read("sections"),
            context=read("context"),
        )

    @property
    def title(self) -> str:
        """Its heading: team and day."""
        return f"{self.team}, {self.day:%A} {self.day.day} {self.day:%B}: {self.headline}"


def render_digest(digest: Digest, *, public_url: str | None, remark: str = "") -> Message:
    """Return the digest for Slack."""
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": clean(digest.title, 140)}}
    ]
    for section in (*digest.sections, *digest.context):
        lines = [f"• {escape(clean(line, 240))}" for line in _capped(section)]
        text = "\n".join([f"*{escape(section.title)}*", *lines])
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": text}})
    notes = [remark] if remark else []
    notes += [escape(f"{public_url.rstrip('/')}/incidents")] if public_url else []
    if notes:
        note = {"type": "mrkdwn", "text": "  |  ".join(notes)}
        blocks.append({"type": "context", "elements": [note]})
    return Message(text=escape(_text(digest)), blocks=tuple(blocks))


def tell_digest(digest: Digest, *, public_url: str | None, remark: str = "") -> Story:
    """Return the digest for every other channel."""
    lines = [
        line
        for section in (*digest.sections, *digest.context)
        for line in (f"{section.title}:", *(f"- {clean(line, 240)}" for line in _capped(section)))
    ]
    title = clean(f"Digest of {digest.title}", 150)
    return Story(
        thread=f"digest-{digest.team}-{digest.day}",
        name="digest",
        severity="digest",
        topic=title,
        subject=title,
        text=clean(f"{title}. {remark}".strip(), 300),
        lines=tuple(lines),
        link=f"{public_url.rstrip('/')}/incidents" if public_url else "",
        details={"team": digest.team, "day": digest.day.isoformat()},
    )


def _capped(section: Section) -> list[str]:
    hidden = len(section.lines) - _SHOWN
    return [*section.lines[:_SHOWN], *([f"+{hidden} more"] if hidden > 0 else [])]


def _text(digest: Digest) -> str:
    said = [f"{part.title}: {'; '.join(part.lines[:3])}" for part in digest.sections]
    return clean(". ".join([f"Digest of {digest.title}", *said]), 2000)
