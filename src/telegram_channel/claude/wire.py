"""What the channel contract looks like on the wire: names, and values to and from JSON objects.

Source of every name and shape here: the channels reference of Claude Code.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telegram_channel.core.events import ChannelEvent
    from telegram_channel.core.permission import Behavior, PermissionRequest

SERVER_NAME = "telegram"
EXPERIMENTAL: Mapping[str, dict[str, Any]] = {"claude/channel": {}, "claude/channel/permission": {}}
"""The capabilities that make a server a channel, and one that permission requests are relayed to."""

EVENT_METHOD = "notifications/claude/channel"
PERMISSION_METHOD = "notifications/claude/channel/permission"
PERMISSION_REQUEST_METHOD = "notifications/claude/channel/permission_request"

REQUEST_ID = re.compile(r"[a-km-z]{5}", re.IGNORECASE | re.ASCII)
"""Five letters a-z without l, which looks like a one on a phone."""

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class Malformed(ValueError):
    """A notification of the client does not have the shape the contract promises."""


def encodable(text: str) -> str:
    """The text with every lone surrogate replaced: half a character has no UTF-8."""
    return _LONE_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)


def event_params(event: ChannelEvent) -> dict[str, Any]:
    """The parameters of the notification that carries `event`."""
    return {
        "content": encodable(event.content),
        "meta": {key: encodable(value) for key, value in event.meta.items()},
    }


def verdict_params(request_id: str, behavior: Behavior) -> dict[str, Any]:
    """The parameters of the notification that answers a permission request."""
    return {"request_id": request_id, "behavior": behavior.value}


def permission_request(params: Mapping[str, Any]) -> PermissionRequest:
    """The request that a client relayed, its four fields verbatim.

    Raises:
        Malformed: a field is missing or no string, or the id could never be typed as an answer. The
            message names the field and never quotes the client.
    """
    from telegram_channel.core.permission import PermissionRequest  # its many values would slow the start

    fields = {name: params.get(name) for name in ("request_id", "tool_name", "description", "input_preview")}
    for name, value in fields.items():
        if not isinstance(value, str):
            raise Malformed(f"{name} is missing or no string")
    if not REQUEST_ID.fullmatch(fields["request_id"] or ""):
        raise Malformed("request_id is not five letters a-z without l")
    return PermissionRequest(**{name: str(value) for name, value in fields.items()})


_ESCAPES = re.compile(
    rb"\\\\|\\u[dD][89abAB][\dA-Fa-f]{2}\\u[dD][c-fC-F][\dA-Fa-f]{2}|(\\u[dD][89a-fA-F][\dA-Fa-f]{2})"
)
"""An escaped backslash, a whole surrogate pair, or (in the group) half of one."""


def paired(line: bytes) -> bytes:
    """A line of JSON in which every half of a surrogate pair is the replacement character.

    A client cuts texts by UTF-16 units, so half a character may come; JSON allows its escape, UTF-8 does not.
    """
    return _ESCAPES.sub(lambda found: b"\\ufffd" if found[1] else found[0], line)
