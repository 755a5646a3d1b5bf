"""Precision per rule, from the verdicts of people."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.orm import Session

from alerts.model import Verdict
from alerts.precision import precisions
from alerts.verdicts import Precision, told
from reports.model import RuleRow
from watchkeeper.model_settings import ModelSettings


def rules(session: Session, models: Mapping[str, ModelSettings]) -> tuple[RuleRow, ...]:
    """Return the rules whose incidents were judged, the least precise first."""
    return tuple(_row(found) for found in precisions(session, models))


def _row(found: Precision) -> RuleRow:
    lower, upper = found.interval
    proposal = found.proposal
    return RuleRow(
        model=found.model,
        family=found.family,
        useful=found.worth,
        data_bug=found.counts.get(Verdict.DATA_BUG, 0),
        known=found.counts.get(Verdict.KNOWN, 0),
        noise=found.counts.get(Verdict.NOISE, 0),
        judged=found.judged,
        share=found.worth / found.judged,
        lower=lower,
        upper=upper,
        fire=found.rule.fire,
        of=found.rule.of,
        sentence=told(found),
        proposed_fire=None if proposal is None else proposal.rule.fire,
        proposed_of=None if proposal is None else proposal.rule.of,
        kept=None if proposal is None else proposal.kept,
        dropped=None if proposal is None else proposal.dropped,
    )
