from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from serving.artifact import load, save
from serving.artifact.model import Prediction
from serving.artifact.self_test import difference
from serving.frame import to_frame
from watchkeeper.errors import ArtifactError, TrainingError
from watchkeeper.schema import Column, ColumnKind, FeatureSchema, Task

ROWS = 400
COLUMNS = (
    Column(name="distance in km", kind=ColumnKind.NUMERICAL, nullable=True),
    Column(name="hour", kind=ColumnKind.NUMERICAL, nullable=False),
    Column(
        name="carrier", kind=ColumnKind.CATEGORICAL, nullable=False, categories=("AA", "B6", "UA")
    ),
)


def schema(task: Task = Task.BINARY, classes: tuple[str, ...] = ("0", "1")) -> FeatureSchema:
    return FeatureSchema(columns=COLUMNS, target="late", task=task, classes=classes)


def rows() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    distance = rng.normal(1000, 300, ROWS)
    distance[::9] = np.nan
    frame = pd.DataFrame(
        {
            "distance in km": distance,
            "hour": rng.integers(0, 24, ROWS),
            "carrier": rng.choice(["AA", "B6", "UA"], ROWS),
        }
    )
    return to_frame(schema(), frame)


def late(frame: pd.DataFrame) -> pd.Series[Any]:
    noise = np.random.default_rng(2).normal(0, 4, len(frame))
    return ((frame["hour"] + 5 * (frame["carrier"] == "B6") + noise) > 13).astype(int)


def prepared(last: Any) -> Any:
    return make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(), StandardScaler()), ["distance in km", "hour"]),
            (OneHotEncoder(handle_unknown="ignore"), ["carrier"]),
        ),
        last,
    )


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        (prepared(LogisticRegression()), "onnx"),
        (prepared(RandomForestClassifier(10, random_state=0)), "onnx"),
        (prepared(GradientBoostingClassifier(n_estimators=10)), "onnx"),
        (prepared(DecisionTreeClassifier(max_depth=4)), "onnx"),
        (prepared(MLPClassifier((4,), max_iter=600, random_state=0, tol=1e-2)), "onnx"),
        (prepared(KNeighborsClassifier()), "skops"),
        (prepared(CalibratedClassifierCV(LogisticRegression())), "skops"),
        (HistGradientBoostingClassifier(max_iter=10, categorical_features="from_dtype"), "skops"),
        (
            make_pipeline(
                make_column_transformer(
                    (
                        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
                        make_column_selector(dtype_include="category"),
                    ),
                    remainder="passthrough",
                ),
                HistGradientBoostingClassifier(max_iter=10),
            ),
            "skops",
        ),
    ],
    ids=lambda value: str(value)[-30:],
)
def test_a_loaded_model_answers_like_the_estimator_that_was_saved(
    estimator: Any, expected: str, tmp_path: Path
) -> None:
    frame = rows()
    estimator.fit(frame, late(frame))

    assert save(estimator, schema(), frame, tmp_path) == expected

    answer = load(tmp_path, schema()).predict(frame)
    assert answer.y_pred.dtype == np.int64
    np.testing.assert_array_equal(answer.y_pred, estimator.predict(frame))
    assert answer.y_pred_proba is not None
    np.testing.assert_allclose(answer.y_pred_proba, estimator.predict_proba(frame)[:, 1], atol=1e-5)


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        (prepared(LinearRegression()), "onnx"),
        (prepared(RandomForestRegressor(10, random_state=0)), "onnx"),
        (HistGradientBoostingRegressor(max_iter=10, categorical_features="from_dtype"), "skops"),
    ],
)
def test_regression_gives_numbers_and_no_probability(
    estimator: Any, expected: str, tmp_path: Path
) -> None:
    frame = rows()
    estimator.fit(frame, frame["hour"] * 2.5)

    assert save(estimator, schema(Task.REGRESSION, ()), frame, tmp_path) == expected

    answer = load(tmp_path).predict(frame)
    assert answer.y_pred_proba is None
    np.testing.assert_allclose(answer.y_pred, estimator.predict(frame), atol=1e-3)


@pytest.mark.parametrize("last", [LogisticRegression(), HistGradientBoostingClassifier(max_iter=5)])
def test_multiclass_probabilities_follow_the_order_of_the_schema(last: Any, tmp_path: Path) -> None:
    frame = rows()
    label = np.where(frame["hour"] < 8, "early", np.where(frame["hour"] < 16, "noon", "late"))
    estimator = prepared(last).fit(frame, label)
    ordered = schema(Task.MULTICLASS, ("noon", "late", "never", "early"))

    save(estimator, ordered, frame, tmp_path)

    answer = load(tmp_path).predict(frame)
    own = estimator.predict_proba(frame)
    assert answer.y_pred_proba is not None
    np.testing.assert_allclose(answer.y_pred_proba[:, 0], own[:, 2], atol=1e-5)
    np.testing.assert_allclose(answer.y_pred_proba[:, 3], own[:, 0], atol=1e-5)
    assert not answer.y_pred_proba[:, 2].any()
    assert answer.y_pred.tolist() == estimator.predict(frame).tolist()


def test_a_threshold_of_the_estimators_own_decides_the_label(tmp_path: Path) -> None:
    frame = rows()
    estimator = FixedThresholdClassifier(
        prepared(LogisticRegression()), threshold=0.8, response_method="predict_proba"
    ).fit(frame, late(frame))

    assert save(estimator, schema(), frame, tmp_path) == "skops"

    answer = load(tmp_path).predict(frame)
    np.testing.assert_array_equal(answer.y_pred, estimator.predict(frame))
    assert ((answer.y_pred_proba > 0.5) & (answer.y_pred == 0)).any()  # type: ignore[operator]


def test_text_goes_through_a_vectoriser(tmp_path: Path) -> None:
    text = FeatureSchema(
        columns=(Column(name="title", kind=ColumnKind.TEXT, nullable=False),),
        target="spam",
        task=Task.BINARY,
        classes=("no", "yes"),
    )
    frame = pd.DataFrame({"title": ["buy now", "hello friend", "buy this", "see you"] * 10})
    estimator = make_pipeline(
        make_column_transformer((TfidfVectorizer(), "title")), LogisticRegression()
    ).fit(frame, ["yes", "no"] * 20)

    save(estimator, text, frame, tmp_path)

    assert load(tmp_path).score({"title": ["buy it now"]}).y_pred.tolist() == [1]


def test_plain_numbers_are_taken_as_one_matrix(tmp_path: Path) -> None:
    frame = rows()[["hour"]]
    hour = FeatureSchema(
        columns=(Column(name="hour", kind=ColumnKind.NUMERICAL, nullable=False),),
        target="late",
        task=Task.BINARY,
        classes=("0", "1"),
    )
    estimator = GradientBoostingClassifier(n_estimators=5).fit(frame, late(rows()))

    assert save(estimator, hour, frame, tmp_path) == "onnx"
    assert json.loads((tmp_path / "signature.json").read_text())["input"]["layout"] == "matrix"


def test_a_graph_that_cannot_hold_the_precision_is_not_used(tmp_path: Path) -> None:
    large = FeatureSchema(
        columns=(Column(name="at", kind=ColumnKind.NUMERICAL, nullable=False),),
        target="late",
        task=Task.REGRESSION,
    )
    at = 1.7e9 + np.arange(200.0)
    frame = pd.DataFrame({"at": at})
    estimator = HistGradientBoostingRegressor(max_iter=20, min_samples_leaf=5).fit(frame, at % 7)

    save(estimator, large, frame, tmp_path)

    np.testing.assert_allclose(load(tmp_path).predict(frame).y_pred, estimator.predict(frame))


@pytest.mark.parametrize(
    ("thing", "message"),
    [
        (None, "got None"),
        ({"model": 1}, "an object of type dict"),
        (LogisticRegression, "the class LogisticRegression itself"),
        (LogisticRegression(), "no classes_"),
        (StandardScaler(), "an object of type StandardScaler"),
        (LinearRegression(), "predict and predict_proba"),
    ],
)
def test_it_refuses_what_is_not_a_model(thing: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=message) as caught:
        save(thing, schema(), rows(), tmp_path)

    assert caught.value.reason == "not_a_model"


def test_it_refuses_an_unfitted_regressor(tmp_path: Path) -> None:
    with pytest.raises(TrainingError) as caught:
        save(prepared(LinearRegression()), schema(Task.REGRESSION, ()), rows(), tmp_path)

    assert caught.value.reason == "not_a_model"


def test_it_refuses_a_model_that_cannot_take_a_category_it_has_not_seen(tmp_path: Path) -> None:
    frame = rows()
    estimator = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["carrier"])), LogisticRegression()
    ).fit(frame, late(frame))

    with pytest.raises(TrainingError, match="handle_unknown='ignore'") as caught:
        save(estimator, schema(), frame, tmp_path)

    assert caught.value.reason == "refused"


def test_it_refuses_to_save_a_model_that_nothing_can_prove(tmp_path: Path) -> None:
    frame = rows()
    estimator = prepared(LogisticRegression()).fit(frame, late(frame))

    with pytest.raises(TrainingError, match="at least one row"):
        save(estimator, schema(), frame.head(0), tmp_path)


def test_it_refuses_classes_that_the_signature_does_not_know(tmp_path: Path) -> None:
    frame = rows()
    estimator = prepared(LogisticRegression()).fit(frame, late(frame) + 5)

    with pytest.raises(TrainingError, match="expected classes among 0, 1"):
        save(estimator, schema(), frame, tmp_path)


class OwnClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier of the user's own."""

    def fit(self, _frame: Any, label: Any) -> OwnClassifier:
        self.classes_ = np.unique(label)
        return self

    def predict_proba(self, frame: Any) -> Any:
        return np.full((len(frame), 2), 0.5)

    def predict(self, frame: Any) -> Any:
        return np.zeros(len(frame), dtype=int)


def test_a_class_of_the_users_own_needs_the_trust_of_the_server(tmp_path: Path) -> None:
    frame = rows()
    estimator = OwnClassifier().fit(frame, [0, 1])
    name = f"{OwnClassifier.__module__}.OwnClassifier"

    with pytest.raises(TrainingError, match="not trusted") as caught:
        save(estimator, schema(), frame, tmp_path)
    assert caught.value.reason == "refused"

    save(estimator, schema(), frame, tmp_path, trusted=[name])
    with pytest.raises(ArtifactError, match="not trusted"):
        load(tmp_path)
    assert load(tmp_path, trusted=[name]).artifact_format == "skops"


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("stored")
    frame = rows()
    estimator = HistGradientBoostingClassifier(max_iter=5, categorical_features="from_dtype")
    save(estimator.fit(frame, late(frame)), schema(), frame, place)
    return place


@pytest.fixture
def copy(stored: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(stored, tmp_path / "copy"))


@pytest.mark.parametrize("name", ["signature.json", "self_test.json", "model.skops"])
@pytest.mark.parametrize("damage", ["missing", "cut", "empty", "other"])
def test_it_refuses_a_damaged_file_with_one_line(name: str, damage: str, copy: Path) -> None:
    path = copy / name
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(
            {"cut": content[: len(content) // 2], "empty": b"", "other": b"[]"}[damage]
        )

    with pytest.raises(ArtifactError) as caught:
        load(copy)

    assert "\n" not in str(caught.value)


def test_it_refuses_a_model_that_answers_otherwise_than_it_did(copy: Path) -> None:
    path = copy / "self_test.json"
    test = json.loads(path.read_text())
    test["y_pred_proba"][3] += 0.001
    path.write_text(json.dumps(test))

    with pytest.raises(ArtifactError, match="fails its self-test: row 3"):
        load(copy)


def test_it_refuses_the_signature_of_another_version(copy: Path) -> None:
    with pytest.raises(ArtifactError, match="not the signature of this version"):
        load(copy, schema(Task.REGRESSION, ()))


def test_it_never_unpickles(copy: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "ran",))

    (copy / "model.skops").write_bytes(pickle.dumps(Trap()))

    with pytest.raises(ArtifactError):
        load(copy)
    assert not (tmp_path / "ran").exists()


def test_the_artifact_cannot_name_the_types_that_it_wants_trusted(copy: Path) -> None:
    (copy / "model.skops").write_bytes(skops.io.dumps(OwnClassifier()))
    path = copy / "signature.json"
    signature = json.loads(path.read_text())
    signature["trusted"] = signature["trusted_types"] = [f"{__name__}.OwnClassifier"]
    path.write_text(json.dumps(signature))

    with pytest.raises(ArtifactError, match="not trusted"):
        load(copy)


def test_a_label_may_differ_only_where_the_chances_are_level() -> None:
    expected = Prediction(y_pred=np.array([1, 1]), y_pred_proba=np.array([0.5, 0.9]))

    def answer(*labels: int) -> Prediction:
        return Prediction(y_pred=np.array(labels), y_pred_proba=np.array([0.5, 0.9]))

    assert difference(expected, answer(0, 1), 1e-5) is None
    assert difference(expected, answer(1, 0), 1e-5) == "row 1: expected 1, got 0"
