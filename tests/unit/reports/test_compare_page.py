"""The words and the page about a comparison, without a table behind them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from monitor.comparison.model import ColumnComparison, Comparison, Histogram, QualityFinding
from monitor.model import CheckStatus
from reports.compare_html import MOST_CARDS, page
from reports.compare_words import headline, sentence
from watchkeeper.schema import ColumnKind

COLUMN = ColumnComparison(
    name="distance",
    kind=ColumnKind.NUMERICAL,
    metric="psi",
    value=0.4,
    p_value=0.0005,
    p_value_adjusted=0.001,
    lower=0.3,
    upper=0.5,
    effect=0.38,
    minimum_detectable_effect=0.02,
    status=CheckStatus.CRITICAL,
    n_reference=1_000,
    n_current=500,
    null_share_reference=0.0,
    null_share_current=0.1,
    histogram=Histogram(labels=("0 to 1", "1 to 2"), reference=(0.5, 0.5), current=(0.9, 0.1)),
)


def comparison(*columns: ColumnComparison, quality: tuple[QualityFinding, ...] = ()) -> Comparison:
    return Comparison(
        reference="a.parquet",
        current="b.parquet",
        n_reference=1_000,
        n_current=500,
        alpha=0.05,
        any_difference=0.001,
        columns=columns,
        quality=quality,
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "distributed much differently: PSI 0.38 beyond chance (0.3 to 0.5)"),
        ({"status": CheckStatus.WARNING}, "noticeably differently"),
        ({"status": CheckStatus.OK}, "hardly chance, but too small to matter"),
        ({"status": CheckStatus.OK, "p_value_adjusted": 0.6}, "one of PSI 0.02 or more would"),
        ({"status": CheckStatus.INSUFFICIENT_DATA}, "Too few rows: a change below PSI 0.02"),
        ({"value": None, "note": "it runs on"}, "It runs on."),
        ({"value": None}, "Not compared."),
    ],
)
def test_each_verdict_has_its_sentence(changes: dict[str, object], words: str) -> None:
    assert words in sentence(replace(COLUMN, **changes))  # type: ignore[arg-type]


def test_the_headline_counts_what_was_found() -> None:
    fault = QualityFinding(
        column=None, check="duplicates", status=CheckStatus.WARNING, detail="20 % are copies"
    )
    quiet = replace(COLUMN, status=CheckStatus.OK)
    assert headline(comparison(quiet)) == "0 of 1 columns changed; no fault of the data"
    found = headline(comparison(COLUMN, quiet, quality=(fault,)))
    assert found == "1 of 2 columns changed; 1 possible fault of the data"


def test_the_worst_column_is_the_first_card() -> None:
    quiet = replace(COLUMN, name="quiet", status=CheckStatus.OK)
    text = page(comparison(quiet, COLUMN))
    assert text.index("<h3>distance</h3>") < text.index("<h3>quiet</h3>")
    assert "0-1" not in text
    assert "0 to 1: 50.0 % in the reference, 90.0 % now" in text


def test_many_columns_are_cards_first_and_rows_then() -> None:
    quiet = replace(COLUMN, status=CheckStatus.OK)
    columns = [replace(quiet, name=f"c{i}") for i in range(MOST_CARDS + 3)]
    text = page(comparison(*columns))
    assert text.count("<article>") == MOST_CARDS
    assert "The other 3 columns" in text
