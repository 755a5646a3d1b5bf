"""Whether a request comes from Slack: the signature over its raw body, and its age."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence

#: Seconds by which a request's time may differ from ours.
WINDOW = 300


def is_from_slack(
    body: bytes, headers: Mapping[str, str], *, secrets: Sequence[str], now: float
) -> bool:
    """Tell whether a request was signed with one of the secrets a short while ago.

    It never raises, whatever the body and the headers hold: anybody may call this address.

    Parameters
    ----------
    headers
        Names in any case.
    secrets
        The present one, and while it is being changed the one before.
    now
        Seconds since 1970.

    Examples
    --------
    The example that Slack publishes:

    >>> body = (b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
    ...     b"&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner"
    ...     b"&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2F"
    ...     b"commands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
    ...     b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c")
    >>> headers = {"X-Slack-Request-Timestamp": "1531420618", "X-Slack-Signature":
    ...     "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"}
    >>> secret = "8f742231b10e8888abcd99yyyzzz85a5"
    >>> is_from_slack(body, headers, secrets=[secret], now=1531420618.0)
    True
    >>> is_from_slack(body, headers, secrets=[secret], now=1531421000.0)
    False
    """
    given = {name.lower(): value for name, value in headers.items()}
    stamp = given.get("x-slack-request-timestamp", "")
    signature = given.get("x-slack-signature", "")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12 and signature.isascii()):
        return False
    if abs(now - int(stamp)) > WINDOW:
        return False
    signed = b":".join([b"v0", stamp.encode(), body])
    return any(
        hmac.compare_digest(
            f"v0={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}", signature
        )
        for secret in secrets
        if secret
    )
