"""Whatever a file holds, it is read or refused in words: nothing else is ever raised."""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.configuration import ConfigurationErrors, validate
from watchkeeper.document import Document, read_document
from watchkeeper.errors import ConfigurationError
from watchkeeper.model_settings import ModelSettings
from watchkeeper.settings import Settings, load_settings

#: Numbers, and letters that YAML may hold as they are.
PLAIN = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(-1e9, 1e9), st.text("aé1 :#-"))
KEYS = st.sampled_from([*ModelSettings.model_fields, *Settings.model_fields, "ownr", "", "0"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["binary", "1d", "7h", "15%", "roc_auc", "UTC", "Asia/Kolkata", "5000 rows"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)
WHOLE = {
    "model": "churn",
    "task": "binary",
    "owner": {"name": "Ada"},
    "timestamp": "at",
    "prediction": {"score": "p"},
    "label": {"column": "left"},
    "windows": {"size": "1d"},
    "tolerance": {"metric": "roc_auc", "drop": 0.02},
}


def refused_or_read(data: dict[str, Any], model: type[ModelSettings | Settings]) -> None:
    refusals: tuple[ConfigurationError, ...] = ()
    try:
        validate(model, Document(path=Path("a.yaml"), data=data))
    except ConfigurationErrors as exc:
        refusals = exc.errors
    assert all("\n" not in str(error) for error in refusals)


@given(st.dictionaries(KEYS, VALUES, max_size=5))
def test_a_models_file_is_read_or_refused(data: dict[str, Any]) -> None:
    refused_or_read(WHOLE | data, ModelSettings)


@given(st.dictionaries(KEYS, VALUES, max_size=5))
def test_the_services_file_is_read_or_refused(data: dict[str, Any]) -> None:
    refused_or_read({"home": "/srv"} | data, Settings)


@given(st.sampled_from(sorted(WHOLE)), VALUES)
def test_one_wrong_value_in_a_whole_file_is_read_or_refused(key: str, value: Any) -> None:
    refused_or_read(WHOLE | {key: value}, ModelSettings)


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=40) | VALUES.map(str))
def test_any_text_is_a_document_or_refused(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.yaml"
        path.write_bytes(text.encode())
        refusal = f"{path}"
        try:
            read_document(path)
        except ConfigurationError as exc:
            refusal = str(exc)
        assert refusal.startswith(str(path))
        assert "\n" not in refusal


@given(st.dictionaries(st.text("ab: ", min_size=1, max_size=4), PLAIN, max_size=4))
def test_what_json_writes_is_read_as_it_was(data: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.json"
        path.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
        assert read_document(path).data == data


@settings(max_examples=50)
@given(st.dictionaries(KEYS.map(str.upper), st.text("ab1:[]{}%", max_size=6), max_size=3))
def test_any_variables_are_read_or_refused(variables: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "watchkeeper.yaml").write_text(yaml.safe_dump({}))
        environ = {f"WATCHKEEPER_{name}": text for name, text in variables.items()}
        with suppress(ConfigurationErrors):
            load_settings(Path(folder), environ)
