"""Run every check of the data contract on a window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from monitor.model import CheckResult, CheckStatus, Family, Threshold
from monitor.profiles.bins import PREDICTED, SCORE
from monitor.profiles.model import Profile
from monitor.quality.model import Finding, Pair, Whole
from monitor.quality.null_surge import name_joint_breaks
from monitor.quality.table import COLUMN_CHECKS, OUTPUT_CHECKS, WHOLE_CHECKS
from monitor.reference import Reference
from monitor.subject import Subject
from monitor.usual import ColumnUsual, unknown_usual

#: A finding explains weaker ones of the same column: who says what broke need not say what follows.
_EXPLAINS: Mapping[str, frozenset[str]] = {
    "unit_change": frozenset({"out_of_range", "precision_loss"}),
    "swapped": frozenset({"unit_change", "out_of_range", "precision_loss"}),
    "stale": frozenset({"precision_loss"}),
    "type_change": frozenset({"unseen_category", "out_of_range", "precision_loss", "unit_change"}),
}
_OUTPUTS = frozenset({SCORE, PREDICTED})
_BAD = frozenset({CheckStatus.WARNING, CheckStatus.CRITICAL})


def check_quality(
    subject: Subject,
    profile: Profile,
    reference: Reference,
    tiles: Mapping[datetime, Profile] | None = None,
    *,
    whole: bool = True,
) -> list[CheckResult]:
    """Check every feature and prediction of a window, whole or still open, against the reference.

    Parameters
    ----------
    profile
        Of the window, or of the part of it that there is so far: shares are held against their
        own uncertainty, so that a total break is found in the first rows.
    tiles
        Profiles of its tiles by their start; what needs an order of rows is not checked without.
    whole
        Whether these are all the rows of its time; only then some can be missing.

    Returns
    -------
    list of CheckResult
        One for each column and check that applies to it, also where all is well.
    """
    closed = whole and subject.window.end <= subject.now
    subjects, outputs = _subjects(profile, reference, tiles or {}, closed=closed)
    found: list[Finding] = []
    for pair in subjects.pairs:
        found += [finding for check in COLUMN_CHECKS if (finding := check(pair)) is not None]
    for check_rows in WHOLE_CHECKS:
        found += check_rows(subjects)
    found = name_joint_breaks(_without_consequences(found), subjects.pairs)
    for pair in outputs:
        found += [finding for check in OUTPUT_CHECKS if (finding := check(pair)) is not None]
    return [_result(subject, reference, finding) for finding in found]


def _subjects(
    profile: Profile,
    reference: Reference,
    tiles: Mapping[datetime, Profile],
    *,
    closed: bool,
) -> tuple[Whole, list[Pair]]:
    """Return the features, and the model's outputs."""
    usual = reference.usual or unknown_usual(reference.profile)
    known = {column.name: column for column in reference.profile.columns()}
    in_order = [(start, tiles[start].extents()) for start in sorted(tiles)]
    pairs = [
        Pair(
            current=current,
            reference=known[current.name],
            habit=reference.habits[current.name],
            bins=reference.bins.columns[current.name],
            usual=usual.columns.get(current.name, ColumnUsual()),
            tiles=tuple((start, extents[index]) for start, extents in in_order),
        )
        for index, current in enumerate(profile.columns())
    ]
    outputs = [pair for pair in pairs if pair.current.name in _OUTPUTS]
    features = tuple(pair for pair in pairs if pair.current.name not in _OUTPUTS)
    whole = Whole(
        current=profile,
        reference=reference.profile,
        usual=usual,
        pairs=features,
        tiles=tiles,
        closed=closed,
    )
    return whole, outputs


def _without_consequences(found: list[Finding]) -> list[Finding]:
    """Take the findings back that another finding of the same column explains."""
    explained: dict[str | None, set[str]] = {}
    for finding in found:
        if finding.status in _BAD and finding.column is not None:
            explained.setdefault(finding.column, set()).update(_EXPLAINS.get(finding.check, ()))
    return [
        replace(finding, status=CheckStatus.OK, effect=0.0)
        if finding.status in _BAD and finding.check in explained.get(finding.column, ())
        else finding
        for finding in found
    ]


def _result(subject: Subject, reference: Reference, finding: Finding) -> CheckResult:
    return CheckResult(
        measurement=subject.measurement(
            finding.check,
            finding.value,
            column=finding.column,
            n_current=finding.rows,
            n_reference=reference.profile.rows,
        ),
        threshold=Threshold(method="habit", upper=finding.limit),
        family=Family.DATA_CONTRACT,
        check=finding.check,
        status=finding.status,
        reason=finding.reason,
        effect=finding.effect,
    )
