"""An update that could not be read is kept whole, and as a skeleton that holds nothing anybody wrote."""

import json
import re
from collections.abc import Mapping
from typing import Any

from telegram_channel.core.ids import SenderId, UpdateId
from telegram_channel.core.messages import Unreadable
from telegram_channel.tg.people import person_of
from telegram_channel.tg.raw import Malformed, optional_object


def unreadable(update: UpdateId, reason: str, raw: object) -> Unreadable:
    """The value for an update that could not be read, for `reason`. Never raises."""
    try:
        text = json.dumps(raw, default=lambda value: type(value).__name__)
    except (RecursionError, TypeError, ValueError):
        text = '"not even JSON"'
    return Unreadable(update, reason, possible_sender(raw), text, json.dumps(skeleton(raw)))


def possible_sender(raw: object) -> SenderId | None:
    """Who sent it, as far as that much can be read."""
    if not isinstance(raw, Mapping):
        return None
    for part in raw.values():
        if isinstance(part, Mapping) and "sender_chat" not in part:
            try:
                person = person_of(optional_object(part, "from") or optional_object(part, "user"))
            except Malformed:
                continue
            if person is not None:
                return person.sender
    return None


_FIELD = re.compile(r"[a-z][a-z0-9_]{0,63}")
_DEEPEST = 8
_WIDEST = 100


def shown(key: object) -> str:
    """A field's name; anything that does not look like one could be somebody's text."""
    return key if isinstance(key, str) and _FIELD.fullmatch(key) else "?"


def skeleton(value: object, depth: int = _DEEPEST) -> Any:
    """Keys and types, and of each array its first element: what an update looks like, not what it says."""
    if depth == 0:
        return "…"
    if isinstance(value, Mapping):
        return {shown(key): skeleton(part, depth - 1) for key, part in list(value.items())[:_WIDEST]}
    if isinstance(value, list):
        return [skeleton(part, depth - 1) for part in value[:1]]
    return type(value).__name__
