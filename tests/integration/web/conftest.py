"""The application over a told story, and browsers with and without tokens."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine, create_engine, text

import web_history as story
from service.web.app import create_app
from service.web.context import COOKIE, Web
from service.web.tokens import Role, Tokens
from watchkeeper.database import make_engine, write


@pytest.fixture(scope="session")
def sqlite_template(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tell the story once; every test gets a copy of it."""
    path = tmp_path_factory.mktemp("told") / "watchkeeper.db"
    shutil.copy(sqlite_template, path)
    engine = make_engine(f"sqlite:///{path}")
    story.put_in_place(engine, path.parent)
    with engine.connect() as connection:
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def postgres_template(
    postgres_server: str,
    postgres_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    """Tell the story once; every test gets a copy of it."""
    server = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE told TEMPLATE {postgres_template}"))
    server.dispose()
    engine = make_engine(postgres_server.replace("@/postgres?", "@/told?"))
    story.put_in_place(engine, tmp_path_factory.mktemp("told"))
    engine.dispose()
    return "told"


@pytest.fixture
def web(engine: Engine) -> Web:
    return story.make_web(engine)


@pytest.fixture
def app(web: Web) -> Litestar:
    return create_app(web, registry=CollectorRegistry())


@pytest.fixture
def guarded(web: Web) -> Litestar:
    return create_app(replace(web, local_viewer=False), registry=CollectorRegistry())


@pytest.fixture
def seen_from() -> Callable[[str, Litestar], Any]:
    """Let an application see its requests come from an address."""

    def wrap(host: str, app: Litestar) -> Any:
        async def wrapped(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                scope["client"] = (host, 1234)
            await app(scope, receive, send)

        return wrapped

    return wrap


@pytest.fixture
def client(app: Litestar, seen_from: Callable[[str, Litestar], Any]) -> Iterator[TestClient[Any]]:
    with TestClient(seen_from("127.0.0.1", app), base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture
def tokens(engine: Engine) -> dict[Role, str]:
    with write(engine) as session:
        return {role: Tokens(session).issue(str(role), role) for role in Role}


@pytest.fixture
def signed_in(
    guarded: Litestar, tokens: dict[Role, str]
) -> Iterator[Callable[[Role], TestClient[Litestar]]]:
    with TestClient(guarded, base_url="http://127.0.0.1") as client:

        def sign_in(role: Role) -> TestClient[Litestar]:
            client.cookies.set(COOKIE, tokens[role])
            return client

        yield sign_in
