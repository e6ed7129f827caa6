"""A `/stop` for this session binds: from the moment it is heard of, every tool call of the session is refused.

This is the obeying half, in the session's own process, wherever the order was taken. It stands in the store
and, so that no call waits for a disk, in memory. It ends when somebody begins a turn, or with `/resume`; until
then whatever a turn left behind (subagents, another hook that makes it go on) is refused as well. The chat
is told what is known to be true: once when the stop is heard of, and once when it has taken effect.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from telegram_channel.bridge.courier import Courier
from telegram_channel.bridge.steady import pause_after
from telegram_channel.core import order_words
from telegram_channel.core.access import may_address
from telegram_channel.core.hooks import AttentionWanted, HookCall, PromptSubmitted, RefuseTool, ToolCall, TurnEnded
from telegram_channel.core.ids import ChatId, MessageId, SessionId
from telegram_channel.core.orders import (
    Order,
    OrderKind,
    StopFacts,
    is_left_over,
    is_same_order,
    refusal,
    standing_of,
    still_running,
)
from telegram_channel.core.outgoing import OutMessage
from telegram_channel.core.text import Styled
from telegram_channel.core.turns import IDLE, Turn, kind_of
from telegram_channel.errors import StateError, StateUnwritable
from telegram_channel.ports import Chat, Clock, Store

_log = logging.getLogger(__name__)

BRIDGE = "bridge"
"""Who lifts a stop that has ended by itself, in the audit trail."""
SETTLED_S = 1.0
"""Calls that were made together are refused one after the other: so long they are gathered for one notice."""
_LOOK_S = 60.0
_MOST_FINISHED = 100
_MOST_COUNTED = 1_000
_MOST_REFUSED = 100
"""Of so many refused calls the names are kept."""

_Given = tuple[ChatId, MessageId]


@dataclass(slots=True)
class _Stop:
    """A stop that is in force."""

    order: Order
    stored: bool
    """Whether it was seen in the store: from then on it ends when it is not there any more."""
    told: bool
    """Whether the chat was told what it came to."""
    again: bool = False
    """Whether it took the place of one that was in force: what that one held is held on."""
    refused: list[str] = field(default_factory=list)
    turn_ended: bool = False
    reported: bool = False
    """Whether the chat was told that it has taken effect."""

    @property
    def has_effect(self) -> bool:
        return bool(self.refused) or self.turn_ended


class Obedience:
    """Knows the stop that stands for this session and enforces it: a `Gate` and a `HookListener` of its turns."""

    def __init__(
        self,
        store: Store,
        chat: Chat,
        clock: Clock,
        courier: Courier,
        *,
        session: SessionId,
        turn: Callable[[], Turn],
        hooks_seen: Callable[[], bool],
        deny_all: Callable[[Order], Awaitable[int]],
    ) -> None:
        """`turn` and `hooks_seen` tell what is known right now; `deny_all` denies what waits for permission."""
        self._store = store
        self._chat = chat
        self._clock = clock
        self._courier = courier
        self._session = session
        self._turn = turn
        self._hooks_seen = hooks_seen
        self._deny_all = deny_all
        self._stop: _Stop | None = None
        self._finished: dict[_Given, None] = {}
        """Stops that are over: where they still stand in the store they do not begin again."""
        self._to_lift: dict[_Given, Order] = {}
        self._owed = asyncio.Event()

    @property
    def session(self) -> SessionId:
        """Whose stops are obeyed."""
        return self._session

    def refusal(self, call: ToolCall) -> RefuseTool | None:
        """Refuse every call while a stop is in force, that of our own tools as well."""
        stop = self._stop
        if stop is None:
            return None
        if len(stop.refused) < _MOST_REFUSED:
            stop.refused.append(call.tool)
        self._owed.set()
        return refusal(stop.order)

    def heard(self, call: HookCall, turn: Turn) -> None:  # noqa: ARG002 - shape of a hook listener
        """Notice the end of a turn, and the beginning of the next, which ends the stop.

        A stop whose answer is still owed binds the turn that begins before it is given. A turn that begins by
        itself, because a task in the background has ended, goes on with what was stopped: it ends no stop.
        """
        stop = self._stop
        if stop is None:
            return
        if isinstance(call, TurnEnded) or (isinstance(call, AttentionWanted) and kind_of(call) == IDLE):
            stop.turn_ended = True
            self._owed.set()
        elif isinstance(call, PromptSubmitted) and stop.told and not call.is_by_itself:
            self._finish(stop)
            self._report(stop)

    def heard_of(self, order: Order) -> None:
        """Obey an order that this process has just taken, before it is stored. One that is known changes nothing."""
        known = self._stop is not None and is_same_order(self._stop.order, order)
        if not known and order.kind is OrderKind.STOP and _given(order) not in self._finished:
            self._stop = _Stop(order, stored=False, told=False, again=_holds(self._stop))
            self._owed.set()

    def released(self) -> Order | None:
        """Let go of the stop that is in force, because somebody lifts it; returns it."""
        stop = self._stop
        if stop is None:
            return None
        self._remember_finished(stop.order)
        self._stop = None
        return stop.order

    async def load(self) -> None:
        """Learn what stands, once, before the first hook is answered: a stop survives a restart in its middle.

        Raises:
            StateError: it is not known what stands.
        """
        self._take(standing_of(OrderKind.STOP, await self._store.orders.standing(self._session)))

    async def run(self) -> None:
        """Follow the store and say what is owed, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow())
            group.create_task(self._pay())

    async def _follow(self) -> None:
        seen = -1
        while True:
            seen = await self._store.wait_for_change(seen, _LOOK_S)
            try:
                await self.load()
            except StateUnwritable as error:
                _log.warning("orders wait: %s", error.explained())
                await pause_after(error, self._clock)
                seen = -1

    def _take(self, found: Order | None) -> None:
        """Bring what is in force in line with what stands in the store."""
        stop = self._stop
        if found is None:
            if stop is not None and stop.stored:
                self._stop = None
        elif stop is not None and is_same_order(stop.order, found):
            stop.order, stop.stored = found, True
        elif stop is not None and not stop.stored:
            pass  # it was read before ours, which replaces it, was stored
        elif _given(found) in self._finished:
            self._to_lift[_given(found)] = found
        elif is_left_over(found, self._turn()):
            self._remember_finished(found)
            self._to_lift[_given(found)] = found
        else:
            self._stop = _Stop(found, stored=True, told=found.answered, again=_holds(stop))
        self._owed.set()

    async def _pay(self) -> None:
        while True:
            await self._owed.wait()
            self._owed.clear()
            try:
                await self._pay_now()
            except StateUnwritable as error:
                _log.warning("orders wait: %s", error.explained())
                await pause_after(error, self._clock)
                self._owed.set()

    async def _pay_now(self) -> None:
        stop = self._stop
        if stop is not None and not stop.told:
            await self._answer(stop)
        if stop is not None and stop.told and stop.has_effect:
            self._report(stop)
        for given, order in tuple(self._to_lift.items()):
            await self._lift(order)
            self._to_lift.pop(given, None)

    async def _lift(self, order: Order) -> None:
        lifted = await self._store.orders.lift(OrderKind.STOP, order.session, BRIDGE, self._clock.now())
        if lifted is not None and not is_same_order(lifted, order):
            await self._store.orders.give(lifted)  # a newer one, which is not over

    async def _answer(self, stop: _Stop) -> None:
        """Deny what waits for permission, and say what the stop came to."""
        facts = await self._carried_out(stop)
        if self._stop is not stop:  # lifted, or replaced by a newer one, which is answered instead
            return
        stop.told = True
        if facts.nothing_to_stop:
            self._finish(stop)
        self._courier.post(self._tell(stop.order, order_words.stop_answer(facts)))

    async def _carried_out(self, stop: _Stop) -> StopFacts:
        waiting_before = [one for one in await self._store.prompts.open_prompts() if one.session == self._session]
        denied = await self._deny_all(stop.order)
        prompts = [await self._store.prompts.get(one.prompt) for one in waiting_before]
        on_the_way = (
            *await self._store.inbox.due(_MOST_COUNTED, self._session),
            *await self._store.inbox.unproven(self._session),
        )
        turn = self._turn()
        return StopFacts(
            hooks=self._hooks_seen(),
            in_flight=turn.in_flight,
            running=still_running(turn, (one for one in prompts if one is not None)),
            denied=denied,
            refused=stop.has_effect or stop.again,
            left_behind=turn.left_behind > 0,
            waiting=len(on_the_way),
        )

    def _finish(self, stop: _Stop) -> None:
        """The stop is over: it refuses nothing more, and is lifted as soon as the store lets us."""
        self._remember_finished(stop.order)
        self._to_lift[_given(stop.order)] = stop.order
        if self._stop is stop:
            self._stop = None
        self._owed.set()

    def _remember_finished(self, order: Order) -> None:
        self._finished[_given(order)] = None
        if len(self._finished) > _MOST_FINISHED:
            del self._finished[next(iter(self._finished))]

    def _report(self, stop: _Stop) -> None:
        """Say, once, that the stop has taken effect, or that it is over."""
        if not stop.reported:
            stop.reported = True
            self._courier.post(self._tell_effect(stop))

    async def _tell(self, order: Order, body: Styled) -> None:
        """Sent first, remembered after: a crash in between says it twice rather than never."""
        await self._say(order, body)
        try:
            await self._store.orders.mark_answered(order)
        except StateError as error:
            _log.warning("an answer may be repeated: %s", error.explained())

    async def _tell_effect(self, stop: _Stop) -> None:
        await self._clock.sleep(SETTLED_S)
        await self._say(stop.order, order_words.stopped(tuple(stop.refused), turn_ended=stop.turn_ended))

    async def _say(self, order: Order, body: Styled) -> None:
        if may_address(await self._store.access.read(), order.chat):
            await self._chat.send(OutMessage(order.chat, body, order.thread, reply_to=order.message, urgent=True))


def _holds(stop: _Stop | None) -> bool:
    """Whether there was something to stop: one that was answered and is still in force."""
    return stop is not None and (stop.told or stop.again)


def _given(order: Order) -> _Given:
    return order.chat, order.message
