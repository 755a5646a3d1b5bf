from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from alerts.model import Verdict
from alerts.policy import Rule
from alerts.rules import Judged, Judgement
from alerts.verdicts import Episode, Precision, propose, told, wilson
from monitor.model import Family

RULE = Rule(fire=2, of=3, clear_windows=3)
WORDS = {"x": Judgement.BREACH, ".": Judgement.CLEAR, "-": Judgement.BETWEEN}


def episode(windows: str, *, worth: bool, fixed: bool = False) -> Episode:
    first = datetime(2013, 6, 1, tzinfo=UTC)
    judged = tuple(
        Judged(start=first + timedelta(days=day), judgement=WORDS[word])
        for day, word in enumerate(windows)
    )
    return Episode(worth=worth, series=(judged,), fixed=fixed)


def test_a_stricter_rule_that_keeps_what_was_useful_is_proposed() -> None:
    noise = [episode("..x.x...", worth=False) for _ in range(9)]
    stubborn = [episode("..xxxxx", worth=False) for _ in range(3)]
    useful = [episode("..xxxx..", worth=True), episode("..x.xxx.", worth=True)]
    proposal = propose([*noise, *stubborn, *useful], RULE)

    assert proposal is not None
    assert (proposal.rule.fire, proposal.rule.of) == (2, 2)
    assert (proposal.kept, proposal.dropped) == (2, 9)


def test_nothing_is_proposed_that_would_lose_what_was_useful() -> None:
    noise = [episode("..x.x...", worth=False) for _ in range(9)]

    assert propose([*noise, episode("..x.x..", worth=True)], RULE) is None


def test_nothing_is_proposed_on_few_verdicts_or_for_what_no_setting_changes() -> None:
    noise = [episode("..x.x...", worth=False) for _ in range(4)]
    fixed = [episode("..x.x...", worth=False, fixed=True) for _ in range(9)]

    assert propose(noise, RULE) is None
    assert propose(fixed, RULE) is None


def test_a_bug_in_the_data_was_worth_the_time_and_a_known_change_was_not() -> None:
    counts = {Verdict.USEFUL: 3, Verdict.DATA_BUG: 2, Verdict.KNOWN: 4, Verdict.NOISE: 1}
    found = Precision(model="flights", family=Family.PERFORMANCE, counts=counts, rule=RULE)

    assert (found.worth, found.judged) == (5, 10)
    assert told(found) == "performance of flights: 5 of 10 useful (95 % CI 24 % to 76 %)"


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_holds_the_share(counts: tuple[int, int]) -> None:
    hits, n = counts
    low, high = wilson(hits, n)

    assert 0 <= low <= hits / n <= high <= 1


@given(
    st.lists(st.tuples(st.text("x.-", min_size=2, max_size=9), st.booleans()), max_size=12),
    st.sampled_from([(1, 1), (1, 2), (2, 3), (3, 5)]),
)
def test_a_proposal_keeps_all_that_was_useful_and_drops_something(
    told_of: list[tuple[str, bool]], rule: tuple[int, int]
) -> None:
    present = Rule(fire=rule[0], of=rule[1], clear_windows=3)
    episodes = [episode(windows, worth=worth) for windows, worth in told_of]
    proposal = propose(episodes, present)
    if proposal is None:
        return

    known = [each for each in episodes if each.fires(present)]
    assert all(each.fires(proposal.rule) for each in known if each.worth)
    silent = [each for each in known if not each.fires(proposal.rule)]
    assert len(silent) == proposal.dropped > 0
