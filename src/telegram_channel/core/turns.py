"""Turns of the session: what was read in one, what was answered, what is running, and when one is over.

All that is known comes from hooks, and a hook may be missing: an Esc in the terminal ends a turn without
any, and a prompt may begin one that nobody told us of. So a turn counts as in flight from its first sign
until a sign of its end, and `is_busy` believes it only for as long as something is heard of it.
"""

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import assert_never

from telegram_channel.core.hooks import (
    AttentionWanted,
    HookCall,
    PermissionAsked,
    PromptSubmitted,
    TextShown,
    ToolCall,
    ToolDenied,
    ToolEnded,
    ToolStarting,
    TurnEnded,
)
from telegram_channel.core.ids import ChatId, MessageId, ThreadId

IDLE = "idle_prompt"
"""The kind of a notification that says that nothing is going on (source: Claude Code hooks reference)."""
PERMISSION = "permission_prompt"
"""The kind of one that says that a permission dialog is open (same source)."""
_NOBODY_WAITS = frozenset({IDLE, "auth_success", "elicitation_complete", "elicitation_response"})
"""Kinds that say that something is over, or that nothing was begun."""
_MOST_RUNNING = 500
"""Calls whose end is awaited; one whose end was never told must not stay for ever."""


@dataclass(frozen=True, slots=True)
class Where:
    """A chat, or one topic of it."""

    chat: ChatId
    thread: ThreadId | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A message that the session read in this turn."""

    where: Where
    message: MessageId


def _nothing_runs() -> Mapping[str, ToolCall]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Turn:
    """What is known about the turn that is in flight, or was last."""

    number: int = 0
    """0 before the first one, then 1, 2, …"""
    in_flight: bool = False
    began_at: datetime | None = None
    heard_at: datetime | None = None
    """When a hook last said anything."""
    asked: tuple[Asked, ...] = ()
    answered: frozenset[Where] = frozenset()
    """Where something was sent to in this turn."""
    running: Mapping[str, ToolCall] = field(default_factory=_nothing_runs)
    """Tool calls that have started and not ended, by their `use`."""
    left_behind: int = 0
    """Tasks that were still running in the background when it ended."""
    own: str = ""
    """The client's own id of the turn; empty where it names none."""
    answered_chats: frozenset[ChatId] = frozenset()
    """Chats in which something was changed (an edit, a reaction), whatever the topic."""
    wanted_at: datetime | None = None
    """When somebody last began a turn: those that begin by themselves go on with what was wanted before."""

    def has_answered(self, where: Where) -> bool:
        """Whether anything reached this place in this turn, in whatever way."""
        return where in self.answered or where.chat in self.answered_chats


@dataclass(frozen=True, slots=True)
class TurnRules:
    """For how long silence in a turn still means that it goes on."""

    quiet_s: float = 600
    """Without a running tool: Claude thinks for minutes, but not for longer than this."""
    quiet_in_tool_s: float = 7200
    """With one: a build may take long, and nothing is heard of it until it ends."""


DEFAULT_RULES = TurnRules()


def is_busy(turn: Turn, now: datetime, rules: TurnRules = DEFAULT_RULES) -> bool:
    """Whether the session is at work: in flight, and heard of not too long ago."""
    if not turn.in_flight or turn.heard_at is None:
        return False
    patience_s = rules.quiet_in_tool_s if turn.running else rules.quiet_s
    return now - turn.heard_at < timedelta(seconds=patience_s)


def after(turn: Turn, call: HookCall, now: datetime) -> Turn:
    """The turn as it is once this was heard."""
    heard = replace(turn, heard_at=now)
    match call:
        case PromptSubmitted(turn=own):
            if joins(turn, call):
                return heard
            return replace(_next(turn, now), own=own, wanted_at=turn.wanted_at if call.is_by_itself else now)
        case ToolStarting(call=tool):
            return _with_running(_at_work(heard, tool, now), tool)
        case ToolEnded(call=tool) | ToolDenied(call=tool):
            return _without_running(heard, tool)
        case TurnEnded(left_behind=left_behind):
            return replace(_over(heard), left_behind=left_behind)
        case AttentionWanted():
            return _over(heard) if kind_of(call) == IDLE else heard
        case PermissionAsked() | TextShown():
            return heard
        case _:
            assert_never(call)


def joins(turn: Turn, call: PromptSubmitted) -> bool:
    """Whether a prompt was typed into the turn in flight, which goes on with it."""
    return turn.in_flight and bool(call.turn) and call.turn == turn.own


def after_refusal(turn: Turn, call: ToolCall, now: datetime, *, ends_turn: bool) -> Turn:
    """The turn once a call that was about to start was refused by us: no end of the call will be told.

    Nor the end of the turn, where the refusal ends that as well; what a subagent may not do ends only itself.
    Calls are often made together, and older clients go on: what is refused after the end begins no other turn.
    """
    heard = replace(turn, heard_at=now)
    if ends_turn and not call.agent:
        return _over(heard) if turn.in_flight else heard
    return _at_work(heard, call, now)


def with_asked(turn: Turn, asked: Sequence[Asked]) -> Turn:
    """The turn once it is known that it began with these messages."""
    new = tuple(one for one in dict.fromkeys(asked) if one not in turn.asked)
    return replace(turn, asked=turn.asked + new) if new else turn


def asked_again(turn: Turn) -> Turn:
    """The turn once more messages joined it: what was answered before answers none of them."""
    return replace(turn, answered=frozenset(), answered_chats=frozenset())


def with_answered(turn: Turn, where: Where, *, everywhere: bool = False) -> Turn:
    """The turn once something reached a place, or (`everywhere`) its chat without regard to topics."""
    if everywhere:
        return replace(turn, answered_chats=turn.answered_chats | {where.chat})
    return replace(turn, answered=turn.answered | {where})


def kind_of(call: AttentionWanted) -> str:
    """What the terminal waits for. Clients that do not say it say it in words (source: hooks reference)."""
    text = call.text.casefold()
    if call.kind:
        return call.kind
    if "waiting for your input" in text:
        return IDLE
    return PERMISSION if "permission" in text else ""


def wants_somebody(call: AttentionWanted) -> bool:
    """Whether the terminal cannot go on until somebody does something; a kind nobody knows may mean that."""
    return kind_of(call) not in _NOBODY_WAITS


def _next(turn: Turn, now: datetime) -> Turn:
    return Turn(turn.number + 1, in_flight=True, began_at=now, heard_at=now, wanted_at=turn.wanted_at)


def _at_work(turn: Turn, call: ToolCall, now: datetime) -> Turn:
    """The main conversation calls tools in turns only: without one, its begin was missed.

    What was read before it is not its business. Subagents go on after the turn that sent them.
    """
    return turn if turn.in_flight or call.agent else _next(turn, now)


def _over(turn: Turn) -> Turn:
    """Subagents in the background may still run; the main conversation does not."""
    left = {use: call for use, call in turn.running.items() if call.agent}
    return replace(turn, in_flight=False, running=MappingProxyType(left))


def _with_running(turn: Turn, call: ToolCall) -> Turn:
    if not call.use:
        return turn
    running = {**turn.running, call.use: call}
    while len(running) > _MOST_RUNNING:
        del running[next(iter(running))]
    return replace(turn, running=MappingProxyType(running))


def _without_running(turn: Turn, call: ToolCall) -> Turn:
    if call.use not in turn.running:
        return turn
    left = {use: one for use, one in turn.running.items() if use != call.use}
    return replace(turn, running=MappingProxyType(left))


_OPENING = re.compile(r"<channel(?=\s)")
_ATTRIBUTE = re.compile(r"\s+([A-Za-z_][\w.:-]*)\s*=\s*([\"'])")
_ENDS_VALUE = {
    quote: re.compile(rf"{quote}(?=\s+[A-Za-z_][\w.:-]*\s*=\s*[\"']|\s*/?>)", re.ASCII) for quote in ("'", '"')
}
"""A quote ends a value only where another attribute or the end of the tag follows: others were said by people."""
_OURS = "telegram"
"""Part of the name of every server of ours, however it was installed."""


def channel_messages(prompt: str) -> tuple[tuple[ChatId, MessageId], ...]:
    """The messages a turn begins with: chat and message of each of our `<channel …>` tags, in order.

    A message that is named twice comes twice: it may have been said and edited. A tag that cannot be read,
    contradicts itself, or names another server is left out. Takes time in proportion to the prompt.
    """
    # A tag ends at the latest where the next one begins: nobody's words can contain the beginning of one.
    tags = _OPENING.split(prompt)[1:]
    attributes = (_attributes(tag) for tag in tags)
    return tuple(
        (ChatId(one["chat_id"]), MessageId(one["message_id"]))
        for one in attributes
        if one.get("chat_id") and one.get("message_id") and _OURS in one.get("source", _OURS).lower()
    )


def _attributes(tag: str) -> Mapping[str, str]:
    """The attributes of a tag, from what follows its name; none when one of them has two values."""
    found: dict[str, str] = {}
    position = 0
    while begins := _ATTRIBUTE.match(tag, position):
        ends = _ENDS_VALUE[begins[2]].search(tag, begins.end())
        if ends is None:
            return {}
        value = html.unescape(tag[begins.end() : ends.start()])
        if found.setdefault(begins[1], value) != value:
            return {}
        position = ends.end()
    return found
