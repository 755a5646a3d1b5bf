"""Checks of the data contract: breaks of a feed, apart from changes of the world."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from monitor.habits import MINIMUM_ROWS, Habit, is_constant, wilson_limit
from monitor.model import CheckResult, CheckStatus, Family, Threshold
from monitor.profiles.bins import PREDICTED, SCORE
from monitor.profiles.model import ColumnProfile, Profile
from monitor.reference import Reference
from monitor.subject import Subject
from watchkeeper.schema import ColumnKind

#: A share beyond its usual limit by this part of the room that is left warns, or is critical.
_WARNING, _CRITICAL = 0.05, 0.25
#: A value that so large a part of the reference's rows had may fill a window by itself.
_COMMON = 0.5
#: With fewer values than this part of what windows usually have, none is called stuck.
_PART_OF_USUAL = 0.5
#: Columns whose shares of nulls differ by no more than this are taken to have gone together.
_TOGETHER = 0.02
_NAMED = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """One column of the window and of the reference, with its habit."""

    current: ColumnProfile
    reference: ColumnProfile
    habit: Habit


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What one check says of one column.

    Parameters
    ----------
    value, rows
        The share that was checked, and of how many rows.
    limit
        Where it is critical.
    """

    check: str
    status: CheckStatus
    value: float | None
    rows: int
    limit: float | None
    effect: float | None
    reason: str


def check_quality(subject: Subject, profile: Profile, reference: Reference) -> list[CheckResult]:
    """Check every feature of a window, whole or still open, against the reference.

    Parameters
    ----------
    profile
        Of the window, or of the part of it that there is so far: shares are held against their
        own uncertainty, so that a total break is found in the first rows.

    Returns
    -------
    list of CheckResult
        One for each column and check that applies to it, also where all is well.
    """
    known = {column.name: column for column in reference.profile.columns()}
    found: list[tuple[Pair, Finding]] = []
    for current in profile.columns():
        if current.name in {SCORE, PREDICTED}:
            continue
        pair = Pair(
            current=current,
            reference=known[current.name],
            habit=reference.habits[current.name],
        )
        for check in CHECKS:
            finding = check(pair)
            if finding is not None:
                found.append((pair, finding))
    return [_result(subject, reference, *one) for one in _name_joint_breaks(found)]


def null_surge(pair: Pair) -> Finding | None:
    """Find a column that is null far more often than in any usual window."""
    current, limit = pair.current, pair.habit.null_limit
    rows, share = current.rows, current.null_share
    return _judge_share(
        "null_surge",
        share,
        rows,
        limit,
        f"{share:.1%} of {rows} rows are null, usually at most {limit:.1%}",
    )


def unseen_category(pair: Pair) -> Finding | None:
    """Find categories that the reference does not list."""
    current = pair.current
    if current.kind is not ColumnKind.CATEGORICAL or not len(current.counts):
        return None
    usual = pair.reference.unseen / pair.reference.values if pair.reference.values else 0.0
    limit = wilson_limit(usual, pair.reference.values, upper=True)
    share = current.unseen / current.values if current.values else 0.0
    text = f"{current.unseen} of {current.values} values are categories never seen before"
    return _judge_share("unseen_category", share, current.values, limit, text)


def out_of_range(pair: Pair) -> Finding | None:
    """Find numbers that lie outside all that was seen by more than its whole width."""
    current, reference = pair.current, pair.reference
    if current.kind is not ColumnKind.NUMERICAL or reference.minimum is None:
        return None
    limit = wilson_limit(0.0, reference.values, upper=True)
    share = current.far / current.values if current.values else 0.0
    text = f"{current.far} of {current.values} values are far outside the range seen in training"
    return _judge_share("out_of_range", share, current.values, limit, text)


def stale(pair: Pair) -> Finding | None:
    """Find a column that has a single value where it always varied."""
    current, habit = pair.current, pair.habit
    if current.kind is ColumnKind.TEXT or is_constant(pair.reference):
        return None
    # A column that is mostly null can have one value by accident on a day with few of them.
    usual_values = pair.reference.values / max(habit.variation.windows, 1)
    enough = current.values >= max(MINIMUM_ROWS, _PART_OF_USUAL * usual_values)
    stuck = enough and is_constant(current) and not habit.constant_windows
    status = CheckStatus.OK if enough else CheckStatus.INSUFFICIENT_DATA
    text = f"{current.values} values, not all the same" if enough else "too few values"
    if stuck:
        only = int(current.counts.argmax())
        share = float(pair.reference.counts[only]) / max(pair.reference.values, 1)
        common = share >= _COMMON or habit.constant_windows is None
        status = CheckStatus.WARNING if common else CheckStatus.CRITICAL
        text = f"all {current.values} values are the same; it always varied before"
    return Finding(
        check="stale",
        status=status,
        value=float(stuck) if enough else None,
        rows=current.values,
        limit=1.0,
        effect=float(status is CheckStatus.CRITICAL) if enough else None,
        reason=text,
    )


#: Adding a check is a function and a place here.
CHECKS: tuple[Callable[[Pair], Finding | None], ...] = (
    null_surge,
    unseen_category,
    out_of_range,
    stale,
)


def _judge_share(check: str, share: float, rows: int, limit: float, reason: str) -> Finding:
    warning, critical = (limit + part * (1 - limit) for part in (_WARNING, _CRITICAL))
    surely = wilson_limit(share, rows, upper=False)
    status = CheckStatus.OK
    if rows == 0:
        status = CheckStatus.INSUFFICIENT_DATA
    elif surely > critical:
        status = CheckStatus.CRITICAL
    elif surely > warning:
        status = CheckStatus.WARNING
    room = critical - limit
    return Finding(
        check=check,
        status=status,
        value=share if rows else None,
        rows=rows,
        limit=critical,
        effect=max(share - limit, 0.0) / room if rows and room > 0 else None,
        reason=reason if rows else "no values to check",
    )


def _name_joint_breaks(
    found: Sequence[tuple[Pair, Finding]],
) -> list[tuple[Pair, Finding]]:
    """Say so where several columns went null together: one source feeds them all.

    A column that is often null by itself joins them when it is null exactly where they are.
    """
    surges = [
        pair
        for pair, finding in found
        if finding.check == "null_surge" and finding.status is CheckStatus.CRITICAL
    ]
    if len(surges) < 2:
        return list(found)
    named = []
    for pair, finding in found:
        group = [other for other in surges if _went_together(pair, other)]
        if finding.check == "null_surge" and group:
            others = [other.current.name for other in surges if other is not pair]
            text = f"{finding.reason}; together with {_listed(others)}: one source feeds them all"
            joint = replace(finding, reason=text, status=CheckStatus.CRITICAL)
            named.append((pair, joint))
        else:
            named.append((pair, finding))
    return named


def _went_together(pair: Pair, other: Pair) -> bool:
    share = pair.current.null_share
    rose = share - pair.reference.null_share > _WARNING
    return rose and pair is not other and abs(share - other.current.null_share) <= _TOGETHER


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def _result(subject: Subject, reference: Reference, pair: Pair, finding: Finding) -> CheckResult:
    return CheckResult(
        measurement=subject.measurement(
            finding.check,
            finding.value,
            column=pair.current.name,
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
