"""The sign of life to somebody outside, who raises the alarm when it stays away."""

from __future__ import annotations

import urllib.error
import urllib.request
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from alerts.channels.slack import is_loopback


@dataclass(frozen=True, kw_only=True, slots=True)
class Heartbeat:
    """Where the sign of life goes.

    Parameters
    ----------
    url
        Whoever knows it can call it, so it is a secret.
    timeout
        Seconds for the call.
    """

    url: str = field(repr=False)
    method: str = "GET"
    timeout: float = 10.0

    def beat(self) -> str | None:
        """Call the address once; return None when it was taken, else a short word for what failed.

        The word never holds the address.
        """
        if urlsplit(self.url).scheme not in {"http", "https"}:
            return "the address is not http or https"
        body = b"" if self.method == "POST" else None
        request = urllib.request.Request(  # noqa: S310  the scheme was checked above
            self.url, data=body, method=self.method, headers={"User-Agent": "watchkeeper"}
        )
        handlers = [urllib.request.ProxyHandler({})] if is_loopback(self.url) else []
        try:
            with urllib.request.build_opener(*handlers).open(
                request, timeout=self.timeout
            ) as taken:
                taken.read(1024)
        except urllib.error.HTTPError as exc:
            with exc:
                return f"http_{exc.code}"
        except (OSError, ValueError) as exc:
            # Some errors carry the address in their text; their type says enough.
            return type(getattr(exc, "reason", exc)).__name__
        return None
