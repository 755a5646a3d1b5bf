"""Configuration files are read as plain data, with the line of every key."""

from __future__ import annotations

from pathlib import Path

import pytest

from watchkeeper.document import read_document
from watchkeeper.errors import ConfigurationError


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "model.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_it_knows_the_line_of_every_key_and_item(tmp_path: Path) -> None:
    document = read_document(write(tmp_path, "a: 1\nb:\n  c: [x,\n    y]\n"))

    assert document.data == {"a": 1, "b": {"c": ["x", "y"]}}
    assert document.line(("b", "c")) == 3
    assert document.line(("b", "c", 1)) == 4
    assert document.line(("b", "missing")) == 2


@pytest.mark.parametrize("word", ["no", "on", "Yes", "2013-01-01", "12:30", "0x1f", "0o17"])
def test_a_word_is_text_however_yaml_1_1_reads_it(tmp_path: Path, word: str) -> None:
    assert read_document(write(tmp_path, f"a: {word}")).data == {"a": word}


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("010", 10),
        ("-5", -5),
        ("0.02", 0.02),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("~", None),
        ("", None),
    ],
)
def test_numbers_and_nulls_are_those_of_json(tmp_path: Path, word: str, value: object) -> None:
    read = read_document(write(tmp_path, f"a: {word}")).data["a"]

    assert read == value
    assert type(read) is type(value)


def test_keys_are_text_even_when_they_look_like_numbers(tmp_path: Path) -> None:
    assert read_document(write(tmp_path, "1: a\ntrue: b\nno: c")).data == {
        "1": "a",
        "true": "b",
        "no": "c",
    }


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    assert read_document(write(tmp_path, "# only a comment\n")).data == {}


def test_anchors_and_merges_work(tmp_path: Path) -> None:
    document = read_document(write(tmp_path, "a: &x {b: 1}\nc: {<<: *x, d: 2}"))

    assert document.data["c"] == {"b": 1, "d": 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2\n", ":2: a: is given twice, first on line 1"),
        ("a: [1\nb: 2\n", ":2: is not valid YAML"),
        ("- 1\n", ":1: expected `key: value` lines"),
        ("a: !!python/name:os.system x\n", "is not valid YAML"),
        ("? [a, b]\n: 1\n", ":1: expected a plain key"),
        ("a: \x00", "is not valid YAML"),
    ],
)
def test_it_refuses_what_is_not_a_mapping_of_plain_keys(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_document(write(tmp_path, text))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_it_says_which_file_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"absent\.yaml: cannot be read: No such file"):
        read_document(tmp_path / "absent.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"a: caf\xe9")
    with pytest.raises(ConfigurationError, match=r"latin\.yaml: is not UTF-8 text"):
        read_document(tmp_path / "latin.yaml")
