"""A further choice of the terminal becomes a button only when plain words can say all of what it does.

The client's suggestions are read strictly: an item of an unknown type, with a field too many or too few, or
too long to be told whole, is left out, and whoever wants it finds it in the terminal.

Left out on purpose, although they could be read: the mode that asks nobody any more (one tap on a phone
would open everything), rules that deny or ask (they are no way to allow the call at hand), and whatever
removes or replaces rules or folders (what it opens depends on what stands now, which we do not know).
"""

import json
import re
import unicodedata
from collections.abc import Callable, Mapping

from telegram_channel.core.permission import MOST_SUGGESTIONS, Suggestion
from telegram_channel.core.text import utf16_len
from telegram_channel.core.visible import visible

MOST_WORDS_UNITS = 300
"""UTF-16 units of a suggestion's words: more would not leave a card room for the request itself."""
_MOST_RAW_CHARACTERS = 2_000
_MOST_TEXT_CHARACTERS = 100_000

_TOOL = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,119}", re.ASCII)
_PLAIN_PATH = re.compile(r"[^\s`,]+")
"""A path that needs no marks around it to show where it begins and ends."""
_WHERE = {
    "session": "in this session",
    "localSettings": "in this project (only for you)",
    "projectSettings": "in this project (for everybody)",
    "userSettings": "everywhere",
}
"""How far a choice reaches (source: the client's `PermissionUpdateDestination`)."""
_MODES = {"acceptEdits": "accept-edits", "plan": "plan mode", "default": "the default mode"}
"""The modes a phone may switch to (source: the client's `PermissionMode`)."""

Item = Mapping[str, object]


def read_suggestions(text: str) -> tuple[Suggestion, ...]:
    """Those of the client's `permission_suggestions` that can be told whole, in its order; at most four.

    `text` is the JSON text of the list. It is untrusted: what is malformed yields nothing, never an error.
    """
    if len(text) > _MOST_TEXT_CHARACTERS:
        return ()
    try:
        items = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
        read = [_suggestion(item) for item in items] if isinstance(items, list) else []
    except (ValueError, RecursionError):
        return ()
    different = dict.fromkeys(one for one in read if one)
    return tuple(different)[:MOST_SUGGESTIONS]


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a key occurs twice")
    return fields


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _suggestion(item: object) -> Suggestion | None:
    if not isinstance(item, dict):
        return None
    kind = item.get("type")
    words = _KINDS[kind](item) if isinstance(kind, str) and kind in _KINDS else None
    raw = json.dumps(item)
    if words is None or utf16_len(words) > MOST_WORDS_UNITS or len(raw) > _MOST_RAW_CHARACTERS:
        return None
    return Suggestion(words, raw)


def _rules(item: Item) -> str | None:
    rules = item.get("rules")
    if set(item) != {"type", "rules", "behavior", "destination"} or item["behavior"] != "allow":
        return None
    return _always("allow", rules, _rule, item["destination"])


def _rule(rule: object) -> str | None:
    """What one rule lets through."""
    if not isinstance(rule, dict) or not {"toolName"} <= set(rule) <= {"toolName", "ruleContent"}:
        return None
    tool, content = rule["toolName"], rule.get("ruleContent", "*")
    if not isinstance(tool, str) or not _TOOL.fullmatch(tool) or not isinstance(content, str):
        return None
    if content == "*":
        return f"every use of {tool}"
    quoted = _quoted(content)
    return f"{quoted} ({tool})" if quoted else None


def _directories(item: Item) -> str | None:
    if set(item) != {"type", "directories", "destination"}:
        return None
    return _always("allow access to", item["directories"], _directory, item["destination"])


def _directory(path: object) -> str | None:
    if not isinstance(path, str):
        return None
    shown = visible(path, lines=False)
    return shown if _PLAIN_PATH.fullmatch(shown) and not _reorders(path) else _quoted(path)


def _mode(item: Item) -> str | None:
    mode = item.get("mode")
    if set(item) != {"type", "mode", "destination"} or item["destination"] != "session":
        return None
    return f"Switch to {_MODES[mode]} in this session" if isinstance(mode, str) and mode in _MODES else None


_KINDS: Mapping[str, Callable[[Item], str | None]] = {
    "addRules": _rules,
    "addDirectories": _directories,
    "setMode": _mode,
}


def _always(what: str, values: object, told: Callable[[object], str | None], destination: object) -> str | None:
    """`Always <what> a, b and c <where>`; None unless every part of it can be told."""
    if not isinstance(values, list) or not isinstance(destination, str) or destination not in _WHERE:
        return None
    names = [name for value in values if (name := told(value))]
    if not names or len(names) != len(values):
        return None
    *first, last = names
    both = f"{', '.join(first)} and {last}" if first else last
    return f"Always {what} {both} {_WHERE[destination]}"


def _quoted(text: str) -> str | None:
    """Text of somebody else between marks that it cannot close; None where it would not show as it is."""
    if not text.strip() or "`" in text or _reorders(text):
        return None
    return f"`{visible(text, lines=False)}`"


def _reorders(text: str) -> bool:
    """Whether phones would turn parts of the line around: letters and digits that run from right to left."""
    return any(unicodedata.bidirectional(char) in ("R", "AL", "AN") for char in text)
