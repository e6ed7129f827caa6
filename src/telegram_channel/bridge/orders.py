"""`/stop`, `/pause`, `/resume`, `/progress` and `/stream` become stored orders and wishes; sessions obey the store.

This is the receiving half, in the process that polls. It touches storage only and decides who may order;
what a stop came to is said by the process that obeys it (see `obedience`). `/stop` and `/resume` concern the
session that they name, or that a message from that place would go to; a name that is no session's changes nothing,
also where one session alone is there. A pause holds all, so it is for those to whom all sessions are open, and not
for one of several. A command that is taken again, because its batch could not be stored, changes nothing
and is answered the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from telegram_channel.bridge.router import Look
from telegram_channel.core import order_words, session_words
from telegram_channel.core.access import AccessState, Role, may_reach
from telegram_channel.core.commands import BotCommand, ParsedCommand, on_or_off
from telegram_channel.core.ids import ChatId, MessageId, SenderId, SessionId
from telegram_channel.core.messages import ChatKind, InboundMessage
from telegram_channel.core.orders import EVERY_SESSION, Order, OrderKind, is_same_order, standing_of
from telegram_channel.core.routing import Barred, Directed, Member, NobodyThere, Stranded, Undecided
from telegram_channel.core.session_names import Ambiguous, NoSuchMember, find_member
from telegram_channel.core.text import Styled
from telegram_channel.ports import Clock, Store


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

    def __init__(self, store: Store, clock: Clock, here: Obeys | None = None) -> None:
        """`here` obeys in this process, if one does."""
        self._store = store
        self._clock = clock
        self._here = here
        self._made_last: dict[OrderKind, Order] = {}
        self._resumed: tuple[ChatId, MessageId, dict[OrderKind, Order]] | None = None
        """What the last `/resume` has lifted."""

    async def order(
        self,
        message: InboundMessage,
        parsed: ParsedCommand,
        role: Role,
        look: Look,
        state: AccessState,
        *,
        fresh: bool,
    ) -> Styled | None:
        """Take `/stop`, `/pause` or `/resume`; returns what to answer, None when whoever obeys answers.

        Raises:
            StateError: it is not stored; the same command may be taken again.
        """
        if not role.may_approve:
            return order_words.not_in_charge(parsed.command)
        if not fresh:
            return order_words.old_order(parsed.command)
        match parsed.command:
            case BotCommand.STOP:
                return await self._stop(message, parsed, look, state)
            case BotCommand.PAUSE if not _reaches_all(state, message.place.sender):
                return order_words.every_session(parsed.command)
            case BotCommand.PAUSE if parsed.rest and not _is_the_only_one(parsed.rest, look.members):
                return order_words.holds_every_session(parsed.rest)
            case BotCommand.PAUSE:
                await self._give(replace(self._made(OrderKind.PAUSE, EVERY_SESSION, message), answered=True))
                return order_words.paused()
            case _:
                return await self._resume(message, parsed, look, state)

    async def _stop(
        self, message: InboundMessage, parsed: ParsedCommand, look: Look, state: AccessState
    ) -> Styled | None:
        match concerned(message, parsed, look, state):
            case Member(session=session):
                await self._give(self._made(OrderKind.STOP, session, message))
                return None
            case Several(members=members):
                return order_words.which(parsed.command, [one.label for one in members])
            case None:
                return order_words.no_session()
            case Styled() as say:
                return say

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

    async def _resume(self, message: InboundMessage, parsed: ParsedCommand, look: Look, state: AccessState) -> Styled:
        session: SessionId | None = None
        match concerned(message, parsed, look, state):
            case Member() as member:
                session = member.session
            case Several(members=members):
                stopped = [one for one in members if await self._is_stopped(one.session)]
                if len(stopped) > 1:
                    return order_words.which(parsed.command, [one.label for one in stopped])
                session = stopped[0].session if stopped else None
            case None:
                pass  # a pause holds whoever comes next
            case Styled() as say:
                return say
        everywhere = _reaches_all(state, message.place.sender)
        kept = None if everywhere else standing_of(OrderKind.PAUSE, await self._store.orders.standing(EVERY_SESSION))
        return order_words.resumed(await self._lift(message, session, everywhere=everywhere), kept)

    async def _is_stopped(self, session: SessionId) -> bool:
        return standing_of(OrderKind.STOP, await self._store.orders.standing(session)) is not None

    async def _lift(self, message: InboundMessage, session: SessionId | None, *, everywhere: bool) -> list[Order]:
        """`everywhere`: also what holds every session."""
        by, chat = message.place.sender, message.place.chat
        if self._resumed is None or self._resumed[:2] != (chat, message.message):
            self._resumed = (chat, message.message, {})
        lifted = self._resumed[2]
        if self._here is not None and self._here.session == session and (held := self._here.released()):
            lifted[OrderKind.STOP] = held  # it may never have been stored, when the disk is full
        of_session = ((OrderKind.STOP, session), (OrderKind.PAUSE, session)) if session else ()
        of_all = ((OrderKind.PAUSE, EVERY_SESSION),) if everywhere else ()
        for kind, whose in (*of_session, *of_all):
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


@dataclass(frozen=True, slots=True)
class Several:
    """More than one session may be meant."""

    members: tuple[Member, ...]


def concerned(
    message: InboundMessage, parsed: ParsedCommand, look: Look, state: AccessState
) -> Member | Several | Styled | None:
    """The session that a command is about: the one it names, else the one a message from there would go to.

    None: no session is alive that this person may write to. A text: what is to be said instead of doing anything.
    """
    members = look.open_to(state, message.place.sender)
    if members and parsed.rest:
        match find_member(members, parsed.rest):
            case Member() as member:
                return member
            case Ambiguous() as outcome:
                return session_words.ambiguous(parsed.command, outcome)
            case NoSuchMember(typed=typed) if len(members) == 1:
                return order_words.only_one(parsed.command, typed, members[0].label)
            case NoSuchMember() as outcome:
                return session_words.unknown(parsed.command, outcome, members)
    match look.route(state, message):
        case Directed(session=session):
            return next(one for one in members if one.session == session)
        case Undecided(members=several):
            return Several(several)
        case Stranded():
            return session_words.session_gone()
        case Barred():
            return session_words.barred()
        case NobodyThere():
            return None


def _is_the_only_one(typed: str, members: Sequence[Member]) -> bool:
    """Whether the only session is called like that: then it is the same as every session."""
    return len(members) == 1 and find_member(members, typed) == members[0]


def _reaches_all(state: AccessState, sender: SenderId) -> bool:
    """Whether every session is open to this person, also one of which nothing is known."""
    return may_reach(state, sender, "", "")
