"""Orders from the chat about the session itself: `/stop` and `/pause`, in force until they are lifted.

They stand in the store, because whoever polls takes them and the process of the session obeys them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from telegram_channel.core.hooks import RefuseTool
from telegram_channel.core.ids import ChatId, MessageId, SenderId, SessionId, ThreadId
from telegram_channel.core.permission import Behavior, Prompt
from telegram_channel.core.turns import Turn
from telegram_channel.core.visible import visible_line

EVERY_SESSION = SessionId("")
"""The session of an order that is about no session in particular."""
_LONGEST_NAME = 64
"""UTF-16 units of a person's name inside a sentence."""


class OrderKind(StrEnum):
    """What was ordered."""

    STOP = "stop"
    """The session may call no tool until its turn ends."""
    PAUSE = "pause"
    """New messages are held back; given for `EVERY_SESSION`."""


@dataclass(frozen=True, slots=True)
class Order:
    """One order that stands; at most one of a kind for a session."""

    kind: OrderKind
    session: SessionId
    by: SenderId
    by_name: str
    at: datetime
    chat: ChatId
    """Where it was given, and where the answer goes."""
    message: MessageId
    thread: ThreadId | None = None
    answered: bool = False
    """Whether the chat was told what came of it."""


def is_same_order(one: Order | None, other: Order | None) -> bool:
    """Whether both are the same words of the same person: when they were taken, or answered, is no matter."""
    if one is None or other is None:
        return one is other
    return (one.kind, one.session, one.chat, one.message) == (other.kind, other.session, other.chat, other.message)


def standing_of(kind: OrderKind, orders: Iterable[Order]) -> Order | None:
    """The first of this kind among orders that stand."""
    return next((order for order in orders if order.kind is kind), None)


def is_left_over(stop: Order, turn: Turn) -> bool:
    """Whether a stop is about a turn that is over: it was answered, and somebody has begun another since.

    One that nobody has answered yet is never left over: it binds whatever it meets.
    """
    return stop.answered and turn.wanted_at is not None and stop.at < turn.wanted_at


def refusal(stop: Order) -> RefuseTool:
    """What the model is told about each call that a stop refuses."""
    return RefuseTool(
        f"Stopped from Telegram by {visible_line(stop.by_name, _LONGEST_NAME)}: this call was not made. "
        "Do not try it again or in another way, call no other tool, and end your turn now.",
        ends_turn=True,
    )


@dataclass(frozen=True, slots=True)
class StopFacts:
    """What is known of a session at the moment a stop is answered."""

    hooks: bool
    """Whether its hooks have told this process anything: without them it can neither be seen nor held."""
    in_flight: bool
    """Whether a turn is in flight."""
    running: tuple[str, ...] = ()
    """The tools that had started before and have not ended."""
    denied: int = 0
    """Open permission requests that were denied because of the stop."""
    refused: bool = False
    """Whether this stop, or the one it repeats, has already refused a call, seen the turn end, or held something."""
    left_behind: bool = False
    """Whether the turn that was last left tasks running in the background."""
    waiting: int = 0
    """Messages that have not reached the session's model yet, and may begin another turn."""

    @property
    def nothing_to_stop(self) -> bool:
        """Whether it is certain that nothing was going on."""
        return self.hooks and not (self.in_flight or self.running or self.denied or self.refused or self.left_behind)


def still_running(turn: Turn, denied: Iterable[Prompt]) -> tuple[str, ...]:
    """The names of the tools that run: a call whose permission was denied never will.

    A call that has started and waits for permission is among those of the turn.
    """
    tools = [call.tool for call in turn.running.values()]
    for prompt in denied:
        is_denied = prompt.verdict is not None and prompt.verdict.behavior is Behavior.DENY
        if is_denied and prompt.request.tool_name in tools:
            tools.remove(prompt.request.tool_name)
    return tuple(tools)
