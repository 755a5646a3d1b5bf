from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.utils import all_estimators

from serving.artifact import TRUSTED_TYPES

#: Rarely served, and made of so many kernels, solvers and trees that each would need its own trust.
STRANGERS = {"GaussianProcessClassifier", "GaussianProcessRegressor"}


def fitted(kind: str) -> list[Any]:
    rng = np.random.default_rng(0)
    features = np.abs(rng.normal(size=(60, 3)))
    label = (features[:, 0] > 0.7).astype(int) if kind == "classifier" else features[:, 0]
    estimators = []
    for name, cls in all_estimators(type_filter=kind):
        if name.endswith("CV") and name != "CalibratedClassifierCV":
            continue  # the same estimators, found by a search
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                estimators.append(cls().fit(features, label))
        except (TypeError, ValueError, AttributeError):
            # It wants another kind of data, or other estimators to wrap.
            assert name not in {"HistGradientBoostingClassifier", "Ridge"}
    return estimators


@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_every_estimator_of_scikit_learn_is_made_of_trusted_types(kind: str) -> None:
    estimators = fitted(kind)
    assert len(estimators) > 20
    strange = {
        type(estimator).__name__: types
        for estimator in estimators
        if (
            types := set(skops.io.get_untrusted_types(data=skops.io.dumps(estimator)))
            - set(TRUSTED_TYPES)
        )
        and type(estimator).__name__ not in STRANGERS
    }
    assert strange == {}


def test_nothing_that_runs_code_is_trusted() -> None:
    dangerous = ("builtins.", "os.", "subprocess.", "pickle", "joblib", "operator.methodcaller")
    assert not [name for name in TRUSTED_TYPES if name.startswith(dangerous)]
