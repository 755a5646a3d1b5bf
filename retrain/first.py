"""The first version of a model, from a table of labelled rows."""

from __future__ import annotations

