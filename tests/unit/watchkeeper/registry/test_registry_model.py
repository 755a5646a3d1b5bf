from __future__ import annotations

from datetime import UTC, datetime

import pytest

from watchkeeper.errors import InputError
from watchkeeper.registry.model import (
    Deployment,
    refuse_unusable_names,
    rollback_target,
    same_log,
)
from watchkeeper.schema import RESERVED_COLUMNS, Column, ColumnKind, FeatureSchema, Task


def signature(*names: str, kind: ColumnKind = ColumnKind.NUMERICAL) -> FeatureSchema:
    return FeatureSchema(
        columns=tuple(Column(name=name, kind=kind) for name in names),
        target="delayed",
        task=Task.BINARY,
        classes=("0", "1"),
    )


def line(generation: int, version: int) -> Deployment:
    return Deployment(
        model="flights",
        generation=generation,
        version=version,
        decided_by="ann",
        reason="better",
        at=datetime(2013, 6, generation, tzinfo=UTC),
    )


@pytest.mark.parametrize("name", sorted(RESERVED_COLUMNS))
def test_it_refuses_a_feature_with_a_name_of_the_logs_own(name: str) -> None:
    with pytest.raises(InputError, match="reserved for the prediction log"):
        refuse_unusable_names(signature("distance", name))


def test_it_refuses_a_reserved_name_in_capitals() -> None:
    with pytest.raises(InputError, match="'Timestamp'"):
        refuse_unusable_names(signature("Timestamp"))


def test_it_refuses_features_that_differ_only_in_case() -> None:
    with pytest.raises(InputError, match="'hour': there is 'Hour' already"):
        refuse_unusable_names(signature("Hour", "hour"))


def test_it_refuses_a_nameless_feature() -> None:
    with pytest.raises(InputError, match="no name"):
        refuse_unusable_names(signature(" "))


def test_the_order_of_features_makes_no_other_log() -> None:
    assert same_log(signature("a", "b"), signature("b", "a"))


def test_another_feature_or_kind_makes_another_log() -> None:
    assert not same_log(signature("a"), signature("a", "b"))
    assert not same_log(signature("a"), signature("a", kind=ColumnKind.CATEGORICAL))


def test_a_rollback_goes_to_the_champion_before_the_present_one() -> None:
    assert rollback_target([line(1, 1), line(2, 2), line(3, 3), line(4, 3)]) == 2


def test_a_rollback_of_a_rollback_comes_back() -> None:
    assert rollback_target([line(1, 1), line(2, 2), line(3, 1)]) == 2


def test_there_is_nothing_to_roll_back_to_at_first() -> None:
    assert rollback_target([]) is None
    assert rollback_target([line(1, 1), line(2, 1)]) is None


def test_an_alias_names_a_version() -> None:
    deployment = line(1, 7)

    assert deployment.alias("champion") == 7
    assert deployment.alias("challenger") is None
