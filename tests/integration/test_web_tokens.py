from __future__ import annotations

import stat
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from service.web.repository import TokenRow
from service.web.tokens import Identity, Role, Tokens, ensure_token_file, token_authoriser
from watchkeeper.database import read, write
from watchkeeper.errors import ConflictError, NotFoundError


def test_a_token_tells_whose_it_is_until_it_is_revoked(engine: Engine) -> None:
    with write(engine) as session:
        token = Tokens(session).issue("ana", Role.RESPONDER)
    authorise = token_authoriser(engine)
    assert authorise(token) == Identity(name="ana", role=Role.RESPONDER)
    assert authorise(token + "x") is None
    with write(engine) as session:
        Tokens(session).revoke("ana")
    assert authorise(token) is None


def test_only_the_hash_of_a_token_is_stored(engine: Engine) -> None:
    with write(engine) as session:
        token = Tokens(session).issue("ana", Role.VIEWER)
    with read(engine) as session:
        row = session.scalars(select(TokenRow)).one()
    assert token not in (row.hash, row.name)
    assert len(row.hash) == 64


def test_a_name_has_one_valid_token_and_may_get_another_after_it_was_revoked(
    engine: Engine,
) -> None:
    with write(engine) as session:
        tokens = Tokens(session)
        tokens.issue("ana", Role.VIEWER)
        with pytest.raises(ConflictError, match="'ana' is valid"):
            tokens.issue("ana", Role.ADMIN)
        tokens.revoke("ana")
        tokens.issue("ana", Role.ADMIN)
        assert tokens.valid() == [("ana", Role.ADMIN)]
        with pytest.raises(NotFoundError, match="there is: ana"):
            tokens.revoke("bob")


def test_the_first_token_is_written_once_to_a_file_that_only_its_owner_reads(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    path = tmp_path / "state" / "admin-token"
    token = ensure_token_file(sqlite_engine, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert ensure_token_file(sqlite_engine, path) == token
    assert token_authoriser(sqlite_engine)(token) == Identity(name="admin", role=Role.ADMIN)


@pytest.mark.parametrize("content", ["", "wk_unknown", "\xff\xfe"])
def test_a_token_file_that_does_not_hold_a_valid_token_is_written_anew(
    sqlite_engine: Engine, tmp_path: Path, content: str
) -> None:
    path = tmp_path / "admin-token"
    old = ensure_token_file(sqlite_engine, path)
    path.write_text(content, encoding="latin-1")
    new = ensure_token_file(sqlite_engine, path)
    authorise = token_authoriser(sqlite_engine)
    assert authorise(new) is not None
    assert authorise(old) is None
