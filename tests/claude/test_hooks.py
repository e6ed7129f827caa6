"""Hook calls as values and answers as the client's JSON, pinned by tables and by what must hold for any text."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegram_channel.claude.hooks import EVENTS, Malformed, hook_output, read_hook
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

INPUT = '{"command":"npm test","description":"Run the tests"}'
CALL = ToolCall("Bash", INPUT, "toolu_1", "")
CALL_FIELDS = {"tool_name": "Bash", "tool_input": INPUT, "tool_use_id": "toolu_1", "agent_id": ""}
MODE = '{"type":"setMode","mode":"acceptEdits","destination":"session"}'
RULE = (
    '{"type":"addRules","rules":[{"toolName":"Bash","ruleContent":"npm test:*"}],'
    '"behavior":"allow","destination":"localSettings"}'
)

SAID: Mapping[str, tuple[dict[str, Any], HookCall]] = {
    "a prompt": (
        {"event": "UserPromptSubmit", "prompt": '<channel chat_id="7">hi</channel>'},
        PromptSubmitted('<channel chat_id="7">hi</channel>'),
    ),
    "a call that starts": ({"event": "PreToolUse", **CALL_FIELDS}, ToolStarting(CALL)),
    "a subagent's call": (
        {"event": "PreToolUse", **CALL_FIELDS, "agent_id": "a1"},
        ToolStarting(ToolCall("Bash", INPUT, "toolu_1", "a1")),
    ),
    "a call that ran": ({"event": "PostToolUse", **CALL_FIELDS}, ToolEnded(CALL, ok=True)),
    "a call that failed": ({"event": "PostToolUseFailure", **CALL_FIELDS}, ToolEnded(CALL, ok=False)),
    "a call that the client denied": ({"event": "PermissionDenied", **CALL_FIELDS}, ToolDenied(CALL)),
    "a dialog without further choices": (
        {"event": "PermissionRequest", **CALL_FIELDS, "tool_use_id": "", "permission_suggestions": "[]"},
        PermissionAsked(ToolCall("Bash", INPUT), ()),
    ),
    "the end of a turn": (
        {"event": "Stop", "last_assistant_message": "**Done.**", "stop_hook_active": "false"},
        TurnEnded("**Done.**", again=False),
    ),
    "the end of a turn that a hook prolonged": (
        {"event": "Stop", "last_assistant_message": "", "stop_hook_active": "true"},
        TurnEnded("", again=True),
    ),
    "a piece of text": (
        {"event": "MessageDisplay", "message_id": "m", "index": "2", "delta": "lo", "final": "true"},
        TextShown("m", 2, "lo", final=True),
    ),
    "a notification": (
        {"event": "Notification", "message": "Claude needs you", "notification_type": "idle_prompt"},
        AttentionWanted("Claude needs you", "idle_prompt"),
    ),
}


@pytest.mark.parametrize(("arguments", "call"), list(SAID.values()), ids=list(SAID))
def test_a_hook_call_is_read_as_what_it_means(arguments: dict[str, Any], call: HookCall) -> None:
    assert read_hook(arguments) == call


def test_every_event_that_is_understood_is_pinned_here() -> None:
    assert {arguments["event"] for arguments, _ in SAID.values()} == set(EVENTS)


def test_the_choices_of_the_terminal_come_with_the_dialog_as_the_client_gave_them() -> None:
    call = read_hook({"event": "PermissionRequest", **CALL_FIELDS, "permission_suggestions": f"[{RULE},{MODE}]"})
    assert isinstance(call, PermissionAsked)
    assert [json.loads(one.raw) for one in call.suggestions] == [json.loads(RULE), json.loads(MODE)]
    assert all(one.words for one in call.suggestions)


def test_fields_that_an_older_client_does_not_have_are_empty() -> None:
    assert read_hook({"event": "PreToolUse", "tool_name": "Read"}) == ToolStarting(ToolCall("Read", ""))
    assert read_hook({"event": "Stop"}) == TurnEnded("", again=False)
    assert read_hook({"event": "Notification"}) == AttentionWanted("", "")


def test_values_that_are_handed_over_as_themselves_mean_the_same() -> None:
    given_input = json.loads(INPUT)
    starting = read_hook({"event": "PreToolUse", **CALL_FIELDS, "tool_input": given_input, "agent_id": None})
    assert isinstance(starting, ToolStarting)
    assert starting.call.fields() == given_input
    assert starting.call.agent == ""
    assert read_hook({"event": "Stop", "stop_hook_active": True}) == TurnEnded("", again=True)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"event": ""},
        {"event": "stop"},
        {"event": "SessionStart"},
        {"event": 7},
        {"event": ["Stop"]},
        {"event": "MessageDisplay"},
        {"event": "MessageDisplay", "index": "-1"},
        {"event": "MessageDisplay", "index": "9" * 5000},
        {"event": "MessageDisplay", "index": "\N{ARABIC-INDIC DIGIT ONE}"},
    ],
)
def test_what_means_nothing_is_malformed_and_is_not_quoted(arguments: dict[str, Any]) -> None:
    with pytest.raises(Malformed) as caught:
        read_hook({**arguments, "prompt": "a secret"})
    assert "secret" not in str(caught.value)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(
    [
        *("event", "prompt", "tool_name", "tool_input", "tool_use_id", "agent_id", "permission_suggestions"),
        *("last_assistant_message", "stop_hook_active", "message_id", "index", "delta", "final", "message"),
    ]
)


@given(event=st.sampled_from([*EVENTS, "Other"]), fields=st.dictionaries(NAMES, ANYTHING))
def test_any_arguments_are_a_hook_call_or_malformed_and_nothing_else(event: str, fields: dict[str, Any]) -> None:
    try:
        read_hook({**fields, "event": event})
    except Malformed:
        assert event in ("Other", "MessageDisplay")


@given(fields=st.dictionaries(NAMES, ANYTHING))
def test_a_call_that_starts_is_always_looked_at(fields: dict[str, Any]) -> None:
    """MUST T24: No odd field keeps a tool call from being looked at."""
    assert isinstance(read_hook({**fields, "event": "PreToolUse"}), ToolStarting)


STARTING = ToolStarting(CALL)
ASKED = PermissionAsked(CALL)
REFUSED = {"hookEventName": "PreToolUse", "permissionDecision": "deny", "permissionDecisionReason": "Not this."}


def decided(**decision: Any) -> dict[str, Any]:
    return {"hookSpecificOutput": {"hookEventName": "PermissionRequest", "decision": decision}}


ANSWERED: Mapping[str, tuple[HookCall, HookAnswer, dict[str, Any]]] = {
    "a refused call": (STARTING, RefuseTool("Not this."), {"hookSpecificOutput": REFUSED}),
    "a refused call that ends the turn": (
        STARTING,
        RefuseTool("Not this.", ends_turn=True),
        {"hookSpecificOutput": REFUSED, "continue": False, "stopReason": "Not this."},
    ),
    "a denial that comes before the dialog": (
        STARTING,
        DenyPermission("Not this."),
        {"hookSpecificOutput": REFUSED},
    ),
    "a granted permission": (ASKED, GrantPermission(), decided(behavior="allow")),
    "a granted permission with suggestions": (
        ASKED,
        GrantPermission((RULE, MODE)),
        decided(behavior="allow", updatedPermissions=[json.loads(RULE), json.loads(MODE)]),
    ),
    "a denied permission": (
        ASKED,
        DenyPermission("Use make test, not npm ✋"),
        decided(behavior="deny", message="Use make test, not npm ✋"),
    ),
    "a dialog of a stopped session": (
        ASKED,
        RefuseTool("Stopped.", ends_turn=True),
        decided(behavior="deny", message="Stopped."),
    ),
}


@pytest.mark.parametrize(("call", "answer", "output"), list(ANSWERED.values()), ids=list(ANSWERED))
def test_an_answer_has_the_shape_that_the_client_reads(
    call: HookCall, answer: HookAnswer, output: dict[str, Any]
) -> None:
    assert json.loads(hook_output(call, answer)) == output


CALLS = [call for _, call in SAID.values()]
ANSWERS: list[HookAnswer] = [NoObjection(), RefuseTool("no"), DenyPermission("no"), GrantPermission()]


@pytest.mark.parametrize("call", CALLS, ids=list(SAID))
@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: type(answer).__name__)
def test_every_other_pair_says_nothing(call: HookCall, answer: HookAnswer) -> None:
    """MUST T25: A hook's answer can hold a call back or answer a dialog, and nothing else."""
    may_say = {
        ToolStarting: (RefuseTool, DenyPermission),
        PermissionAsked: (RefuseTool, DenyPermission, GrantPermission),
    }
    expected = isinstance(answer, may_say.get(type(call), ()))
    assert bool(hook_output(call, answer)) is expected


def test_a_call_that_starts_can_never_be_granted() -> None:
    """MUST T26: Permission is granted in a dialog only: a starting call keeps the client's own rules."""
    assert hook_output(STARTING, GrantPermission((RULE,))) == ""


def test_a_suggestion_that_is_no_json_grants_nothing() -> None:
    with pytest.raises(ValueError, match="Expecting"):
        hook_output(ASKED, GrantPermission(("{broken",)))


@given(reason=st.text(), ends_turn=st.booleans())
def test_any_reason_arrives_as_it_was_given(reason: str, ends_turn: bool) -> None:
    output = json.loads(hook_output(STARTING, RefuseTool(reason, ends_turn)))
    assert output["hookSpecificOutput"]["permissionDecisionReason"] == reason
    assert ("continue" in output) is ends_turn
