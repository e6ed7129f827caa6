"""What the client's hooks look like on the wire: a tool call's arguments to a value, an answer to its JSON output.

`hooks/hooks.json` makes the client call the tool `session_hook` of this server with a literal `event` and
with fields of the hook's own JSON. The tool is not listed, so the model neither sees nor can call it. Source
of the events, their fields and the shape of the output: the hooks reference of Claude Code.

Whatever is not understood changes nothing for the client, with one exception on the safe side: a tool call
that starts is always understood, so that no odd field can keep it from being looked at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from telegram_channel.core.hooks import (
    AttentionWanted,
    DenyPermission,
    GrantPermission,
    HookAnswer,
    HookCall,
    NoObjection,
    PermissionAsked,
    PromptSubmitted,
    RefuseTool,
    TextShown,
    ToolCall,
    ToolDenied,
    ToolEnded,
    ToolStarting,
    TurnEnded,
)
from telegram_channel.core.suggestions import read_suggestions

TOOL = "session_hook"
"""The tool that hooks call. It must never be in the list of tools."""
MODEL_CALL = "claudecode/toolUseId"
"""The key of `_meta` that only calls by the model carry (seen: clients 2.1.197 and 2.1.328)."""
NOTHING = ""
"""The output of a hook that has nothing to say: the client goes on."""

_INDEX = re.compile(r"\d{1,9}", re.ASCII)


class Malformed(ValueError):
    """A hook call has no known event, or a field without which it means nothing."""


def read_hook(arguments: Mapping[str, Any]) -> HookCall:
    """What a hook call says. Fields arrive as strings; a missing one is an empty string.

    Raises:
        Malformed: nothing can be made of it. The message never quotes the client.
    """
    reader = _READERS.get(_text(arguments, "event"))
    if reader is None:
        raise Malformed("the event is missing or unknown")
    return reader(arguments)


def hook_output(call: HookCall, answer: HookAnswer) -> str:
    """The text that gives the client `answer`; empty where there is nothing to say.

    Refusals hold a call back at its start as well as in its dialog. Permission is granted in a dialog only.

    Raises:
        ValueError: an accepted suggestion is not the JSON that the client gave.
    """
    match call, answer:
        case ToolStarting(), RefuseTool(reason, ends_turn):
            return _refusal(reason, ends_turn=ends_turn)
        case ToolStarting(), DenyPermission(message):
            return _refusal(message, ends_turn=False)
        case PermissionAsked(), RefuseTool(reason, _):
            return _decision({"behavior": "deny", "message": reason})
        case PermissionAsked(), DenyPermission(message):
            return _decision({"behavior": "deny", "message": message})
        case PermissionAsked(), GrantPermission(updates):
            decision: dict[str, Any] = {"behavior": "allow"}
            if updates:
                decision["updatedPermissions"] = [json.loads(one) for one in updates]
            return _decision(decision)
        case _, NoObjection() | RefuseTool() | DenyPermission() | GrantPermission():
            return NOTHING


def _refusal(reason: str, *, ends_turn: bool) -> str:
    output: dict[str, Any] = {
        "hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": "deny",
            "permissionDecisionReason": reason,
        }
    }
    if ends_turn:
        # Alone it would end the turn and let this very call run: the refusal above is what stops it.
        output |= {"continue": False, "stopReason": reason}
    return json.dumps(output, ensure_ascii=False)


def _decision(decision: Mapping[str, Any]) -> str:
    output = {"hookSpecificOutput": {"hookEventName": "PermissionRequest", "decision": decision}}
    return json.dumps(output, ensure_ascii=False)


def _text(arguments: Mapping[str, Any], name: str) -> str:
    """A field as the client's template would have written it, should a client hand over the value itself."""
    value = arguments.get(name, "")
    if isinstance(value, str):
        return value
    try:
        return "" if value is None else json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return ""


def _flag(arguments: Mapping[str, Any], name: str) -> bool:
    return _text(arguments, name) == "true"


def _call(arguments: Mapping[str, Any]) -> ToolCall:
    return ToolCall(
        _text(arguments, "tool_name"),
        _text(arguments, "tool_input"),
        _text(arguments, "tool_use_id"),
        _text(arguments, "agent_id"),
    )


def _asked(arguments: Mapping[str, Any]) -> PermissionAsked:
    return PermissionAsked(_call(arguments), read_suggestions(_text(arguments, "permission_suggestions")))


def _ended(arguments: Mapping[str, Any]) -> TurnEnded:
    return TurnEnded(
        _text(arguments, "last_assistant_message"),
        _flag(arguments, "stop_hook_active"),
        _running(_text(arguments, "background_tasks")),
    )


def _running(tasks: str) -> int:
    """How many of the client's background tasks are running; older clients name none."""
    try:
        listed = json.loads(tasks)
    except (ValueError, RecursionError):
        return 0
    found = listed if isinstance(listed, list) else []
    return sum(1 for one in found if isinstance(one, dict) and one.get("status") == "running")


def _shown(arguments: Mapping[str, Any]) -> TextShown:
    index = _text(arguments, "index")
    if not _INDEX.fullmatch(index):
        raise Malformed("the index of a piece of text is no number")
    return TextShown(_text(arguments, "message_id"), int(index), _text(arguments, "delta"), _flag(arguments, "final"))


_READERS: Mapping[str, Callable[[Mapping[str, Any]], HookCall]] = {
    "UserPromptSubmit": lambda given: PromptSubmitted(_text(given, "prompt"), _text(given, "prompt_id")),
    "PreToolUse": lambda given: ToolStarting(_call(given)),
    "PostToolUse": lambda given: ToolEnded(_call(given), ok=True),
    "PostToolUseFailure": lambda given: ToolEnded(_call(given), ok=False),
    "PermissionDenied": lambda given: ToolDenied(_call(given)),
    "PermissionRequest": _asked,
    "Stop": _ended,
    "MessageDisplay": _shown,
    "Notification": lambda given: AttentionWanted(_text(given, "message"), _text(given, "notification_type")),
}

EVENTS = tuple(_READERS)
"""Every event that is understood."""
