"""Open a project: read its settings, bring its database up to date, train what has no version."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from alerts.calendars import require_calendars
from retrain.first import train_first
from retrain.register import table_path
from service.bootstrap import Service
from service.check import refuse_unowned
from service.web.tokens import ensure_token_file
from watchkeeper.clock import Clock, SystemClock
from watchkeeper.database import read
from watchkeeper.errors import ConfigurationError
from watchkeeper.migrations import check, upgrade
from watchkeeper.model_settings import load_models
from watchkeeper.registry.repository import Deployments
from watchkeeper.settings import Settings, load_settings

Say = Callable[[str], None]


def open_service(
    home: Path,
    environ: Mapping[str, str],
    *,
    clock: Clock | None = None,
    changes: Callable[[Settings], Settings] | None = None,
) -> Service:
    """Read the configuration of ``home``; nothing is started.

    Parameters
    ----------
    clock
        Event time; by default the machine's.
    changes
        What the command line says otherwise.

    Raises
    ------
    ConfigurationError
        Something in it is wrong, or there is no model.
    """
    settings = load_settings(home, environ)
    models = load_models(home, environ)
    if not models:
        raise ConfigurationError(
            "expected at least one model, models/*.yaml; `watchkeeper init DIR` writes an example",
            path=settings.home,
        )
    refuse_unowned(home, settings, environ)
    require_calendars(settings.teams)
    if changes is not None:
        settings = changes(settings)
    return Service(settings=settings, models=models, clock=clock or SystemClock())


def open_existing(home: Path, environ: Mapping[str, str]) -> Service:
    """Open a project whose database is there and of this release, to look at it or change it.

    Raises
    ------
    ConfigurationError, DatabaseError
        The configuration is wrong; there is no database yet, or one of another release.
    """
    service = open_service(home, environ)
    check(service.engine)
    return service


def prepare(service: Service) -> str:
    """Bring database and token up to date; return the administrator's token."""
    upgrade(service.engine)
    return ensure_token_file(service.engine, service.settings.ui.token_file)


def train_missing(service: Service, say: Say) -> list[str]:
    """Train the first version of each model that has none and says how; return their names.

    Parameters
    ----------
    say
        Told what is being done, in one line each.
    """
    trained = []
    for name, settings in service.models.items():
        if settings.retrain is None or settings.retrain.data is None or _deployed(service, name):
            continue
        say(f"Training version 1 of {name} on {settings.retrain.data}")
        table = table_path(settings, service.settings.home)
        train_first(service.workplace, settings, str(table))
        trained.append(name)
    return trained


def _deployed(service: Service, name: str) -> bool:
    with read(service.engine) as session:
        return Deployments(session).current(name) is not None
