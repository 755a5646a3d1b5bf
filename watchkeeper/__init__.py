"""The kernel of watchkeeper; the only package that user code imports."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from watchkeeper.client import Client
    from watchkeeper.training import TrainingContext, TrainingFrame

__all__ = ["Client", "TrainingContext", "TrainingFrame"]

#: Public name and the module that has it; a module is imported when its name is first used.
_LAZY = {
    "Client": "watchkeeper.client",
    "TrainingContext": "watchkeeper.training",
    "TrainingFrame": "watchkeeper.training",
}


def __getattr__(name: str) -> object:
    if name not in _LAZY:
        raise AttributeError(f"module 'watchkeeper' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
