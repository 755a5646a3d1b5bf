"""Slack's limits on messages, checked before Slack does, and how foreign strings are written."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

MAX_TEXT = 40_000
MAX_BLOCKS = 50
#: Slack refuses a message whose blocks exceed about this size, although each limit is kept.
MAX_TOTAL = 13_000

_BLOCK_TYPES = {"header", "section", "divider", "image", "context", "actions"}
_ELEMENTS = {"context": 10, "actions": 25}


def escape(text: str) -> str:
    """Return text in which nothing is a mention, a link or an entity.

    Examples
    --------
    >>> escape("<!channel> & co")
    '&lt;!channel&gt; &amp; co'
    """
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def clean(text: str, at_most: int) -> str:
    r"""Return foreign text on one line, without control and direction characters, and capped.

    Examples
    --------
    >>> clean("two\nlines", 80), clean("a long story", 7)
    ('two lines', 'a long…')
    """
    kept = (
        " " if unicodedata.category(char) in {"Cc", "Zl", "Zp"} else char
        for char in text
        if unicodedata.category(char) not in {"Cf", "Cs", "Co", "Cn"}
    )
    line = " ".join("".join(kept).split())
    return line if len(line) <= at_most else line[: at_most - 1].rstrip() + "…"


def words(text: str, at_most: int = 300) -> str:
    """Return foreign text for a place with formatting, where it must not call or mark anything.

    Examples
    --------
    >>> words("*loud* <@U1>")
    '∗loud∗ &lt;@U1&gt;'
    """
    line = clean(text, at_most).replace("`", "'").replace("*", "\N{ASTERISK OPERATOR}")
    return escape(line)


def code(name: str, at_most: int = 80) -> str:
    """Return a name as code.

    Examples
    --------
    >>> code("wind`_speed`")
    '`wind_speed`'
    """
    return f"`{escape(clean(name.replace('`', ''), at_most)) or '?'}`"


def problems(text: str, blocks: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what Slack would refuse about a message, one line each; empty when it is fine."""
    found = []
    if not text and not blocks:
        found.append("no_text: a message needs text or blocks")
    if len(text) > MAX_TEXT:
        found.append(f"msg_too_long: {len(text)} characters of text")
    if len(blocks) > MAX_BLOCKS:
        found.append(f"invalid_blocks: {len(blocks)} blocks")
    size = len(json.dumps(list(blocks), ensure_ascii=False))
    if size > MAX_TOTAL:
        found.append(f"msg_blocks_too_long: {size} characters of blocks")
    for index, block in enumerate(blocks):
        found += [f"invalid_blocks: block {index}: {why}" for why in _block(block)]
    ids = [block["block_id"] for block in blocks if "block_id" in block]
    if len(ids) != len(set(ids)):
        found.append("invalid_blocks: a block_id is used twice")
    return found


def view_problems(view: Mapping[str, Any]) -> list[str]:
    """Return what Slack would refuse about a form, one line each; empty when it is fine."""
    found = [] if view.get("type") == "modal" else [f"no view type {view.get('type')!r}"]
    for name in ("title", "submit", "close"):
        found += [f"{name}: {why}" for why in _text(view.get(name), 24, ("plain_text",))]
    found += _length(view.get("callback_id"), 255, "callback_id")
    found += _length(view.get("private_metadata", "-"), 3000, "private_metadata")
    blocks = view.get("blocks", ())
    if not 1 <= len(blocks) <= 100:
        found.append(f"{len(blocks)} blocks")
    for index, block in enumerate(blocks):
        whys = _input(block) if block.get("type") == "input" else _block(block)
        found += [f"block {index}: {why}" for why in whys]
    return found


def _input(block: Mapping[str, Any]) -> list[str]:
    found = _length(block.get("block_id", "-"), 255, "block_id")
    found += _text(block.get("label"), 2000, ("plain_text",))
    element = block.get("element", {})
    if element.get("type") != "radio_buttons":
        return [*found, f"no element type {element.get('type')!r}"]
    found += _length(element.get("action_id"), 255, "action_id")
    options = element.get("options", ())
    if not 1 <= len(options) <= 10:
        found.append(f"{len(options)} options")
    for option in options:
        found += _text(option.get("text"), 75) + _length(option.get("value"), 150, "value")
        found += _text(option["description"], 75) if "description" in option else []
    return found


def _block(block: Mapping[str, Any]) -> list[str]:
    kind = block.get("type")
    if kind not in _BLOCK_TYPES:
        return [f"no block type {kind!r}"]
    found = _length(block.get("block_id", "-"), 255, "block_id")
    if kind == "header":
        found += _text(block.get("text"), 150, ("plain_text",))
    if kind == "section":
        found += _section(block)
    if kind == "image":
        found += _length(block.get("alt_text"), 2000, "alt_text")
        if not ("slack_file" in block) ^ ("image_url" in block):
            found.append("expected either slack_file or image_url")
    if kind in _ELEMENTS:
        elements = block.get("elements", ())
        if not 1 <= len(elements) <= _ELEMENTS[kind]:
            found.append(f"{len(elements)} elements")
        for element in elements:
            found += _element(element)
    return found


def _section(block: Mapping[str, Any]) -> list[str]:
    fields = block.get("fields", ())
    found = _text(block["text"], 3000) if "text" in block else []
    if "text" not in block and not fields:
        found.append("a section needs text or fields")
    if len(fields) > 10:
        found.append(f"{len(fields)} fields")
    for item in fields:
        found += _text(item, 2000)
    return found


def _element(element: Mapping[str, Any]) -> list[str]:
    kind = element.get("type")
    if kind in {"mrkdwn", "plain_text"}:
        return _text(element, 3000)
    if kind == "image":
        return _length(element.get("alt_text"), 2000, "alt_text")
    found = _length(element.get("action_id"), 255, "action_id")
    if kind == "button":
        found += _text(element.get("text"), 75, ("plain_text",))
        found += _length(element.get("value", "-"), 2000, "value")
        found += _length(element.get("url", "-"), 3000, "url")
    elif kind == "static_select":
        found += _text(element.get("placeholder"), 150, ("plain_text",))
        options = element.get("options", ())
        if not 1 <= len(options) <= 100:
            found.append(f"{len(options)} options")
        for option in options:
            found += _text(option.get("text"), 75, ("plain_text",))
            found += _length(option.get("value"), 150, "value")
    else:
        found.append(f"no element type {kind!r}")
    return found


def _text(
    item: Mapping[str, Any] | None, most: int, kinds: Sequence[str] = ("mrkdwn", "plain_text")
) -> list[str]:
    if item is None or item.get("type") not in kinds:
        return [f"expected a text object of type {' or '.join(kinds)}"]
    return _length(item.get("text"), most, "text")


def _length(value: str | None, most: int, what: str) -> list[str]:
    size = 0 if value is None else len(value)
    return [] if 1 <= size <= most else [f"{what} has {size} characters, expected 1 to {most}"]
