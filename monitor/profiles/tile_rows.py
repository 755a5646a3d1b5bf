"""How many rows and labels stored profiles hold, without reading them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from monitor.profiles.repository import ProfileRow


def tile_rows(
    session: Session, model: str, version: int, *, since: datetime | None
) -> dict[datetime, tuple[int, int]]:
    """Return rows and labels of the stored tiles of a version, from ``since`` on."""
    query = select(ProfileRow.tile_start, ProfileRow.rows, ProfileRow.labels).where(
        ProfileRow.model == model, ProfileRow.version == version, ProfileRow.segment == ""
    )
    if since is not None:
        query = query.where(ProfileRow.tile_start >= since)
    return {start: (rows, labels) for start, rows, labels in session.execute(query)}


def newest_tile(session: Session, model: str) -> datetime | None:
    """Return the start of the newest stored tile of a model; None without any."""
    return session.scalar(
        select(ProfileRow.tile_start)
        .where(ProfileRow.model == model)
        .order_by(ProfileRow.tile_start.desc())
        .limit(1)
    )
