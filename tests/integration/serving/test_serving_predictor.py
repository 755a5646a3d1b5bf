from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from serving.artifact import LoadedModel
from serving.model import Record
from serving.spool import Spool
from watchkeeper.errors import (
    ArtifactError,
    CapacityError,
    NotFoundError,
    RecordError,
    TooLargeError,
)

FEATURES: dict[str, Any] = {"distance": 700.0, "hour": 20, "carrier": "UA"}


def test_it_answers_and_logs_what_it_answered(house: Any) -> None:
    house.deploy(house.register())
    predictor = house.predictor()
    earlier = house.clock.now() - timedelta(hours=3)

    first, second = predictor.predict(
        "flights",
        [
            Record(features=FEATURES, prediction_id="a", timestamp=earlier),
            Record(features=FEATURES | {"hour": 1, "distance": None, "carrier": "never seen"}),
        ],
    )

    assert (first.prediction_id, first.version, first.served_by) == ("a", 1, "champion:1")
    assert (first.y_pred, second.y_pred) == (1, 0)
    assert first.y_pred_proba > 0.5 > second.y_pred_proba
    house.ship()
    rows = {row["prediction_id"]: row for row in house.logged()}
    assert rows["a"]["timestamp"] == earlier
    assert rows["a"]["predicted_at"] == house.clock.now()
    assert rows["a"]["y_pred_proba"] == first.y_pred_proba
    unseen = rows[second.prediction_id]
    assert (unseen["distance"], unseen["carrier"]) == (None, "never seen")
    assert unseen["timestamp"] == house.clock.now()


def test_nothing_is_answered_that_cannot_be_logged(house: Any) -> None:
    house.deploy(house.register())
    house.spool.close()
    house.spool = Spool(house.home / "spool", max_rows=1, max_bytes=10**6)
    predictor = house.predictor()
    predictor.predict("flights", [Record(features=FEATURES)])

    with pytest.raises(CapacityError):
        predictor.predict("flights", [Record(features=FEATURES)])

    house.ship()
    predictor.predict("flights", [Record(features=FEATURES)])


def test_a_version_may_be_pinned(house: Any) -> None:
    house.register(seed=1)
    house.deploy(house.register(seed=2))
    predictor = house.predictor()

    (pinned,) = predictor.predict("flights", [Record(features=FEATURES)], version=1)
    (champion,) = predictor.predict("flights", [Record(features=FEATURES)])

    assert (pinned.version, pinned.served_by) == (1, "pinned:1")
    assert (champion.version, champion.served_by) == (2, "champion:2")
    assert pinned.y_pred_proba != champion.y_pred_proba
    with pytest.raises(NotFoundError, match="no version of flights '7'; there is: 1, 2"):
        predictor.predict("flights", [Record(features=FEATURES)], version=7)


def test_an_unknown_model_is_named_with_those_that_are_known(house: Any) -> None:
    house.deploy(house.register())

    with pytest.raises(NotFoundError, match="no model 'flihgts'; there is: flights"):
        house.predictor().predict("flihgts", [Record(features=FEATURES)])


def test_too_many_records_are_refused(house: Any) -> None:
    house.deploy(house.register())

    with pytest.raises(TooLargeError):
        house.predictor(max_records=2).predict("flights", [Record(features=FEATURES)] * 3)


def test_a_refresh_follows_the_ledger_and_a_rollback_loads_nothing(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = house.register(seed=1), house.register(seed=2)
    house.deploy(first)
    predictor = house.predictor()
    house.deploy(second)
    assert predictor.refresh().models == {"flights": 2}

    monkeypatch.setattr(house.artifacts, "open", None)
    house.deploy(first)

    assert predictor.refresh().models == {"flights": 1}
    assert predictor.readiness().ready


def test_a_version_that_cannot_be_loaded_leaves_the_old_one_serving(house: Any) -> None:
    house.deploy(house.register(seed=1))
    predictor = house.predictor()
    broken = house.register(seed=2)
    (path,) = Path(house.home / "artifacts").rglob(f"{broken.artifact_sha256}/files/self_test.json")
    content = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(content.replace(b"0.", b"1.", 1))
    house.deploy(broken)

    readiness = predictor.refresh()

    assert readiness.models == {"flights": 1}
    assert "self_test.json was altered" in readiness.problems["flights"]
    assert readiness.ready
    assert predictor.predict("flights", [Record(features=FEATURES)])[0].version == 1
    with pytest.raises(ArtifactError):
        predictor.predict("flights", [Record(features=FEATURES)], version=2)

    path.write_bytes(content)
    assert predictor.refresh().models == {"flights": 2}
    assert predictor.readiness().problems == {}


def test_a_first_version_that_cannot_be_loaded_is_not_ready(house: Any) -> None:
    version = house.register()
    house.deploy(version)
    next(Path(house.home / "artifacts").rglob("model.onnx")).unlink()

    readiness = house.predictor().readiness()

    assert not readiness.ready
    assert "model.onnx is missing" in readiness.problems["flights"]


def test_requests_of_several_callers_are_answered_together_and_each_gets_its_own(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.deploy(house.register(fast=False))
    predictor = house.predictor()
    expected = {
        hour: predictor.predict("flights", [Record(features=FEATURES | {"hour": hour})])[0]
        for hour in range(24)
    }
    sizes = []
    score = LoadedModel.score

    def counted(self: LoadedModel, columns: Any) -> Any:
        sizes.append(len(columns["hour"]))
        return score(self, columns)

    monkeypatch.setattr(LoadedModel, "score", counted)

    def ask(hour: int) -> Any:
        return predictor.predict("flights", [Record(features=FEATURES | {"hour": hour})])[0]

    with ThreadPoolExecutor(16) as pool:
        hours = [number % 24 for number in range(240)]
        answers = list(pool.map(ask, hours))

    assert [a.y_pred_proba for a in answers] == [expected[hour].y_pred_proba for hour in hours]
    assert sum(sizes) == 240
    assert max(sizes) > 1


def test_a_record_that_the_model_cannot_take_fails_alone_and_is_named(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.deploy(house.register(fast=False))
    predictor = house.predictor()
    score = LoadedModel.score

    def picky(self: LoadedModel, columns: Any) -> Any:
        if 13.5 in columns["hour"]:
            raise ArithmeticError("unlucky")
        return score(self, columns)

    monkeypatch.setattr(LoadedModel, "score", picky)
    records = [Record(features=FEATURES | {"hour": hour}) for hour in (1, 2, 13.5, 4)]
    with pytest.raises(RecordError, match=r"records\[2\]: expected values that the model can take"):
        predictor.predict("flights", records)

    outcomes: list[Any] = []

    def ask(hour: float) -> None:
        try:
            outcomes.append(
                predictor.predict("flights", [Record(features=FEATURES | {"hour": hour})])
            )
        except RecordError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=ask, args=(hour,)) for hour in [13.5, 1.0] * 20]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert sum(isinstance(outcome, RecordError) for outcome in outcomes) == 20
    assert sum(isinstance(outcome, list) for outcome in outcomes) == 20


def test_a_model_that_fails_altogether_is_not_blamed_on_the_record(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.deploy(house.register())
    predictor = house.predictor()

    def broken(self: LoadedModel, columns: Any) -> Any:
        raise MemoryError("no room")

    monkeypatch.setattr(LoadedModel, "score", broken)
    with pytest.raises(ArtifactError, match="version 1 of flights fails: MemoryError"):
        predictor.predict("flights", [Record(features=FEATURES)])


def test_predictions_made_elsewhere_are_logged_once(house: Any) -> None:
    house.deploy(house.register())
    predictor = house.predictor()
    body = json.dumps(
        {"predictions": [{"prediction_id": "x", "features": FEATURES, "y_pred_proba": 0.9}]}
    ).encode()

    for _ in range(2):
        assert predictor.log_predictions("flights", body) == 1
        house.ship()

    (row,) = house.logged()
    assert (row["y_pred"], row["y_pred_proba"], row["served_by"]) == (1, 0.9, "elsewhere")
