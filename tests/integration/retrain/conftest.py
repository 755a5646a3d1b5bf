"""A deployed champion on both databases, and the files that it needs."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from retraining import World, build_world, deploy
from watchkeeper.database import write


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return build_world(tmp_path_factory.mktemp("project"))


@pytest.fixture
def deployed(engine: Engine, world: World) -> Engine:
    with write(engine) as session:
        deploy(session, world)
    return engine


@pytest.fixture
def deployed_sqlite(sqlite_engine: Engine, world: World) -> Engine:
    with write(sqlite_engine) as session:
        deploy(session, world)
    return sqlite_engine
