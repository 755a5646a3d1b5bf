"""The rules of one model's alerts: when a series fires, how severe it is, how long things wait."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from alerts.model import Severity
from monitor.model import DETECTORS, Family

if TYPE_CHECKING:
    from watchkeeper.model_settings import ModelSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """When a series fires and clears.

    Parameters
    ----------
    fire, of
        Fires when ``fire`` of the last ``of`` windows with a verdict are breaches.
    clear_windows
        Clears after this many windows in a row that lie below the clear threshold.
    """

    fire: int
    of: int
    clear_windows: int

    def __post_init__(self) -> None:
        if not 1 <= self.fire <= self.of or self.clear_windows < 1:
            raise ValueError(f"expected 1 <= fire <= of and clear_windows >= 1, got {self}")


#: A contract is broken or it is not: one window is enough to know.
AT_ONCE = Rule(fire=1, of=1, clear_windows=2)
#: The detector of decay waits for enough evidence and for enough good windows itself.
AT_ALARM = Rule(fire=1, of=1, clear_windows=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertPolicy:
    """The rules of one model.

    Parameters
    ----------
    rule
        For performance and drift; broken contracts and pipelines follow ``contract_rule``.
    clear_ratio
        A window is clear only below this share of the limit, in effect units.
    min_n
        Fewer rows (labels for performance) give no verdict; contracts are exempt.
    severities
        Per family, before the harm gate.
    page_share
        A contract that breaks for at least this share of the columns pages at once.
    hold
        Quiet time after the last series has cleared, before the incident is resolved.
    reopen
        A breach this soon after the resolution reopens the same incident.
    group_wait
        How long an incident may gather series before anybody is told.
    ack_expires, mitigation_deadline
        How long an acknowledgement or a running repair keeps a page quiet.
    storm
        How many incidents of one team are told one by one within ten minutes.
    close_after
        A resolved incident that nobody judged is closed after this time.
    """

    rule: Rule = Rule(fire=2, of=3, clear_windows=3)
    contract_rule: Rule = AT_ONCE
    clear_ratio: float = 0.8
    min_n: int = 50
    severities: Mapping[Family, Severity] = field(
        default_factory=lambda: {
            Family.PERFORMANCE: Severity.TICKET,
            Family.DATA_CONTRACT: Severity.TICKET,
            Family.PIPELINE: Severity.TICKET,
            Family.OUTPUT_DRIFT: Severity.TICKET,
            Family.INPUT_DRIFT: Severity.DIGEST,
        }
    )
    page_share: float = 0.5
    hold: timedelta = timedelta(days=1)
    reopen: timedelta = timedelta(days=3)
    group_wait: timedelta = timedelta(0)
    ack_expires: timedelta = timedelta(hours=24)
    mitigation_deadline: timedelta = timedelta(days=2)
    close_after: timedelta = timedelta(hours=72)
    storm: int = 5

    def rule_of(self, family: Family, check: str) -> Rule:
        """Return the rule that series of a check follow."""
        if check in DETECTORS:
            return AT_ALARM
        contract = family in (Family.DATA_CONTRACT, Family.PIPELINE)
        return self.contract_rule if contract else self.rule


def policy_of(settings: ModelSettings) -> AlertPolicy:
    """Return the rules that a model's file asks for."""
    alerts = settings.alerts
    return AlertPolicy(
        rule=Rule(fire=alerts.fire, of=alerts.of, clear_windows=alerts.clear_windows),
        hold=alerts.hold,
        reopen=alerts.reopen,
    )
