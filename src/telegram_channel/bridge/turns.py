"""What the client's hooks tell becomes what people in the chat can see: read, at work, answered, waiting.

A hook call is answered from memory, at once: Claude does nothing meanwhile. Whatever it leads to (marks in
the store, signs, final words) waits in a queue that `run` works off in order, for as long as the flows run.
No fault in here ever holds up Claude: what fails is logged, and the client goes on as if there were no hook.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from telegram_channel.bridge.activity import Activity
from telegram_channel.bridge.courier import Courier
from telegram_channel.bridge.desk_notice import DeskNotice
from telegram_channel.bridge.mirror import Ending, Ledger, Mirror, where_of
from telegram_channel.bridge.proof import begun_with, mark_answered, mark_begun_with
from telegram_channel.bridge.signs import READ_SIGN, worth_a_sign
from telegram_channel.bridge.steady import heed_cancellation
from telegram_channel.core.hooks import (
    AttentionWanted,
    HookAnswer,
    HookCall,
    NoObjection,
    PermissionAsked,
    PromptSubmitted,
    RefuseTool,
    ToolCall,
    ToolStarting,
    TurnEnded,
)
from telegram_channel.core.ids import ChatId, MessageId, SessionId, ThreadId
from telegram_channel.core.inbox import InboxEntry
from telegram_channel.core.topics import ThreadFor, in_general
from telegram_channel.core.turns import (
    DEFAULT_RULES,
    Asked,
    Turn,
    TurnRules,
    Where,
    after,
    after_refusal,
    asked_again,
    channel_messages,
    is_busy,
    joins,
    wants_somebody,
    with_answered,
    with_asked,
)
from telegram_channel.errors import StateError
from telegram_channel.ports import Chat, Clock, Store

_log = logging.getLogger(__name__)

_MOST_EFFECTS = 200
"""What may wait while nothing runs the flows (no token, no disk): later than that it helps nobody."""

_TELLING = 6
"""So many characters of the token's secret part are no chance."""


class HookListener(Protocol):
    """Somebody who wants to know what happens in the session."""

    def heard(self, call: HookCall, turn: Turn) -> None:
        """Take note of a call, and of the turn as it is after it. Quick: work is posted elsewhere.

        A tool call that was refused by us is not told: nothing came of it.
        """


class Gate(Protocol):
    """Somebody who may refuse a tool call, from memory alone."""

    def refusal(self, call: ToolCall) -> RefuseTool | None:
        """The refusal, None when there is nothing against the call."""


class PermissionDesk(Protocol):
    """Whoever answers permission dialogs."""

    async def asked_by_hook(self, asked: PermissionAsked) -> HookAnswer:
        """Answer a dialog; may wait for a person. The task is cancelled when the client waits no more."""


@dataclass(frozen=True, slots=True)
class _Read:
    """A turn began with these messages."""

    turn: int
    tags: tuple[tuple[ChatId, MessageId], ...]


@dataclass(frozen=True, slots=True)
class _Waiting:
    """The terminal wants somebody."""

    call: AttentionWanted
    turn: Turn


@dataclass(frozen=True, slots=True)
class _Joined:
    """More messages were read in a turn in which these places had been answered."""

    turn: Turn
    at: datetime


_Effect = _Read | Ending | _Waiting | _Joined


class Turns:
    """The turns of this process's session. Lives as long as the process; flows come and go below it."""

    def __init__(
        self, clock: Clock, session: SessionId, activity: Activity, guard: Gate, rules: TurnRules = DEFAULT_RULES
    ) -> None:
        """From now on `activity` counts the session as busy while a turn is in flight."""
        self._clock = clock
        self._session = session
        self._activity = activity
        self._guard = guard
        self._rules = rules
        self._desk: PermissionDesk | None = None
        self._gates: tuple[Gate, ...] = ()
        self._listeners: tuple[HookListener, ...] = ()
        self._granted = False
        self._project = ""
        self._secret = ""
        self._turn = Turn()
        self._hooks_seen = False
        self._receipts_seen = False
        self._tagged = 0
        """The number of the latest turn that began with channel messages."""
        self._effects: asyncio.Queue[_Effect] = asyncio.Queue(_MOST_EFFECTS)
        self._dropping = False
        self._ledger = Ledger()
        self._waits_told: set[str] = set()
        self._waits_told_in = 0
        activity.busy_while(lambda: self.is_busy)

    @property
    def turn(self) -> Turn:
        """The turn that is in flight, or was last."""
        return self._turn

    @property
    def hooks_seen(self) -> bool:
        """Whether the client has called any hook."""
        return self._hooks_seen

    @property
    def receipts_seen(self) -> bool:
        """Whether a prompt has proved that a message was read: from then on its absence means something, too."""
        return self._receipts_seen

    @property
    def is_busy(self) -> bool:
        """Whether the session is at work in a turn."""
        return is_busy(self._turn, self._clock.now(), self._rules)

    def works_for(self, where: Where) -> bool:
        """Whether the session is at work in a turn that a message from there began."""
        return self.is_busy and any(asked.where == where for asked in self._turn.asked)

    def never_send(self, token: str) -> None:
        """Withhold final words in which the secret part of this token stands as it is."""
        self._secret = token.partition(":")[2]

    def attach(
        self,
        desk: PermissionDesk | None,
        gates: Sequence[Gate],
        listeners: Sequence[HookListener],
        *,
        granted: bool = False,
        project: str = "",
    ) -> None:
        """From now on these take part, instead of the earlier ones.

        `granted`: whether this session may tell its owners what its terminal waits for, by the name `project`.
        """
        self._desk = desk
        self._gates = tuple(gates)
        self._listeners = tuple(listeners)
        self._granted = granted
        self._project = project

    def answered(self, chat: ChatId, thread: ThreadId | None = None, *, everywhere: bool = False) -> None:
        """Note that something reached a chat, or may have: one topic of it, or `everywhere` whatever the topic."""
        self._turn = with_answered(self._turn, Where(chat, thread), everywhere=everywhere)

    async def called(self, call: HookCall) -> HookAnswer:
        """Answer a hook call. Never raises, except when it is cancelled."""
        self._hooks_seen = True
        try:
            self._activity.note()
            if isinstance(call, ToolStarting) and (refusal := self._refusal(call.call)) is not None:
                self._turn = after_refusal(self._turn, call.call, self._clock.now(), ends_turn=refusal.ends_turn)
                return refusal
            self._take_note(call)
            if isinstance(call, PermissionAsked) and self._desk is not None:
                with self._activity.ongoing():
                    return await self._desk.asked_by_hook(call)
        except Exception:
            _log.exception("a hook call is answered without an objection, because of a fault")
        return NoObjection()

    def _refusal(self, call: ToolCall) -> RefuseTool | None:
        """The first refusal, the guard's before all others. Whoever fails has nothing against the call."""
        for gate in (self._guard, *self._gates):
            try:
                refusal = gate.refusal(call)
            except Exception:
                _log.exception("%s failed to judge a tool call, which goes on", type(gate).__name__)
                continue
            if refusal is not None:
                return refusal
        return None

    def _take_note(self, call: HookCall) -> None:
        """Keep the state, leave what follows from it to the flows, and tell whoever listens.

        A prompt that joins the turn in flight begins nothing: nobody but its readers need know.
        """
        joined = isinstance(call, PromptSubmitted) and joins(self._turn, call)
        self._turn = after(self._turn, call, self._clock.now())
        if isinstance(call, PromptSubmitted) and joined and channel_messages(call.prompt):
            self._push(_Joined(self._turn, self._clock.now()))
            self._turn = asked_again(self._turn)
        effect = self._effect_of(call)
        if effect is not None:
            self._push(effect)
        for listener in () if joined else self._listeners:
            try:
                listener.heard(call, self._turn)
            except Exception:
                _log.exception("%s failed to hear a hook call", type(listener).__name__)

    def _effect_of(self, call: HookCall) -> _Effect | None:
        turn = self._turn
        match call:
            case PromptSubmitted(prompt=prompt):
                tags = channel_messages(prompt)
                if tags:
                    self._tagged = turn.number
                return _Read(turn.number, tags) if tags else None
            case TurnEnded(last_words=words):
                concerns_a_chat = self._tagged == turn.number or turn.answered or turn.answered_chats
                return Ending(turn, words, self._clock.now()) if concerns_a_chat else None
            case AttentionWanted():
                return _Waiting(call, turn) if self._granted and wants_somebody(call) else None
            case _:
                return None

    def _push(self, effect: _Effect) -> None:
        if self._effects.full():
            self._effects.get_nowait()
            if not self._dropping:
                _log.warning("too much waits for the chat; the oldest receipts and final words are dropped")
            self._dropping = True
        self._effects.put_nowait(effect)

    async def run(self, store: Store, chat: Chat, thread_for: ThreadFor = in_general) -> None:
        """Work off what hook calls led to, in order, until cancelled. What fails is logged and left.

        `thread_for`: the session's topic of a chat.
        """
        self._ledger.serve(store.bot)
        courier = Courier()
        mirror = Mirror(store, chat, self._session, self._ledger, courier.post, must_not_leave=self._holds_secret)
        notice = DeskNotice(
            *(store, chat, self._clock, self._session, self._project),
            must_not_leave=self._holds_secret,
            thread_for=thread_for,
        )
        try:
            while True:
                effect = await self._effects.get()
                self._dropping = False
                try:
                    match effect:
                        case _Read():
                            await self._read(effect, store, chat, courier)
                        case Ending():
                            await mirror.settle(self._as_of_now(effect))
                        case _Joined():
                            await mirror.part(effect.turn, effect.at)
                        case _Waiting():
                            still_new = self._once_while_it_lasts(effect)
                            courier.post(notice.tell(effect.call, still_new=still_new))
                except StateError as error:
                    heed_cancellation(error)
                    _log.warning("the chat does not learn of a turn: %s", error.explained())
                except Exception as fault:
                    heed_cancellation(fault)
                    _log.exception("the chat does not learn of a turn, because of a fault")
        finally:
            courier.cancel()

    async def _read(self, effect: _Read, store: Store, chat: Chat, courier: Courier) -> None:
        """A turn began with messages: they are READ, and their chats see it."""
        named = await begun_with(self._session, store, self._clock, effect.tags)
        if not named:
            return
        self._receipts_seen = True
        asking = self._ledger.ask(effect.turn, named)
        if self._turn.number == effect.turn:
            self._turn = with_asked(self._turn, [Asked(where_of(entry), entry.message) for entry in asking])
        await mark_begun_with(store, asking)
        await mark_answered(store, [entry for entry in named if entry not in asking])
        for entry in worth_a_sign(asking):
            if not self._is_answered(entry, effect.turn):  # Claude's own reaction is not to be replaced
                courier.post(chat.react(entry.chat, entry.message, READ_SIGN))

    def _is_answered(self, entry: InboxEntry, turn: int) -> bool:
        return self._turn.number != turn or self._turn.has_answered(where_of(entry))

    def _as_of_now(self, ending: Ending) -> Ending:
        """The ending with answers that were on their way when the turn ended."""
        if self._turn.number != ending.turn.number:
            return ending
        return Ending(self._turn, ending.words, ending.at)

    def _once_while_it_lasts(self, waiting: _Waiting) -> Callable[[], bool]:
        """True once for each text of a turn, as long as that turn goes on as it did."""

        def still_new() -> bool:
            then, now = waiting.turn, self._turn
            if (then.number, then.in_flight) != (now.number, now.in_flight):
                return False
            if self._waits_told_in != now.number:
                self._waits_told_in = now.number
                self._waits_told.clear()
            new = waiting.call.text not in self._waits_told
            self._waits_told.add(waiting.call.text)
            return new

        return still_new

    def may_hold_secret(self, text: str) -> bool:
        """Whether the secret part of the token stands in a text that is still being written, or has begun to."""
        begun = range(_TELLING, len(self._secret))
        return self._holds_secret(text) or any(text.endswith(self._secret[:length]) for length in begun)

    def _holds_secret(self, text: str) -> bool:
        return bool(self._secret) and self._secret in text
