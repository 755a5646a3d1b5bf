"""Everything that the pages ask for, as of one instant and one consistent view."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.orm import Session

from alerts.rows import IncidentRow as StoredIncident
from monitor.model import Family
from reports.model import (
    Filter,
    IncidentsView,
    IncidentView,
    ModelsView,
    ModelView,
    Paging,
    RuleRow,
    RulesView,
    RunsView,
    RunView,
    WindowsView,
)
from reports.query import (
    attribution,
    fleet,
    incidents,
    one_model,
    performance,
    runs,
    verdicts,
    versions,
)
from watchkeeper.errors import NotFoundError
from watchkeeper.model_settings import ModelSettings

PAGE = 50


class Reader:
    """Reads view models in one session.

    Parameters
    ----------
    models
        The settings of the models that are watched now, by name.
    now
        Event time.
    """

    def __init__(
        self, session: Session, models: Mapping[str, ModelSettings], *, now: datetime
    ) -> None:
        self._session = session
        self._models = models
        self._now = now
        self._zones = {name: each.windows.timezone.key for name, each in models.items()}

    def models(self, *, search: str = "", page: int = 1, size: int = PAGE) -> ModelsView:
        """Return one page of all models, those in trouble first."""
        return fleet.overview(
            self._session, self._models, search=search, page=page, size=size, now=self._now
        )

    def rules(self) -> RulesView:
        """Return what people said of the incidents of each rule, the least precise first."""
        return RulesView(rows=verdicts.rules(self._session, self._models), as_of=self._now)

    def model(
        self,
        name: str,
        *,
        feature: str = "",
        window: datetime | None = None,
        page: int = 1,
        windows_page: int = 1,
    ) -> ModelView:
        """Return one model.

        Parameters
        ----------
        feature, page
            Part of the name of the features to show, and which page of them.
        window
            Start of the window whose features are shown; None for the newest.

        Raises
        ------
        NotFoundError
            No settings, version or window bears this name.
        """
        self._require(name)
        return one_model.everything(
            self._session,
            self._models,
            name,
            now=self._now,
            feature=feature,
            window=window,
            page=page,
            windows_page=windows_page,
        )

    def windows(self, name: str, *, page: int = 1, size: int = PAGE) -> WindowsView:
        """Return one page of a model's windows, newest first; raises as `model` does."""
        self._require(name)
        return performance.windows(
            self._session, name, one_model.metric_of(self._models.get(name)), page=page, size=size
        )

    def incidents(
        self,
        *,
        state: Filter = Filter.OPEN,
        model: str = "",
        family: str = "",
        page: int = 1,
        size: int = PAGE,
    ) -> IncidentsView:
        """Return one page of incidents, newest first."""
        total = incidents.counted(self._session, state=state, model=model, family=family)
        paging = Paging(number=page, size=size, total=total)
        rows = incidents.listed(
            self._session, self._zones, state=state, paging=paging, model=model, family=family
        )
        return IncidentsView(
            rows=rows,
            paging=paging,
            as_of=self._now,
            state=state,
            model=model,
            family=family,
            open_total=incidents.counted(self._session, state=Filter.OPEN),
            # Replaying past windows takes a moment; those who look at what is open do not wait.
            rules=() if state is Filter.OPEN else self._rules(model, family),
        )

    def incident(self, number: int) -> IncidentView:
        """Return one incident.

        Raises
        ------
        NotFoundError
            There is none of this number.
        """
        stored = self._session.get(StoredIncident, number) if number < 2**31 else None
        if stored is None:
            raise NotFoundError("incident", str(number))
        row = incidents.to_row(stored, self._zones)
        timeline = one_model.timeline_around(
            self._session,
            self._models.get(row.model),
            row.model,
            start=stored.started_at,
            end=row.resolved_at or self._now,
        )
        return IncidentView(
            row=row,
            as_of=self._now,
            audit=incidents.history(self._session, number),
            deliveries=incidents.deliveries(self._session, number),
            evidence=incidents.evidence(self._session, stored),
            timeline=timeline,
            runs=runs.between(
                self._session,
                self._zones,
                row.model,
                stored.started_at,
                row.resolved_at or self._now,
            ),
            reopened=stored.reopen_count,
            revision=stored.revision,
            burn=incidents.burn(self._session, stored),
            attribution=attribution.behind(
                self._session,
                row.model,
                start=stored.started_at,
                end=row.resolved_at or self._now,
            )
            if row.family is Family.PERFORMANCE
            else None,
        )

    def runs(
        self, *, model: str = "", state: str = "", page: int = 1, size: int = PAGE
    ) -> RunsView:
        """Return one page of retrain runs and refusals, newest first."""
        total = runs.counted(self._session, model=model, state=state)
        paging = Paging(number=page, size=size, total=total)
        rows = runs.listed(self._session, self._zones, paging, model=model, state=state)
        return RunsView(rows=rows, paging=paging, as_of=self._now, model=model, state=state)

    def run(self, key: str) -> RunView:
        """Return one run or refusal.

        Raises
        ------
        NotFoundError
            There is none of this key.
        """
        row, stored = runs.one(self._session, self._zones, key)
        return RunView(
            row=row,
            as_of=self._now,
            log=runs.log_tail(stored),
            facts=runs.facts(stored),
            quarantined=runs.quarantined(self._session, row.model, None, row.requested_at),
        )

    def _rules(self, model: str, family: str) -> tuple[RuleRow, ...]:
        return tuple(
            rule
            for rule in verdicts.rules(self._session, self._models)
            if model in ("", rule.model) and family in ("", rule.family)
        )

    def _require(self, name: str) -> None:
        if name in self._models or versions.exists(self._session, name):
            return
        raise NotFoundError("model", name)
