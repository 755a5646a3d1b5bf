"""A model's file is read whole, and everything that is wrong with it is said at once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from retrain.policy import POLICIES as DECIDING
from watchkeeper.configuration import ConfigurationErrors, settings_of
from watchkeeper.model_rules import POLICIES
from watchkeeper.model_settings import ModelSettings, load_model, load_models
from watchkeeper.schema import ColumnKind, Task

LEAST = """\
model: churn
task: binary
owner: {name: Ada}
timestamp: at
prediction: {score: p}
label: {column: left}
windows: {size: 1d}
tolerance: {metric: roc_auc, drop: 0.02}
"""


def write(home: Path, text: str, name: str = "churn") -> Path:
    path = home / "models" / f"{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def refusals(home: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    path = write(home, text)
    with pytest.raises(ConfigurationErrors) as caught:
        load_model(path, environ or {})
    lines = str(caught.value).splitlines()
    assert len(lines) == len(caught.value.errors)
    return [line.removeprefix(f"{path}:") for line in lines]


def test_eight_settings_are_enough(tmp_path: Path) -> None:
    settings = load_model(write(tmp_path, LEAST), {})

    assert settings.task is Task.BINARY
    assert settings.source.is_built_in
    assert settings.features is None
    assert settings.windows.tile == timedelta(hours=1)
    assert settings.windows.timezone == ZoneInfo("UTC")
    assert settings.retrain is None


def test_retraining_waits_for_excess_loss_by_default(tmp_path: Path) -> None:
    settings = load_model(write(tmp_path, LEAST + "retrain: {command: 'train.py:train'}\n"), {})

    assert settings.retrain is not None
    assert settings.retrain.policy == "excess_loss"


def test_what_it_writes_as_json_it_reads_again(tmp_path: Path) -> None:
    text = LEAST + (
        "features: {age: numerical, plan: categorical}\nsegments: [plan]\n"
        "retrain: {command: make train, window: 90d}\nrollout: {shadow: 1d, canary: [5, 25]}\n"
    )
    settings = load_model(write(tmp_path, text), {})

    assert ModelSettings.model_validate(settings.model_dump(mode="json")) == settings
    assert settings.features == {"age": ColumnKind.NUMERICAL, "plan": ColumnKind.CATEGORICAL}


def test_the_tile_shrinks_to_fit_the_zone(tmp_path: Path) -> None:
    text = LEAST.replace("size: 1d", "size: 1d, timezone: Asia/Kolkata")

    assert load_model(write(tmp_path, text), {}).windows.tile == timedelta(minutes=30)


@pytest.mark.parametrize("none", ["0", "0s", "0d", "'0 h'"])
def test_labels_may_take_no_time(tmp_path: Path, none: str) -> None:
    text = LEAST.replace("{column: left}", f"{{column: left, delay: {none}}}")

    assert load_model(write(tmp_path, text), {}).label.delay == timedelta(0)


def test_a_window_may_be_a_number_of_rows(tmp_path: Path) -> None:
    settings = load_model(write(tmp_path, LEAST.replace("size: 1d", "size: 5000 rows")), {})

    assert settings.windows.rows == 5000
    assert ModelSettings.model_validate(settings.model_dump(mode="json")) == settings
    assert list(settings.notes()) == []
    seasonal = LEAST + "reference: {kind: seasonal, same: hour_of_week}\n"
    text = seasonal.replace("size: 1d", "size: 5000 rows")
    assert [place for place, _ in load_model(write(tmp_path, text), {}).notes()] == [
        ("reference", "kind")
    ]


def test_every_error_of_a_file_is_reported_in_order_of_its_lines(tmp_path: Path) -> None:
    text = LEAST.replace("owner:", "ownr:").replace("1d", "7h").replace("task: binary", "task: bin")

    assert refusals(tmp_path, text) == [
        "1: owner: missing: who is told; a model that nobody owns is not watched",
        "2: task: expected one of: binary, multiclass, regression, got 'bin'; "
        "did you mean 'binary'?",
        "3: ownr: unknown key; did you mean 'owner'?",
        "7: windows.size: a window under a day must divide it, got 7h",
    ]


@pytest.mark.parametrize(
    ("old", "new", "refusal"),
    [
        ("name: Ada", "nme: Ada", "3: owner.nme: unknown key; did you mean 'name'?"),
        ("column: left", "column: 7", "6: label.column: expected text (put it in quotes), got 7"),
        ("churn", "Churn!", "1: model: expected lower-case letters, digits, - and _, got 'Churn!'"),
        ("1d", "many rows", "7: windows.size: expected a whole number of rows such as 5000 rows"),
        ("1d", "1.5 rows", "7: windows.size: expected a whole number of rows such as 5000 rows"),
        ("1d", "0 rows", "7: windows.rows: expected greater than or equal to 1"),
        ("1d", "1d, timezone: Europe/Berln", "did you mean 'Europe/Berlin'?"),
        ("1d", "1d, tile: 1h, timezone: Asia/Kolkata", "windows.tile: 1h does not divide the off"),
        ("1d", "1d, tile: 7h", "7: windows.tile: 7h does not divide a window of 1d; use 1h"),
        ("drop", "rise", "8: tolerance.rise: roc_auc is better when higher; give `drop` instead"),
        ("roc_auc", "auc", "8: tolerance.metric: no metric 'auc' for a binary model"),
        ("score: p", "value: p", "a binary model has no such column; it has `label` and `score`"),
        ("score: p", "label: p", "5: prediction: a binary model needs `score`"),
        ("name: Ada", "name: Ada, slack: ada", "3: owner.slack: expected the ID of a user"),
        ("0.02", "2 %%", "8: tolerance.drop: expected a number above 0 or a share such as 15%"),
        ("{name: Ada}", "Ada", "3: owner: expected `key: value` lines, got 'Ada'"),
    ],
)
def test_it_says_where_and_what_was_expected(
    tmp_path: Path, old: str, new: str, refusal: str
) -> None:
    assert any(refusal in line for line in refusals(tmp_path, LEAST.replace(old, new, 1)))


@pytest.mark.parametrize(
    ("extra", "refusal"),
    [
        ("segments: [plan]\nfeatures: {plan: numerical}", "segments.0: no categorical feature"),
        ("features: {left: numerical}", "features.left: is the label, a prediction, the time, or"),
        ("features: {a: numerical}\ninfer: reference", "infer: the features are listed"),
        ("features: {}", "9: features: expected at least one"),
        ("features: {a: number}", "9: features.a: expected one of: numerical, categorical"),
        ("reference: {kind: trailing}", "9: reference: a trailing reference needs `length`"),
        ("reference: {length: 7d}", "9: reference.length: a fixed reference has no `length`"),
        ("alerts: {fire: 4, of: 3}", "9: alerts.fire: 4 of 3 windows can never be bad"),
        ("rollout: {canary: [25, 5]}", "9: rollout.canary: expected rising percentages"),
        ("retrain: {command: x, policy: drft}", "9: retrain.policy: no policy 'drft'; did you"),
        ("retrain: {command: x, cost: cheap}", "9: retrain.cost: expected a number, got 'cheap'"),
        ("retrain: {policy: never}", "9: retrain.command: missing"),
        ("value: {}", "9: value: expected outcomes of different value"),
        ("value: {false_negative: .inf}", "9: value.false_negative: "),
        ("value: {false_negativ: -100}", "unknown key; did you mean 'false_negative'?"),
        ("alarm_budget: {per: fortnight}", "9: alarm_budget.per: expected one of: week, month"),
    ],
)
def test_it_finds_what_contradicts_itself(tmp_path: Path, extra: str, refusal: str) -> None:
    assert any(refusal in line for line in refusals(tmp_path, LEAST + extra))


def test_the_business_value_needs_what_the_outcomes_of_a_binary_model_are_worth(
    tmp_path: Path,
) -> None:
    text = LEAST.replace("roc_auc", "business_value")
    (refusal,) = refusals(tmp_path, text)
    assert refusal.startswith("8: tolerance.metric: business_value needs `value`, for example {")

    matrix = "value: {false_positive: -5, false_negative: -100}\n"
    assert load_model(write(tmp_path, text + matrix), {}).value is not None

    classes = LEAST.replace("binary", "multiclass").replace("score: p", "label: p")
    classes = classes.replace("roc_auc", "accuracy") + matrix
    (refusal,) = refusals(tmp_path, classes)
    assert refusal == "9: value: a multiclass model has no positives and negatives to value"


def test_a_variable_takes_precedence_and_is_named_when_it_is_wrong(tmp_path: Path) -> None:
    path = write(tmp_path, LEAST)
    name = "WATCHKEEPER_MODELS__CHURN__WINDOWS__SIZE"

    assert load_model(path, {name: "6h"}).windows.size == timedelta(hours=6)
    assert refusals(tmp_path, LEAST, {name: "7h"}) == [
        f"{name}: a window under a day must divide it, got 7h"
    ]


def test_all_files_of_a_home_are_read_and_a_name_is_claimed_once(tmp_path: Path) -> None:
    write(tmp_path, LEAST)
    write(tmp_path, LEAST.replace("churn", "upsell"), "upsell")
    assert list(load_models(tmp_path, {})) == ["churn", "upsell"]

    write(tmp_path, LEAST, "copy")
    with pytest.raises(ConfigurationErrors, match=r"copy\.yaml: model: 'churn' is also in"):
        load_models(tmp_path, {})


def test_models_of_a_fleet_share_its_budget(tmp_path: Path) -> None:
    fleet = "alarm_budget: {pages: 2, per: month, of: fleet}\n"
    write(tmp_path, LEAST)
    for name in ("upsell", "fraud", "price"):
        write(tmp_path, LEAST.replace("churn", name) + fleet, name)

    budgets = {name: each.alarm_budget for name, each in load_models(tmp_path, {}).items()}
    assert {name: each.models for name, each in budgets.items()} == {
        "churn": 1,
        "fraud": 3,
        "price": 3,
        "upsell": 3,
    }
    assert budgets["fraud"].share == pytest.approx(2 / 3)
    assert budgets["fraud"].sentence == "2 pages a month over 3 models"
    assert budgets["churn"].share == 1.0


def test_the_configuration_knows_every_policy_that_decides() -> None:
    assert set(POLICIES) == set(DECIDING)


def test_every_setting_is_described() -> None:
    assert all(field.description for field in settings_of(ModelSettings).values())
