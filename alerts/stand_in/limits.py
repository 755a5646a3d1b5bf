"""Slack's rate limits, and a note of every caller that does not wait."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field


@dataclass(kw_only=True, slots=True)
class RateLimits:
    """Counts calls as Slack does.

    Parameters
    ----------
    on
        Whether calls are counted at all.
    burst
        Posts that a channel takes at once, before one a second.
    edits_per_minute
        ``chat.update``, over the whole workspace.
    impatient
        Calls that came before their Retry-After was over.
    """

    on: bool = False
    burst: int = 5
    edits_per_minute: int = 50
    impatient: list[str] = field(default_factory=list)
    _full_at: dict[str, float] = field(default_factory=dict)
    _shut_until: dict[str, float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self, method: str, channel: str) -> float:
        """Return 0 when the call may pass, else how many seconds it has to wait."""
        if not self.on or method not in {"chat.postMessage", "chat.update"}:
            return 0.0
        edit = method == "chat.update"
        key = method if edit else f"{method} {channel}"
        every = 60 / self.edits_per_minute if edit else 1.0
        ahead = every * (self.edits_per_minute if edit else self.burst)
        now = time.monotonic()
        with self._lock:
            if now < self._shut_until.get(key, 0.0):
                self.impatient.append(key)
                return self._shut_until[key] - now
            full = max(self._full_at.get(key, now), now) + every
            if full - now > ahead:
                self._shut_until[key] = now + every
                return every
            self._full_at[key] = full
            return 0.0
