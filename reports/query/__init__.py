"""From the tables of all rooms to the view models; every list is paged in the database."""

from __future__ import annotations

from reports.query.reader import Reader

__all__ = ["Reader"]
