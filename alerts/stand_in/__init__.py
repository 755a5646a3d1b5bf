"""A stand-in for Slack: the same Web API on this machine, with faults on request and a page."""

from alerts.stand_in.faults import Fault, FaultKind
from alerts.stand_in.server import StandIn

__all__ = ["Fault", "FaultKind", "StandIn"]
