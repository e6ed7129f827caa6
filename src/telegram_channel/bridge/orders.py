"""`/stop`, `/pause`, `/resume`, `/progress` and `/stream` become stored orders and wishes; sessions obey the store.

This is the receiving half, in the process that polls. It touches storage only and decides who may order;
what a stop came to is said by the process that obeys it (see `obedience`). A command that is taken again,
because its batch could not be stored, changes nothing and is answered the same.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from telegram_channel.core import order_words
from telegram_channel.core.access import Role
from telegram_channel.core.commands import BotCommand, ParsedCommand, on_or_off
from telegram_channel.core.ids import ChatId, MessageId, SessionId
from telegram_channel.core.messages import ChatKind, InboundMessage
from telegram_channel.core.orders import EVERY_SESSION, Order, OrderKind, is_same_order
from telegram_channel.core.text import Styled
from telegram_channel.ports import Clock, SessionRecord, Store


class Obeys(Protocol):
    """A session of this very process: it hears at once what others read in the store."""

    @property
    def session(self) -> SessionId:
        """Which one it is."""

    def heard_of(self, order: Order) -> None:
        """A stop for it was given and is being stored."""

    def released(self) -> Order | None:
        """A stop for it is being lifted: it no longer holds. Returns it, None when none was in force."""


class Orders:
    """Stores what people ordered and wished."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        session: SessionId,
        is_alive: Callable[[SessionRecord], bool],
        here: Obeys | None = None,
    ) -> None:
        """`session` is the one that orders are for; `here` obeys in this process, if one does."""
        self._store = store
        self._clock = clock
        self._session = session
        self._is_alive = is_alive
        self._here = here
        self._made_last: dict[OrderKind, Order] = {}
        self._resumed: tuple[ChatId, MessageId, dict[OrderKind, Order]] | None = None
        """What the last `/resume` has lifted."""

    async def order(self, message: InboundMessage, command: BotCommand, role: Role, *, fresh: bool) -> Styled | None:
        """Take `/stop`, `/pause` or `/resume`; returns what to answer, None when whoever obeys answers.

        Raises:
            StateError: it is not stored; the same command may be taken again.
        """
        if not role.may_approve:
            return order_words.not_in_charge(command)
        if not fresh:
            return order_words.old_order(command)
        match command:
            case BotCommand.STOP:
                return await self._stop(message)
            case BotCommand.PAUSE:
                await self._give(replace(self._made(OrderKind.PAUSE, EVERY_SESSION, message), answered=True))
                return order_words.paused()
            case _:
                return order_words.resumed(await self._resume(message))

    def _concerned(self, message: InboundMessage) -> SessionId:  # noqa: ARG002 - where a choice among several begins
        """Which session an order from this place is for."""
        return self._session

    async def _stop(self, message: InboundMessage) -> Styled | None:
        session = self._concerned(message)
        if not await self._lives(session):
            return order_words.no_session()
        await self._give(self._made(OrderKind.STOP, session, message))
        return None

    async def _lives(self, session: SessionId) -> bool:
        if self._here is not None and self._here.session == session:
            return True
        records = await self._store.sessions.list()
        return any(record.session == session and self._is_alive(record) for record in records)

    def _made(self, kind: OrderKind, session: SessionId, message: InboundMessage) -> Order:
        """The order that a message is; the same again when the message is taken again."""
        place, now = message.place, self._clock.now()
        order = Order(kind, session, place.sender, place.sender_name, now, place.chat, message.message, place.thread)
        if not is_same_order(self._made_last.get(kind), order):
            self._made_last[kind] = order
        return self._made_last[kind]

    async def _give(self, order: Order) -> None:
        if order.kind is OrderKind.STOP and self._here is not None and self._here.session == order.session:
            self._here.heard_of(order)  # first, for it needs no disk
        await self._store.orders.give(order)

    async def _resume(self, message: InboundMessage) -> list[Order]:
        session, by, chat = self._concerned(message), message.place.sender, message.place.chat
        if self._resumed is None or self._resumed[:2] != (chat, message.message):
            self._resumed = (chat, message.message, {})
        lifted = self._resumed[2]
        if self._here is not None and self._here.session == session and (held := self._here.released()):
            lifted[OrderKind.STOP] = held  # it may never have been stored, when the disk is full
        for kind, whose in ((OrderKind.STOP, session), (OrderKind.PAUSE, session), (OrderKind.PAUSE, EVERY_SESSION)):
            order = await self._store.orders.lift(kind, whose, by, self._clock.now())
            if order is not None:
                lifted[kind] = order
        return list(lifted.values())

    async def wish(self, message: InboundMessage, parsed: ParsedCommand) -> Styled:
        """Take `/progress` or `/stream`; returns what to answer.

        Raises:
            StateError: it is not stored; the same command may be taken again.
        """
        command, place = parsed.command, message.place
        if command is BotCommand.STREAM and place.chat_kind is not ChatKind.PRIVATE:
            return order_words.private_chats_only(command)
        wishes = await self._store.wishes.of(place.chat)
        on = on_or_off(parsed.rest)
        if on is None:
            stands = wishes.stream if command is BotCommand.STREAM else wishes.progress
            return order_words.wish_stands(command, on=stands)
        wanted = replace(wishes, stream=on) if command is BotCommand.STREAM else replace(wishes, progress=on)
        await self._store.wishes.keep(place.chat, wanted)
        return order_words.wish_kept(command, on=on)
