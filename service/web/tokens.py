"""Access tokens: who may see and who may act; only their hashes are stored."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sqlalchemy import Engine, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service.web.repository import TokenRow
from watchkeeper.database import database_now, read, write
from watchkeeper.errors import ConflictError, NotFoundError

_PREFIX = "wk_"
_BYTES = 32


class Role(StrEnum):
    """What a token allows; each role may do all that the ones before it may."""

    VIEWER = "viewer"
    RESPONDER = "responder"
    OPERATOR = "operator"
    ADMIN = "admin"

    def covers(self, needed: Role) -> bool:
        """Return whether this role may do what ``needed`` may.

        Examples
        --------
        >>> Role.OPERATOR.covers(Role.VIEWER), Role.VIEWER.covers(Role.RESPONDER)
        (True, False)
        """
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """Who is asking; ``token`` is False for a reader who was let in without one."""

    name: str
    role: Role
    token: bool = True


#: Tells who a token belongs to; None for one that is unknown or revoked.
Authorise = Callable[[str], Identity | None]


class Tokens:
    """The tokens that one session sees; the caller commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def issue(self, name: str, role: Role) -> str:
        """Make a token and return it; it cannot be shown again.

        Raises
        ------
        ConflictError
            A token of this name is valid.
        """
        token = _PREFIX + secrets.token_urlsafe(_BYTES)
        row = TokenRow(
            hash=_digest(token),
            role=str(role),
            name=name,
            created_at=database_now(self._session),
        )
        # A savepoint keeps the caller's transaction usable when the name is taken.
        try:
            with self._session.begin_nested():
                self._session.add(row)
        except IntegrityError as exc:
            raise ConflictError(f"a token named {name!r} is valid; revoke it first") from exc
        return token

    def revoke(self, name: str) -> None:
        """End the token of this name at once.

        Raises
        ------
        NotFoundError
            No valid token has this name.
        """
        revoked = self._session.execute(
            update(TokenRow)
            .where(TokenRow.name == name, TokenRow.revoked_at.is_(None))
            .values(revoked_at=database_now(self._session))
            .returning(TokenRow.hash)
        ).all()
        if not revoked:
            raise NotFoundError("token", name, known=[known for known, _ in self.valid()])

    def valid(self) -> list[tuple[str, Role]]:
        """Return the names and roles of all valid tokens, by name."""
        rows = self._session.execute(
            select(TokenRow.name, TokenRow.role)
            .where(TokenRow.revoked_at.is_(None))
            .order_by(TokenRow.name)
        )
        return [(name, Role(role)) for name, role in rows]

    def identify(self, token: str) -> Identity | None:
        """Return whose token this is; None when it is unknown or revoked."""
        digest = _digest(token)
        row = self._session.get(TokenRow, digest)
        if row is None or row.revoked_at is not None or not hmac.compare_digest(row.hash, digest):
            return None
        return Identity(name=row.name, role=Role(row.role))


def token_authoriser(engine: Engine) -> Authorise:
    """Return the authoriser that looks tokens up in the database."""

    def authorise(token: str) -> Identity | None:
        with read(engine) as session:
            return Tokens(session).identify(token)

    return authorise


def ensure_token_file(engine: Engine, path: Path, *, name: str = "admin") -> str:
    """Return the administrator's token from its file, making it anew where it is not valid.

    The file can be read by its owner only.
    """
    if path.is_file():
        token = path.read_text(encoding="ascii", errors="replace").strip()
        with read(engine) as session:
            if Tokens(session).identify(token) is not None:
                return token
    with write(engine) as session:
        tokens = Tokens(session)
        if any(known == name for known, _ in tokens.valid()):
            tokens.revoke(name)
        token = tokens.issue(name, Role.ADMIN)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{token}\n")
    return token


def _digest(token: str) -> str:
    # Tokens are 256 random bits: a slow hash would protect nothing that this one does not.
    return hashlib.sha256(token.encode()).hexdigest()
