"""Who may press which button: Slack users that are linked to a role here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from alerts.rows import SlackLinkRow
from monitor.upsert import upsert
from watchkeeper.errors import NotFoundError

#: What each button asks for; every other asks for the lowest role.
NEEDS: Mapping[str, str] = {"retrain": "operator"}
#: From the lowest to the highest.
ROLES = ("viewer", "responder", "operator", "admin")
_LOWEST = "responder"


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """A Slack user and who that is here."""

    user: str
    name: str
    role: str


class SlackLinks:
    """The links that one session sees; the caller commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, link: Link, *, by: str, at: datetime) -> None:
        """Link a Slack user, or change the link."""
        row = {"user": link.user, "name": link.name, "role": link.role, "linked_by": by}
        upsert(self._session, SlackLinkRow, [{**row, "linked_at": at}])

    def remove(self, user: str) -> None:
        """Unlink a Slack user.

        Raises
        ------
        NotFoundError
            There is no such link.
        """
        if self._session.get(SlackLinkRow, user) is None:
            raise NotFoundError("link", user, known=[link.user for link in self.all()])
        self._session.execute(delete(SlackLinkRow).where(SlackLinkRow.user == user))

    def all(self) -> list[Link]:
        """Return all links, by user."""
        rows = self._session.scalars(select(SlackLinkRow).order_by(SlackLinkRow.user))
        return [Link(user=row.user, name=row.name, role=row.role) for row in rows]


@dataclass(frozen=True, kw_only=True, slots=True)
class Permission:
    """Which presses are obeyed.

    Parameters
    ----------
    linked_only
        Whether only linked users may press; so it is too once there is any link.
    roles
        Links that the settings make: role by Slack user.
    """

    linked_only: bool = False
    roles: Mapping[str, str] = field(default_factory=dict)

    def judge(self, session: Session, user: str, action: str) -> tuple[str | None, str | None]:
        """Return the name of a linked user, and why the press is refused; None where neither.

        A user of the channel who is not linked may press while nobody is linked at all.
        """
        links = {user: Link(user=user, name="", role=role) for user, role in self.roles.items()}
        links |= {link.user: link for link in SlackLinks(session).all()}
        needed = NEEDS.get(action, _LOWEST)
        link = links.get(user)
        if link is None:
            if not links and not self.linked_only:
                return None, None
            hint = f"`watchkeeper slack link {user} --role {needed}`"
            return None, f"you are not linked to anybody here. An administrator can run {hint}"
        if ROLES.index(link.role) < ROLES.index(needed):
            return link.name or None, f"it needs the role {needed}, and you have {link.role}"
        return link.name or None, None
