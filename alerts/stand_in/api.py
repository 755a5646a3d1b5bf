"""The Web API methods that the stand-in knows, as functions of a workspace and arguments."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from alerts.stand_in.workspace import BOT, RefusedError, Room, Workspace

Arguments = Mapping[str, Any]
Method = Callable[[Workspace, Arguments], dict[str, Any]]


def _auth_test(_workspace: Workspace, _given: Arguments) -> dict[str, Any]:
    return {"team": "Stand-in", "team_id": "T0STANDIN", "user": "watchkeeper", "user_id": BOT}


def _post(workspace: Workspace, given: Arguments) -> dict[str, Any]:
    channel = _required(given, "channel")
    message = workspace.post(channel, given)
    return {"channel": channel, "ts": message["ts"], "message": message}


def _update(workspace: Workspace, given: Arguments) -> dict[str, Any]:
    channel, ts = _required(given, "channel"), _required(given, "ts")
    message = workspace.update(channel, ts, given)
    return {"channel": channel, "ts": ts, "text": message["text"], "message": message}


def _post_ephemeral(workspace: Workspace, given: Arguments) -> dict[str, Any]:
    channel, user = _required(given, "channel"), _required(given, "user")
    message = workspace.post(channel, given)
    with workspace.changed:
        workspace.room(channel).messages[message["ts"]]["ephemeral_for"] = user
    return {"message_ts": message["ts"]}


def _delete(workspace: Workspace, given: Arguments) -> dict[str, Any]:
    channel, ts = _required(given, "channel"), _required(given, "ts")
    workspace.delete(channel, ts)
    return {"channel": channel, "ts": ts}


def _permalink(workspace: Workspace, given: Arguments) -> dict[str, Any]:
    channel, ts = _required(given, "channel"), _required(given, "message_ts")
    if ts not in workspace.room(channel).messages:
        raise RefusedError("message_not_found")
    return {"channel": channel, "permalink": f"/#{channel}/{ts}"}


def _history(workspace: Workspace, given: Arguments) -> dict[str, Any]:
    found = workspace.history(_required(given, "channel"))
    return _page(found[::-1], given)


def _replies(workspace: Workspace, given: Arguments) -> dict[str, Any]:
    thread = _required(given, "ts")
    found = workspace.history(_required(given, "channel"), thread=thread)
    root, replies = found[:1], found[1:]
    return _page(root + replies, given, keep=thread)


def _page(
    messages: list[dict[str, Any]], given: Arguments, *, keep: str | None = None
) -> dict[str, Any]:
    """Return one page of messages, between ``oldest`` and ``latest``, both exclusive."""
    oldest, latest = float(given.get("oldest") or 0), float(given.get("latest") or "inf")
    inside = [
        message
        for message in messages
        if oldest < float(message["ts"]) < latest or message["ts"] == keep
    ]
    start, limit = int(given.get("cursor") or 0), min(int(given.get("limit") or 100), 999)
    page = inside[start : start + limit]
    if str(given.get("include_all_metadata")).lower() not in {"true", "1"}:
        for message in page:
            message.pop("metadata", None)
    more = start + limit < len(inside)
    cursor = {"next_cursor": str(start + limit) if more else ""}
    return {"messages": page, "has_more": more, "response_metadata": cursor}


def _channel_info(workspace: Workspace, given: Arguments) -> dict[str, Any]:
    return {"channel": _described(workspace.room(_required(given, "channel")))}


def _channel_list(workspace: Workspace, _given: Arguments) -> dict[str, Any]:
    channels = [_described(room) for room in workspace.rooms()]
    return {"channels": channels, "response_metadata": {"next_cursor": ""}}


def _described(room: Room) -> dict[str, Any]:
    return {
        "id": room.id,
        "name": room.name,
        "is_archived": room.archived,
        "is_member": room.member,
    }


def _user_info(workspace: Workspace, given: Arguments) -> dict[str, Any]:
    user = _required(given, "user")
    if user not in workspace.users:
        raise RefusedError("user_not_found", user)
    return {"user": {"id": user, "name": workspace.users[user], "deleted": False}}


def _upload_url(workspace: Workspace, given: Arguments) -> dict[str, Any]:
    name = _required(given, "filename")
    with workspace.changed:
        key = f"F{len(workspace.files):08d}"
        alt = str(given.get("alt_txt") or "")
        workspace.files[key] = {"id": key, "name": name, "content": b"", "alt_txt": alt}
    return {"file_id": key, "upload_url": f"{given['_origin']}/upload/{key}"}


def _complete_upload(workspace: Workspace, given: Arguments) -> dict[str, Any]:
    files = given.get("files") or []
    listed = json.loads(files) if isinstance(files, str) else files
    done = []
    for item in listed:
        stored = workspace.files.get(item.get("id", ""))
        if stored is None:
            raise RefusedError("file_not_found")
        stored["title"] = item.get("title") or stored["name"]
        _share(workspace, stored, given)
        done.append({"id": stored["id"], "title": stored["title"]})
    return {"files": done}


def _share(workspace: Workspace, stored: dict[str, Any], given: Arguments) -> None:
    """Show a file as a message; Slack does so once for each time it is asked to."""
    channel = given.get("channel_id")
    if not channel:
        return
    alt = stored["alt_txt"] or stored["title"]
    image = {"type": "image", "slack_file": {"id": stored["id"]}, "alt_text": alt[:2000]}
    content = {"text": given.get("initial_comment") or stored["title"], "blocks": [image]}
    message = workspace.post(str(channel), {**content, "thread_ts": given.get("thread_ts")})
    with workspace.changed:
        message["files"] = [{"id": stored["id"], "title": stored["title"]}]
        stored.setdefault("channels", []).append(channel)


def _file_info(workspace: Workspace, given: Arguments) -> dict[str, Any]:
    stored = workspace.files.get(_required(given, "file"))
    if stored is None:
        raise RefusedError("file_not_found")
    facts = {name: value for name, value in stored.items() if name != "content"}
    return {"file": {**facts, "size": len(stored["content"]), "mode": "hosted"}}


def _open_connection(_workspace: Workspace, given: Arguments) -> dict[str, Any]:
    return {"url": f"{str(given['_origin']).replace('http', 'ws', 1)}/link"}


def _required(given: Arguments, name: str) -> str:
    value = given.get(name)
    if value in (None, ""):
        raise RefusedError("invalid_arguments", f"missing required field: {name}")
    return str(value)


#: Forms are not in the workspace; the server shows them.
OPEN_VIEW = "views.open"
METHODS: dict[str, Method] = {
    "auth.test": _auth_test,
    "chat.postMessage": _post,
    "chat.update": _update,
    "chat.postEphemeral": _post_ephemeral,
    "chat.delete": _delete,
    "chat.getPermalink": _permalink,
    "conversations.history": _history,
    "conversations.replies": _replies,
    "conversations.info": _channel_info,
    "conversations.list": _channel_list,
    "users.info": _user_info,
    "files.getUploadURLExternal": _upload_url,
    "files.completeUploadExternal": _complete_upload,
    "files.info": _file_info,
    "apps.connections.open": _open_connection,
}
