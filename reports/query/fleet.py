"""The overview: every model with its health, those in trouble first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy.orm import Session

from alerts.audit import newest_audit
from alerts.model import Severity
from monitor.model import CheckStatus
from reports.model import DeploymentRow, Health, ModelRow, ModelsView, Paging, WatchView
from reports.query import incidents, performance, versions
from reports.query.incidents import Burden
from reports.query.performance import Newest
from watchkeeper.model_settings import ModelSettings
from watchkeeper.tolerance import Better

_HEALTH = {
    CheckStatus.OK: Health.HEALTHY,
    CheckStatus.WARNING: Health.WARNING,
    CheckStatus.CRITICAL: Health.WARNING,
}


def overview(
    session: Session,
    models: Mapping[str, ModelSettings],
    *,
    search: str,
    page: int,
    size: int,
    now: datetime,
) -> ModelsView:
    """Return one page of the overview.

    Only the models of the page are looked at closely: what orders them, open incidents, is one
    small query over all.
    """
    burdens = incidents.burdens(session)
    known = sorted({*models, *versions.names(session)})
    wanted = [name for name in known if _matches(search, name, models.get(name))]
    wanted.sort(key=lambda name: (-_rank(burdens.get(name)), name))
    paging = Paging(number=page, size=size, total=len(wanted))
    shown = wanted[paging.offset : paging.offset + size]
    return ModelsView(
        rows=rows(session, models, shown, burdens),
        paging=paging,
        as_of=now,
        search=search,
        open_incidents=sum(burden.count for burden in burdens.values()),
        in_trouble=sum(name in burdens for name in known),
        watch=_watch(session),
    )


def rows(
    session: Session,
    models: Mapping[str, ModelSettings],
    names: Iterable[str],
    burdens: Mapping[str, Burden],
) -> tuple[ModelRow, ...]:
    """Return these models as the overview shows them, in the order given."""
    shown = list(names)
    metrics = {name: models[name].tolerance.metric for name in shown if name in models}
    champions = versions.champions(session, shown)
    newest = performance.newest(session, shown, metrics)
    return tuple(
        _row(name, models.get(name), champions.get(name), newest.get(name), burdens.get(name))
        for name in shown
    )


def _row(
    name: str,
    settings: ModelSettings | None,
    champion: DeploymentRow | None,
    newest: Newest | None,
    burden: Burden | None,
) -> ModelRow:
    judged = newest.judged if newest else None
    return ModelRow(
        name=name,
        zone=settings.windows.timezone.key if settings else "UTC",
        health=_health(newest, burden),
        task=settings.task if settings else None,
        owner=settings.owner.name if settings else None,
        team=settings.owner.team if settings else None,
        champion=champion.version if champion else None,
        deployed_at=champion.at if champion else None,
        last=newest.brief if newest else None,
        metric=settings.tolerance.metric if settings else None,
        value=judged.value if judged else None,
        lower=judged.lower if judged else None,
        upper=judged.upper if judged else None,
        verdict=judged.status if judged else None,
        limit=judged.limit if judged else None,
        higher_is_better=settings is None or settings.tolerance.better is Better.HIGHER,
        trend=newest.trend if newest else (),
        open_incidents=burden.count if burden else 0,
    )


def _watch(session: Session) -> WatchView:
    audit = newest_audit(session)
    return WatchView(ok=audit.ok, findings=audit.findings, seconds=audit.seconds)


def _health(newest: Newest | None, burden: Burden | None) -> Health:
    if burden is not None:
        return Health.CRITICAL if burden.severity is Severity.PAGE else Health.WARNING
    if newest is None:
        return Health.UNKNOWN
    return _HEALTH.get(newest.brief.status, Health.UNKNOWN)


def _rank(burden: Burden | None) -> int:
    return 0 if burden is None else 1 + burden.severity.rank


def _matches(search: str, name: str, settings: ModelSettings | None) -> bool:
    if not search:
        return True
    owner = (settings.owner.name, settings.owner.team or "") if settings else ()
    return any(search.casefold() in text.casefold() for text in (name, *owner))
