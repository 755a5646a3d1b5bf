"""A tolerance says which metric decides and how much worse it may become."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from monitor.performance.table import METRICS as COMPUTED
from monitor.performance.table import metric_of
from watchkeeper.business_value import BUSINESS_VALUE, CostMatrix
from watchkeeper.own_metrics import OwnMetrics
from watchkeeper.schema import Task
from watchkeeper.tolerance import METRICS, Better, Tolerance


def problem_of(tolerance: Tolerance, task: Task) -> str:
    return " ".join(problem for _, problem in tolerance.problems_for(task))


def test_a_drop_lowers_the_limit_and_a_rise_lifts_it() -> None:
    assert Tolerance(metric="roc_auc", drop="0.02").limit(0.75) == pytest.approx(0.73)
    assert Tolerance(metric="roc_auc", drop="10%").limit(0.8) == pytest.approx(0.72)
    assert Tolerance(metric="log_loss", rise="10%").limit(0.5) == pytest.approx(0.55)
    assert Tolerance(metric="rmse", rise="3").limit(20) == pytest.approx(23)


@pytest.mark.parametrize("text", ["0", "-1", "5 %%", "x", "1e-3", "0%", "", True])
def test_it_refuses_what_is_no_amount(text: object) -> None:
    with pytest.raises(ValidationError, match="expected a number above 0"):
        Tolerance.model_validate({"metric": "mae", "rise": text})


def test_the_direction_must_fit_the_metric() -> None:
    assert "give `drop` instead" in problem_of(Tolerance(metric="roc_auc", rise="1"), Task.BINARY)
    assert "give `rise` instead" in problem_of(Tolerance(metric="mae", drop="1"), Task.REGRESSION)
    assert "expected `rise`" in problem_of(Tolerance(metric="mae"), Task.REGRESSION)


def test_the_metric_must_fit_the_task() -> None:
    tolerance = Tolerance(metric="mae", rise="1")

    assert problem_of(tolerance, Task.BINARY).startswith("no metric 'mae' for a binary model")
    assert not problem_of(tolerance, Task.REGRESSION)


def test_the_configuration_knows_every_metric_that_is_computed() -> None:
    known = {name: (kind.tasks, kind.better is Better.HIGHER) for name, kind in METRICS.items()}

    computed = [
        *COMPUTED.values(),
        metric_of(BUSINESS_VALUE, OwnMetrics(value=CostMatrix(false_negative=-1))),
    ]
    assert known == {metric.name: (metric.tasks, metric.higher_is_better) for metric in computed}


def test_every_task_has_a_metric() -> None:
    assert {task for kind in METRICS.values() for task in kind.tasks} == set(Task)
