from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from watchkeeper.database import read, write
from watchkeeper.errors import ConflictError, InputError, NotFoundError
from watchkeeper.registry.model import ModelVersion
from watchkeeper.registry.repository import Deployments, ModelVersions
from watchkeeper.schema import Column, ColumnKind, FeatureSchema, Task

NOON = datetime(2013, 6, 1, 12, tzinfo=UTC)


def signature(*names: str) -> FeatureSchema:
    return FeatureSchema(
        columns=tuple(Column(name=name, kind=ColumnKind.NUMERICAL) for name in names),
        target="delayed",
        task=Task.BINARY,
        classes=("0", "1"),
    )


def add(session: Session, name: str = "flights", *features: str) -> ModelVersion:
    return ModelVersions(session).add(
        name=name,
        schema=signature(*(features or ("distance",))),
        artifact_sha256="a" * 64,
        artifact_format="onnx",
        metrics={"roc_auc": 0.71},
        at=NOON,
    )


def append(session: Session, version: int, **more: object) -> int:
    deployment = Deployments(session).append(
        "flights",
        version,
        decided_by="ann",
        reason="better",
        at=NOON,
        **more,  # type: ignore[arg-type]
    )
    return deployment.generation


def test_versions_are_numbered_from_one_for_each_model(engine: Engine) -> None:
    with write(engine) as session:
        numbers = [add(session, name).version for name in ("flights", "flights", "hotels")]

    assert numbers == [1, 2, 1]


def test_a_version_is_read_back_as_it_was_added(engine: Engine) -> None:
    with write(engine) as session:
        added = add(session)

    with read(engine) as session:
        versions = ModelVersions(session)
        assert versions.get("flights", 1) == added
        assert versions.latest("flights") == added
        assert versions.of("flights") == [added]
        assert versions.names() == ["flights"]
        assert versions.latest("hotels") is None
    assert added.created_at == NOON
    assert added.metrics == {"roc_auc": 0.71}


def test_versions_with_the_same_features_share_a_generation(engine: Engine) -> None:
    with write(engine) as session:
        added = [
            add(session, "flights", *features)
            for features in (("a", "b"), ("b", "a"), ("a", "b", "c"), ("a", "b"))
        ]

    assert [version.generation for version in added] == [1, 1, 2, 1]


def test_it_refuses_a_reserved_feature_name(engine: Engine) -> None:
    with write(engine) as session, pytest.raises(InputError, match="'day'"):
        add(session, "flights", "day")


def test_an_unknown_version_is_answered_with_the_known_ones(engine: Engine) -> None:
    with write(engine) as session:
        add(session)

    with read(engine) as session:
        with pytest.raises(NotFoundError, match="no version of flights '3'; there is: 1"):
            ModelVersions(session).get("flights", 3)
        with pytest.raises(NotFoundError, match="no model 'hotels'; there is: flights"):
            ModelVersions(session).get("hotels", 1)


def test_versions_registered_at_once_get_numbers_of_their_own(engine: Engine) -> None:
    numbers: list[int] = []
    start = threading.Barrier(4)

    def register() -> None:
        start.wait()
        for _ in range(3):
            with write(engine) as session:
                numbers.append(add(session).version)

    writers = [threading.Thread(target=register) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    assert sorted(numbers) == list(range(1, 13))


def test_the_newest_line_of_the_ledger_is_in_force(engine: Engine) -> None:
    with write(engine) as session:
        add(session), add(session)
        append(session, 1)
        append(session, 2)

    with read(engine) as session:
        ledger = Deployments(session)
        current = ledger.current("flights")
        assert current is not None
        assert (current.generation, current.version) == (2, 2)
        assert [line.version for line in ledger.history("flights")] == [1, 2]
        assert ledger.current("hotels") is None


def test_every_deployed_model_has_one_line_in_force(engine: Engine) -> None:
    with write(engine) as session:
        add(session), add(session, "hotels"), add(session, "undeployed")
        append(session, 1)
        append(session, 1)
        Deployments(session).append("hotels", 1, decided_by="bob", reason="first", at=NOON)

    with read(engine) as session:
        lines = Deployments(session).all_current()

    assert [(line.model, line.generation) for line in lines] == [("flights", 2), ("hotels", 1)]


def test_aliases_follow_the_ledger(engine: Engine) -> None:
    with write(engine) as session:
        add(session), add(session)
        append(session, 1, challenger=2, weight=0.05)

    with read(engine) as session:
        ledger = Deployments(session)
        assert ledger.resolve("flights", "champion").version == 1
        assert ledger.resolve("flights", "challenger").version == 2
        with pytest.raises(NotFoundError, match="no champion of model 'hotels'"):
            ledger.resolve("hotels", "champion")


def test_a_decision_made_on_an_old_state_is_refused(engine: Engine) -> None:
    with write(engine) as session:
        add(session), add(session)
        append(session, 1, after=0)
        append(session, 2, after=1)

        with pytest.raises(ConflictError, match="changed in the meantime"):
            append(session, 1, after=1)
        assert append(session, 1, after=2) == 3


def test_the_second_of_two_who_write_the_same_generation_is_refused(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with write(engine) as session:
        add(session)
        append(session, 1)

    with write(engine) as session:
        # What it sees when the other has committed between its reading and its writing.
        monkeypatch.setattr(Deployments, "_newest_generation", lambda *_: 0)
        with pytest.raises(ConflictError, match="changed in the meantime"):
            append(session, 1)
        monkeypatch.undo()
        assert append(session, 1) == 2


def test_an_unknown_version_is_not_deployed(engine: Engine) -> None:
    with write(engine) as session:
        add(session)
        with pytest.raises(NotFoundError):
            append(session, 2)
        with pytest.raises(NotFoundError):
            append(session, 1, challenger=2)


@pytest.mark.parametrize(
    "more", [{"challenger": 1}, {"weight": 0.5}, {"challenger": 2, "weight": 1.5}]
)
def test_a_deployment_that_makes_no_sense_is_refused(
    engine: Engine, more: dict[str, float]
) -> None:
    with write(engine) as session:
        add(session), add(session)
        with pytest.raises(ValueError, match="expected a weight"):
            append(session, 1, **more)


def test_the_database_itself_refuses_a_deployment_of_nothing(engine: Engine) -> None:
    statement = text(
        "INSERT INTO deployments (model, generation, version, weight, decided_by, reason, at)"
        " VALUES ('flights', 1, 9, 0, 'ann', 'why', '2013-06-01')"
    )
    with pytest.raises(IntegrityError), write(engine) as session:
        session.execute(statement)
