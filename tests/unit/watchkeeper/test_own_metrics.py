"""A tolerance may name a function of the project; what is wrong with it is said with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from watchkeeper.errors import ConfigurationError
from watchkeeper.metric_function import MetricFunction, is_function
from watchkeeper.model_settings import load_model
from watchkeeper.own_metrics import NONE, OwnMetrics
from watchkeeper.tolerance import Better

MINIMUM = """\
model: flights
task: binary
owner: {name: Flight models on call}
timestamp: timestamp
prediction: {score: y_pred_proba}
label: {column: late, delay: 6h}
windows: {size: 1d}
"""


def written(home: Path, tolerance: str, code: str | None = "def profit(rows): ...\n") -> Path:
    (home / "models").mkdir(exist_ok=True)
    if code is not None:
        (home / "metrics.py").write_text(code)
    path = home / "models" / "flights.yaml"
    path.write_text(f"{MINIMUM}tolerance: {tolerance}\n")
    return path


def problem_of(home: Path, tolerance: str, code: str | None = "def profit(rows): ...\n") -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_model(written(home, tolerance, code))
    return str(caught.value)


def test_the_direction_says_which_way_is_better(tmp_path: Path) -> None:
    path = written(tmp_path, "{metric: 'metrics.py:profit', drop: 5%}")
    tolerance = load_model(path).tolerance
    assert tolerance.better is Better.HIGHER
    assert tolerance.limit(200.0) == 190.0
    assert tolerance.function == MetricFunction(
        metric="metrics.py:profit", home=tmp_path, higher_is_better=True
    )
    tolerance = load_model(written(tmp_path, "{metric: 'metrics.py:profit', rise: 3}")).tolerance
    assert tolerance.better is Better.LOWER
    assert tolerance.limit(-10.0) == -7.0


def test_a_file_beside_the_configuration_does_without_a_project(tmp_path: Path) -> None:
    path = written(tmp_path, "{metric: 'metrics.py:profit', rise: 3}").rename(tmp_path / "a.yaml")
    function = load_model(path).tolerance.function
    assert function is not None
    assert function.file == tmp_path / "metrics.py"


def test_what_is_wrong_is_named_with_its_line(tmp_path: Path) -> None:
    named = "{metric: 'metrics.py:profit', drop: 5%}"
    assert "no file " in problem_of(tmp_path, named, None)
    assert problem_of(tmp_path, named, None).startswith(f"{tmp_path}/models/flights.yaml:8: ")
    assert "has no function 'profit'; there is: gain, loss" in problem_of(
        tmp_path, named, "def loss(rows): ...\ndef gain(rows): ...\nprofit = 3\n"
    )
    assert "metrics.py:2: is no Python" in problem_of(tmp_path, named, "x = 1\ndef profit(:\n")
    assert "is no Python" in problem_of(tmp_path, named, "x = '\0'\n")


@pytest.mark.parametrize("direction", ["", ", drop: 1, rise: 1"])
def test_it_must_be_said_which_way_is_worse(tmp_path: Path, direction: str) -> None:
    problem = problem_of(tmp_path, f"{{metric: 'metrics.py:profit'{direction}}}")
    assert "expected either `drop` (more is better) or `rise` (less is better)" in problem


@pytest.mark.parametrize("name", ["metrics:profit", "metrics.py:", "metrics.py:a-b", "a b.py:f"])
def test_what_is_no_name_of_a_function_is_no_metric(tmp_path: Path, name: str) -> None:
    assert not is_function(name)
    problem = problem_of(tmp_path, f"{{metric: '{name}', drop: 1}}")
    assert "one of your own is file.py:function" in problem


def test_own_metrics_are_read_as_they_were_written(tmp_path: Path) -> None:
    function = MetricFunction(metric="m.py:f", home=tmp_path, higher_is_better=False)
    own = OwnMetrics(function=function)
    assert OwnMetrics.from_dict(own.to_dict()) == own
    assert OwnMetrics.from_dict({}) == NONE
