"""The channel page: static files, and the state that they draw."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from alerts.stand_in.views import Views
from alerts.stand_in.workspace import BOT, Workspace

_KINDS = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


def asset(name: str) -> tuple[bytes, str] | None:
    """Return a file of the page and its type, or None when there is none of that name."""
    kind = _KINDS.get(name.rpartition(".")[2])
    if kind is None or "/" in name or name.startswith("."):
        return None
    file = resources.files("alerts.stand_in") / "assets" / name
    return (file.read_bytes(), f"{kind}; charset=utf-8") if file.is_file() else None


def page(workspace: Workspace, views: Views) -> bytes:
    """Return the page with the present state in it, so that it is drawn at once."""
    document, _ = asset("page.html") or (b"", "")
    # Text of a message must not end the script element that carries it.
    data = json.dumps(state(workspace, views)).replace("<", "\\u003c")
    return document.replace(b"{{state}}", data.encode())


def state(workspace: Workspace, views: Views) -> dict[str, Any]:
    """Return everything that the page shows."""
    with workspace.changed:
        rooms = [
            {
                "id": room.id,
                "name": room.name,
                "archived": room.archived,
                "messages": [
                    {
                        name: message[name]
                        for name in (
                            "ts",
                            "user",
                            "text",
                            "blocks",
                            "thread_ts",
                            "subtype",
                            "edited",
                            "ephemeral_for",
                        )
                        if name in message
                    }
                    for message in room.messages.values()
                ],
            }
            for room in sorted(workspace.rooms(), key=lambda room: room.name)
        ]
        return {
            "revision": workspace.revision,
            "bot": BOT,
            "users": workspace.users,
            "channels": rooms,
            "forms": views.shown(),
        }
