from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.model import Evaluability, SeriesState, Severity
from alerts.policy import AlertPolicy, Rule
from alerts.rules import (
    KEEP,
    Judgement,
    Phase,
    Track,
    fold,
    judge,
    rebaseline,
    record,
    severity_of,
)
from monitor.model import CheckResult, CheckStatus, Family, Measurement, Threshold
from watchkeeper.window import Window

RULE = Rule(fire=2, of=3, clear_windows=3)
DAY_ZERO = datetime(2013, 6, 1, tzinfo=UTC)
WORDS = {"B": Judgement.BREACH, "-": Judgement.BETWEEN, "c": Judgement.CLEAR}


def day(number: int) -> datetime:
    return DAY_ZERO + timedelta(days=number)


def tell(words: str, rule: Rule = RULE, track: Track | None = None, first: int = 0) -> Track:
    track = track or Track(version=1)
    for number, word in enumerate(words, start=first):
        track = record(track, day(number), WORDS[word], rule)
    return track


def result(
    status: CheckStatus,
    *,
    effect: float | None = None,
    n: int = 1000,
    family: Family = Family.PERFORMANCE,
) -> CheckResult:
    window = Window(start=DAY_ZERO, end=day(1))
    return CheckResult(
        measurement=Measurement(
            model="flights",
            version=1,
            metric="log_loss",
            window=window,
            value=0.5,
            n_current=n,
            computed_at=day(1),
        ),
        threshold=Threshold(method="constant", upper=0.4),
        family=family,
        check="performance",
        status=status,
        reason="log loss is above its limit",
        effect=effect,
    )


@pytest.mark.parametrize(
    ("words", "state"),
    [
        ("", SeriesState.OK),
        ("B", SeriesState.PENDING),
        ("BB", SeriesState.FIRING),
        ("BcB", SeriesState.FIRING),
        ("BccB", SeriesState.PENDING),
        ("BBcc", SeriesState.RECOVERING),
        ("BBccc", SeriesState.OK),
        ("BBcc-", SeriesState.RECOVERING),
        ("BBcc-cc", SeriesState.RECOVERING),
        ("BBcc-ccc", SeriesState.OK),
        ("BB---------", SeriesState.FIRING),
        ("BBccB", SeriesState.RECOVERING),
        ("BBccBB", SeriesState.FIRING),
        ("BBcccB", SeriesState.PENDING),
        ("BBcccBB", SeriesState.FIRING),
    ],
)
def test_it_fires_at_two_of_three_and_clears_after_three_clear_windows(
    words: str, state: SeriesState
) -> None:
    assert tell(words).phase(RULE).state is state


def test_it_says_since_when() -> None:
    assert tell("cBcB").phase(RULE).since == day(1)


def test_a_value_near_the_limit_neither_fires_nor_clears() -> None:
    policy = AlertPolicy()
    near = judge(result(CheckStatus.OK, effect=0.9), labels_mature=True, policy=policy)
    clear = judge(result(CheckStatus.OK, effect=0.79), labels_mature=True, policy=policy)
    warned = judge(result(CheckStatus.WARNING, effect=1.2), labels_mature=True, policy=policy)

    assert (near, clear, warned) == (Judgement.BETWEEN, Judgement.CLEAR, Judgement.BETWEEN)


@pytest.mark.parametrize(
    ("given_result", "mature", "why"),
    [
        (result(CheckStatus.CRITICAL, effect=2), False, Evaluability.LATE_LABELS),
        (result(CheckStatus.CRITICAL, effect=2, n=35), True, Evaluability.INSUFFICIENT_N),
        (result(CheckStatus.INSUFFICIENT_DATA), True, Evaluability.INSUFFICIENT_N),
        (result(CheckStatus.FAILED), True, Evaluability.ERROR),
    ],
)
def test_a_window_without_a_verdict_says_why(
    given_result: CheckResult, mature: bool, why: Evaluability
) -> None:
    assert judge(given_result, labels_mature=mature, policy=AlertPolicy()) is why


def test_thirty_five_rows_are_too_few_for_drift_but_not_for_a_broken_contract() -> None:
    drift = result(CheckStatus.CRITICAL, n=35, family=Family.INPUT_DRIFT)
    broken = result(CheckStatus.CRITICAL, n=35, family=Family.DATA_CONTRACT)
    policy = AlertPolicy()

    assert judge(drift, labels_mature=False, policy=policy) is Evaluability.INSUFFICIENT_N
    assert judge(broken, labels_mature=False, policy=policy) is Judgement.BREACH


@pytest.mark.parametrize("words", ["", "B", "BB", "BBc"])
@pytest.mark.parametrize("why", [each for each in Evaluability if each is not Evaluability.OK])
def test_a_window_without_a_verdict_freezes_the_state(words: str, why: Evaluability) -> None:
    track = tell(words)
    frozen = track
    for number in range(len(words), len(words) + 10):
        frozen = record(frozen, day(number), why, RULE)

    assert frozen.phase(RULE) == track.phase(RULE)
    assert frozen.evaluability is why
    assert tell("c", track=frozen, first=20).evaluability is Evaluability.OK


def test_a_correction_replaces_the_old_word() -> None:
    track = record(tell("BB"), day(1), Judgement.CLEAR, RULE)

    assert track.phase(RULE).state is SeriesState.PENDING


judgements = st.lists(st.sampled_from("B-c"), max_size=KEEP)


@given(words=judgements, order=st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(words: list[str], order: object) -> None:
    numbered = list(enumerate(words))
    order.shuffle(numbered)  # type: ignore[attr-defined]
    track = Track(version=1)
    for number, word in numbered:
        track = record(track, day(number), WORDS[word], RULE)

    assert track.phase(RULE) == tell("".join(words)).phase(RULE)


@given(words=st.lists(st.sampled_from("B-c"), max_size=3 * KEEP))
def test_a_short_memory_forgets_nothing_of_the_state(words: list[str]) -> None:
    track = tell("".join(words))
    phase = Phase()
    for number, word in enumerate(words):
        phase = fold(phase, tell(word, first=number).judged, RULE)

    assert len(track.judged) <= KEEP
    assert track.phase(RULE) == phase


@given(words=judgements, repeated=st.integers(0, KEEP))
def test_the_same_window_twice_changes_nothing(words: list[str], repeated: int) -> None:
    track = tell("".join(words))
    if repeated < len(words):
        again = record(track, day(repeated), WORDS[words[repeated]], RULE)
        assert again == track


@given(words=judgements)
def test_a_phase_survives_its_json_form(words: list[str]) -> None:
    phase = tell("".join(words)).phase(RULE)

    assert Phase.from_json(phase.to_json()) == phase


def test_a_window_older_than_the_memory_changes_nothing() -> None:
    track = tell("c" * (KEEP + 5))

    assert record(track, day(0), Judgement.BREACH, RULE) == track


def test_a_new_version_starts_with_a_clean_sheet() -> None:
    renewed = rebaseline(tell("B"), 2, RULE)

    assert renewed.phase(RULE) == Phase()
    assert tell("B", track=renewed, first=1).phase(RULE).state is SeriesState.PENDING


def test_a_new_version_must_clear_an_old_trouble_by_its_own_windows() -> None:
    renewed = rebaseline(tell("BB"), 2, RULE)

    assert renewed.phase(RULE).state is SeriesState.RECOVERING
    assert tell("B", track=renewed, first=2).phase(RULE).state is SeriesState.RECOVERING
    assert tell("BB", track=renewed, first=2).phase(RULE).state is SeriesState.FIRING
    assert tell("ccc", track=renewed, first=2).phase(RULE).state is SeriesState.OK


@pytest.mark.parametrize(
    ("family", "decayed", "broken", "checked", "severity"),
    [
        (Family.PERFORMANCE, True, 0, 16, Severity.PAGE),
        (Family.PERFORMANCE, False, 0, 16, Severity.TICKET),
        (Family.DATA_CONTRACT, False, 1, 1, Severity.TICKET),
        (Family.DATA_CONTRACT, False, 7, 16, Severity.TICKET),
        (Family.DATA_CONTRACT, False, 8, 16, Severity.PAGE),
        (Family.INPUT_DRIFT, False, 16, 16, Severity.DIGEST),
        (Family.OUTPUT_DRIFT, False, 0, 16, Severity.TICKET),
    ],
)
def test_harm_decides_the_severity(
    family: Family, decayed: bool, broken: int, checked: int, severity: Severity
) -> None:
    policy = AlertPolicy()
    found = severity_of(family, decayed=decayed, broken=broken, checked=checked, policy=policy)

    assert found is severity


def test_drifted_predictions_are_told_while_no_labels_say_how_good_they_are() -> None:
    def severity(*, measured: bool) -> Severity:
        return severity_of(
            Family.OUTPUT_DRIFT,
            decayed=False,
            broken=1,
            checked=16,
            policy=AlertPolicy(),
            measured=measured,
        )

    assert severity(measured=False) is Severity.TICKET
    assert severity(measured=True) is Severity.DIGEST


def test_it_refuses_a_rule_that_can_never_fire() -> None:
    with pytest.raises(ValueError, match="expected 1 <= fire <= of"):
        Rule(fire=4, of=3, clear_windows=1)
