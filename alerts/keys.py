"""Names that stay the same while the trouble is the same: no window, value, run or version."""

from __future__ import annotations

import hashlib
import json
import uuid

from monitor.model import CheckResult, Family

#: Begins the scope of an incident about labels that do not come.
LABELS = "labels:"
_NAMESPACE = uuid.UUID("0d5d9f0e-6a58-4c39-9a1b-6d1c7c3f7a52")


def series_key(model: str, slot: str, result: CheckResult) -> str:
    """Return the key of the series that a check result belongs to.

    The rule (family, check, metric), the segment and the column make a series; what was measured,
    when, by which run and against which limit do not.
    """
    measurement = result.measurement
    rule = f"{result.family}.{result.check}.{measurement.metric}"
    return _digest("series", model, slot, rule, measurement.segment, measurement.column)


def incident_key(slot: str, family: Family, scope: str) -> str:
    """Return the key under which one incident at a time may be live.

    Columns, segments and models are its members, not part of its name: nine broken columns of one
    source are one incident.

    Examples
    --------
    >>> incident_key("production", Family.PERFORMANCE, "flights")[:12]
    'c0dafa670687'
    """
    return _digest("incident", slot, str(family), scope)


def delivery_id(incident_uid: str, destination: str, kind: str, revision: int) -> str:
    """Return the name that a message carries in its metadata, the same at every attempt.

    Examples
    --------
    >>> first = delivery_id("9f", "slack:C1", "root", 1)
    >>> first == delivery_id("9f", "slack:C1", "root", 1)
    True
    >>> first == delivery_id("9f", "slack:C1", "root", 2)
    False
    """
    return str(uuid.uuid5(_NAMESPACE, json.dumps([incident_uid, destination, kind, revision])))


def _digest(*parts: str | None) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
