"""The training process against code that works, and against code that does not."""

from __future__ import annotations

import json
import os
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from retrain import processes
from retrain.runner import LOG_FILE, Limits, train
from serving.artifact import TRUSTED_TYPES, load
from watchkeeper.errors import LeaseLostError, TrainingError
from watchkeeper.schema import Column, ColumnKind, FeatureSchema, Task
from watchkeeper.training import (
    CONTEXT_FILE,
    FEATURES_FILE,
    ROWS_FILE,
    RUN_VARIABLE,
    TrainingContext,
)

MIB = 1 << 20
SCHEMA = FeatureSchema(
    columns=(
        Column(name="speed", kind=ColumnKind.NUMERICAL),
        Column(name="carrier", kind=ColumnKind.CATEGORICAL, categories=("AA", "UA")),
    ),
    target="late",
    task=Task.BINARY,
    classes=("0", "1"),
)
GOOD = """
    from sklearn.ensemble import HistGradientBoostingClassifier

    def train(context):
        frame = context.read()
        assert list(frame.features["carrier"].cat.categories) == ["AA", "UA"]
        model = HistGradientBoostingClassifier(
            max_iter=3, categorical_features="from_dtype", random_state=context.seed)
        return model.fit(frame.features, frame.label, sample_weight=frame.weights)
"""


class Project:
    """A project folder and the folder of one run in it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / "runs" / "1"
        self.folder.mkdir(parents=True)
        rows = 200
        rng = np.random.default_rng(5)
        speed = rng.normal(0, 1, rows)
        pd.DataFrame({"speed": speed, "carrier": ["UA"] * rows}).to_parquet(
            self.folder / FEATURES_FILE
        )
        pd.DataFrame(
            {
                "timestamp": pd.date_range("2013-01-01", periods=rows, freq="h", tz="UTC"),
                "label": (speed + rng.normal(0, 1, rows) > 0).astype(int),
                "weight": 1.0,
            }
        ).to_parquet(self.folder / ROWS_FILE)

    def run(
        self,
        script: str,
        *,
        command: str = "train.py:train",
        timeout: float = 60,
        memory: int = 2048 * MIB,
        log: int = 4 * MIB,
        alive: Callable[[], None] = lambda: None,
        grace: float = 0.3,
        environ: dict[str, str] | None = None,
    ) -> Path:
        (self.home / "train.py").write_text(textwrap.dedent(script))
        order = {
            "model": "flights",
            "settings": {"task": "binary"},
            "schema": SCHEMA.to_dict(),
            "seed": 7,
            "command": command,
            "home": str(self.home),
            "memory": memory,
            "trusted": list(TRUSTED_TYPES),
        }
        (self.folder / CONTEXT_FILE).write_text(json.dumps(order))
        limits = Limits(timeout=timeout, memory=memory, log=log, grace=grace, heartbeat=0.05)
        return train(self.folder, home=self.home, limits=limits, alive=alive, environ=environ)

    def refused(self, script: str, **options: object) -> TrainingError:
        with pytest.raises(TrainingError) as caught:
            self.run(script, **options)  # type: ignore[arg-type]
        assert processes.marked(RUN_VARIABLE, str(self.folder)) == []
        return caught.value

    @property
    def log(self) -> str:
        return (self.folder / LOG_FILE).read_text()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_it_saves_the_model_that_the_code_returns(project: Project) -> None:
    artifact = project.run(GOOD)

    model = load(artifact, SCHEMA)
    answer = model.predict(pd.DataFrame({"speed": [3.0], "carrier": ["UA"]}))
    assert answer.y_pred_proba is not None
    assert answer.y_pred_proba[0] > 0.5


def test_a_plain_command_leaves_its_model_in_the_artifact_folder(project: Project) -> None:
    artifact = project.run(
        """
        import skops.io
        from sklearn.linear_model import LogisticRegression
        from watchkeeper import TrainingContext

        context = TrainingContext.load()
        frame = context.read()
        model = LogisticRegression().fit(frame.features[["speed"]], frame.label)
        from sklearn.pipeline import make_pipeline
        from sklearn.compose import make_column_transformer
        model = make_pipeline(
            make_column_transformer(("passthrough", ["speed"])), LogisticRegression())
        from sklearn.impute import SimpleImputer
        model.steps.insert(1, ("impute", SimpleImputer()))
        model.fit(frame.features, frame.label)
        skops.io.dump(model, context.artifact / "model.skops")
        """,
        command="python train.py",
        environ={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"},
    )

    assert load(artifact, SCHEMA).schema == SCHEMA


def test_an_exception_is_named_with_file_and_line_and_the_traceback_is_in_the_log(
    project: Project,
) -> None:
    error = project.refused("def train(context):\n    rows = []\n    return rows[3]\n")

    assert (error.reason, str(error)) == (
        "raised",
        "train.py:3: IndexError: list index out of range",
    )
    assert "Traceback (most recent call last)" in project.log


@pytest.mark.parametrize(
    ("script", "command", "message"),
    [
        ("def train(context:\n", "train.py:train", "train.py:1: SyntaxError: '(' was never closed"),
        ("import nowhere_at_all\n", "train.py:train", "train.py:1: ModuleNotFoundError: No module"),
        ("x = 1\n", "train.py:train", "train.py: has no function 'train'"),
        ("x = 1\n", "absent.py:train", "absent.py: no such file in "),
        ("x = 1\n", "no-such-program --now", "no-such-program: cannot be started"),
        ("import sys\nsys.exit(3)\n", "python3 train.py", "python3: ended with status 3"),
        ("import sys\nsys.exit(3)\n", "train.py:train", "the training code left with 3"),
        ("import os\nos._exit(4)\n", "train.py:train", "the training process ended with status 4"),
        ("import os\nos.abort()\n", "train.py:train", "the training process was ended by SIGABRT"),
    ],
)
def test_code_that_cannot_run_is_one_clear_line(
    project: Project, script: str, command: str, message: str
) -> None:
    error = project.refused(script, command=command)

    assert error.reason == "raised"
    assert message in str(error)
    assert "\n" not in str(error)


def test_code_that_hangs_is_ended_in_time(project: Project) -> None:
    started = time.monotonic()
    error = project.refused(
        """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        def train(context):
            time.sleep(600)
        """,
        timeout=4,
    )

    assert (error.reason, str(error)) == ("timeout", "the training took longer than 4 s; ended")
    assert time.monotonic() - started < 15


def test_code_that_eats_memory_bit_by_bit_is_ended(project: Project) -> None:
    error = project.refused(
        """
        def train(context):
            held = []
            while True:
                held.append(bytearray(8 << 20))
        """,
        memory=700 * MIB,
    )

    assert error.reason == "memory"
    assert "allowed are 700 MiB" in str(error)


def test_one_huge_allocation_is_refused_by_the_kernel(project: Project) -> None:
    error = project.refused(
        "import numpy as np\ndef train(context):\n    return np.ones((40, 1 << 30))\n",
        memory=700 * MIB,
    )

    assert (error.reason, str(error)) == ("memory", "the training ran out of memory")


def test_memory_of_children_counts(project: Project) -> None:
    error = project.refused(
        """
        import multiprocessing, time
        def eat():
            held = bytearray(250 << 20)
            time.sleep(600)
        def train(context):
            for _ in range(4):
                multiprocessing.get_context("fork").Process(target=eat).start()
            time.sleep(600)
        """,
        memory=900 * MIB,
    )

    assert error.reason == "memory"


@pytest.mark.parametrize(
    ("result", "kind"),
    [("None", "None"), ("{'a': 1}", "an object of type dict"), ("LogisticRegression", "the class")],
)
def test_what_is_not_a_model_is_refused(project: Project, result: str, kind: str) -> None:
    error = project.refused(
        "from sklearn.linear_model import LogisticRegression\n"
        f"def train(context):\n    return {result}\n"
    )

    assert error.reason == "not_a_model"
    assert kind in str(error)


@pytest.mark.parametrize(
    ("script", "command"),
    [
        ("import os\nos._exit(0)\n", "train.py:train"),
        ("import sys\nsys.exit()\n", "train.py:train"),
        ("pass\n", "python3 train.py"),
    ],
)
def test_an_end_without_an_artifact_is_a_failure(
    project: Project, script: str, command: str
) -> None:
    assert project.refused(script, command=command).reason == "no_artifact"


def test_a_flood_of_output_is_cut_but_keeps_its_end(project: Project) -> None:
    error = project.refused(
        """
        import sys
        def train(context):
            print("the beginning")
            block = "x" * (1 << 20)
            for _ in range(1024):
                sys.stdout.write(block)
            raise ValueError("the end")
        """,
        log=MIB,
    )

    assert str(error) == "train.py:8: ValueError: the end"
    assert (project.folder / LOG_FILE).stat().st_size < MIB + 200
    assert project.log.startswith("the beginning")
    assert "bytes were left out" in project.log
    assert project.log.rstrip().endswith("ValueError: the end")


def test_children_that_outlive_the_training_are_ended(project: Project) -> None:
    """Also one that left the session and holds the output open."""
    started = time.monotonic()
    project.run(
        "import os, subprocess, sys\n"
        + textwrap.dedent(GOOD).replace(
            "    frame = context.read()",
            "    subprocess.Popen(['sleep', '600'])\n"
            "    subprocess.Popen(['sleep', '600'], start_new_session=True)\n"
            "    if os.fork() == 0:\n"
            "        os.setsid()\n"
            "        os.execvp('sleep', ['sleep', '600'])\n"
            "    frame = context.read()",
        )
    )

    assert processes.marked(RUN_VARIABLE, str(project.folder)) == []
    assert time.monotonic() - started < 30


def test_secrets_do_not_reach_the_code(project: Project) -> None:
    error = project.refused(
        """
        import os
        def train(context):
            raise ValueError(",".join(sorted(os.environ)))
        """,
        environ={
            **os.environ,
            "WATCHKEEPER_SLACK_TOKEN": "xoxb-secret",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "DATABASE_URL": "postgresql://secret",
        },
    )

    assert "WATCHKEEPER_RUN" in str(error)
    assert "SECRET" not in str(error)
    assert "TOKEN" not in str(error)
    assert "DATABASE" not in str(error)


def test_modules_of_the_user_win_over_ours(project: Project) -> None:
    (project.home / "reports.py").write_text("NAME = 'mine'\n")
    (project.home / "serving").mkdir()
    (project.home / "serving" / "__init__.py").write_text("NAME = 'mine too'\n")

    project.run(
        "import reports, serving\n"
        "assert (reports.NAME, serving.NAME) == ('mine', 'mine too')\n" + textwrap.dedent(GOOD)
    )


def test_the_code_is_asked_for_with_its_own_folder_first(project: Project) -> None:
    (project.home / "code").mkdir()
    (project.home / "code" / "columns.py").write_text("NAME = 'beside the script'\n")
    (project.home / "columns.py").write_text("NAME = 'above'\n")
    (project.home / "code" / "fit.py").write_text(
        "import columns\nassert columns.NAME == 'beside the script'\n" + textwrap.dedent(GOOD)
    )

    project.run("", command="code/fit.py:train")


def test_losing_the_lease_ends_the_training(project: Project) -> None:
    calls = 0

    def lost() -> None:
        nonlocal calls
        calls += 1
        if calls > 3:
            raise LeaseLostError("the run was taken over")

    started = time.monotonic()
    with pytest.raises(LeaseLostError):
        project.run("import time\ndef train(context):\n    time.sleep(600)\n", alive=lost)

    assert time.monotonic() - started < 15
    assert processes.marked(RUN_VARIABLE, str(project.folder)) == []


def test_the_context_says_when_code_was_started_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(RUN_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)

    with pytest.raises(Exception, match="WATCHKEEPER_RUN: expected the folder of a training run"):
        TrainingContext.load()
