"""From the inbox into the session: in order per chat, EMITTED only once the client's pipe took it.

That an event is about to be written is stored before, so that whoever finds it STORED after a crash knows
that the session may have it, and says so. Only what is directed to the session at that moment is written.

One loop owns every step of an event after it was directed to its session: it gives stored entries to the
session, gives unproven ones once more (after a new handshake, or when an idle session shows no sign of
reading), and then says so in the chat, once. It runs in every process that takes messages, for its own session
and no other (see `dispatch`). While a pause stands nothing is given.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from telegram_channel.bridge.activity import Activity
from telegram_channel.bridge.holding import Holding
from telegram_channel.bridge.steady import UNWRITABLE_PAUSE_S, pause_after
from telegram_channel.bridge.twins import Twins
from telegram_channel.core import notices
from telegram_channel.core.access import is_in_book, may_address
from telegram_channel.core.events import event_for
from telegram_channel.core.ids import ChatId, EntryId
from telegram_channel.core.inbox import (
    DeliveryState,
    InboxEntry,
    Move,
    Overdue,
    RedeliveryRules,
    orphaned,
    overdue,
)
from telegram_channel.core.joining import JoiningRules, Parcel, assemble
from telegram_channel.core.orders import OrderKind, standing_of
from telegram_channel.core.outgoing import OutMessage
from telegram_channel.errors import StateUnwritable
from telegram_channel.ports import Chat, Clock, Session, Store

_log = logging.getLogger(__name__)

_AT_ONCE = 200
"""Entries taken from the store in one step: enough to be fast, few enough to stay responsive."""
_LONGEST_LOOK_S = 60.0
_LOOK_WHEN_REPLACED_S = 2.0
"""The end of another process is no change of the store."""


@dataclass(frozen=True, slots=True)
class DeliveryRules:
    """How long anything may wait, and how long silence is tolerated."""

    joining: JoiningRules = field(default_factory=JoiningRules)
    redelivery: RedeliveryRules = field(default_factory=RedeliveryRules)


class Delivery:
    """Gives stored messages to the session of this process."""

    def __init__(
        self,
        store: Store,
        session: Session,
        chat: Chat,
        clock: Clock,
        activity: Activity,
        rules: DeliveryRules,
        *,
        process_began_at: datetime | None = None,
        twins: Twins | None = None,
    ) -> None:
        """What this session was given since `process_began_at` needs no new handshake to be known: it had one.

        `twins`: further processes of this session, of which the last one takes its messages; None: there are none.
        """
        self._store = store
        self._session = session
        self._chat = chat
        self._clock = clock
        self._activity = activity
        self._rules = rules
        self._process_began_at = process_began_at
        self._twins = twins
        self._holding = Holding(store, chat, clock.now())
        self._noticing: dict[ChatId, asyncio.Task[None]] = {}
        self._overdue_at: datetime | None = None
        """When an event may be overdue, None when nothing waits for a proof: no need to ask before."""

    async def run(self) -> None:
        """Deliver until cancelled. A full disk delays; it loses nothing."""
        await self._session.ready()
        if self._twins is not None:
            await self._twins.until_alone()
        welcomed = False
        seen = -1
        while True:
            try:
                if not welcomed:
                    await self._take_over()
                    welcomed = True
                look_again_at = await self._step()
            except StateUnwritable as error:
                _log.warning("delivery waits: %s", error.explained())
                self._look_after(UNWRITABLE_PAUSE_S)  # what was overdue may not have been treated
                await pause_after(error, self._clock)
                continue
            seen = await self._store.wait_for_change(seen, self._seconds_until(look_again_at))

    def _seconds_until(self, moment: datetime | None) -> float:
        if moment is None:
            return _LONGEST_LOOK_S
        return min(_LONGEST_LOOK_S, max(0.0, (moment - self._clock.now()).total_seconds()))

    async def _take_over(self) -> None:
        """A new handshake: whatever an earlier process gave without proof is given once more."""
        unproven = await self._store.inbox.unproven(self._session.id)
        again, twice = orphaned([one for one in unproven if not self._is_ours(one)])
        await self._store_again(again)
        self._overdue_at = self._clock.now()
        if again or twice:
            _log.info("took over: %d events are given again, %d were given twice already", len(again), len(twice))

    def _is_ours(self, entry: InboxEntry) -> bool:
        """Whether this very process gave it, before its flows had to begin anew."""
        began_at, given_at = self._process_began_at, entry.emitted_at
        return bool(began_at and given_at and given_at >= began_at)

    async def _step(self) -> datetime | None:
        """Everything that can be done now; returns when to look again."""
        look_again_at = await self._emit_due()
        if self._overdue_at is not None and self._overdue_at <= self._clock.now():
            await self._look_for_overdue()
        return min((moment for moment in (look_again_at, self._overdue_at) if moment), default=None)

    def _look_after(self, seconds: float) -> None:
        """Look for overdue events in so many seconds at the latest."""
        moment = self._clock.now() + timedelta(seconds=seconds)
        self._overdue_at = min(moment, self._overdue_at or moment)

    async def _look_for_overdue(self) -> None:
        """Treat what shows no sign of having been read."""
        late = overdue(
            await self._store.inbox.unproven(self._session.id),
            self._clock.now(),
            self._clock.now() if self._activity.busy else self._activity.last_at,
            self._rules.redelivery,
        )
        self._overdue_at = late.look_again_at
        await self._treat_overdue(late)

    async def _is_replaced(self) -> bool:
        return self._twins is not None and await self._twins.is_replaced()

    async def _emit_due(self) -> datetime | None:
        at_once = _AT_ONCE
        while True:
            entries, state, orders, is_replaced = await asyncio.gather(
                self._store.inbox.due(at_once, self._session.id),
                self._store.access.read(),
                self._store.orders.standing(self._session.id),
                self._is_replaced(),
            )
            if is_replaced:
                return self._clock.now() + timedelta(seconds=_LOOK_WHEN_REPLACED_S)
            welcome = [one for one in entries if is_in_book(state, one.inbound.place.sender)]
            if len(welcome) < len(entries):
                await self._drop([one for one in entries if not is_in_book(state, one.inbound.place.sender)])
            if pause := standing_of(OrderKind.PAUSE, orders):
                self._holding.hold(pause, welcome)
                if len(entries) < at_once:
                    return None  # the end of the pause is a change of the store
                at_once *= 2
                continue
            assembly = assemble(welcome, self._clock.now(), self._rules.joining)
            if assembly.ready:
                await self._emit(assembly.ready)
            if len(entries) < at_once:
                return assembly.look_again_at
            if not assembly.ready:  # all of these wait for something; what is behind them need not
                at_once *= 2

    async def _emit(self, parcels: Sequence[Parcel]) -> None:
        """Write the parcels to the session and, once the client's pipe has them, say so in the store."""
        given: list[InboxEntry] = []
        for parcel in await self._begin(parcels):
            try:
                event = event_for(parcel.entries)
            except Exception:  # whatever is wrong with one event must not hold up the others
                _log.exception("an entry could not be turned into an event")
                await self._quarantine(parcel)
                continue
            await self._session.emit(event)
            given.extend(parcel.entries)
        await self._session.drained()
        if given:
            self._look_after(self._rules.redelivery.redeliver_after_s)
            await self._remember(given)

    async def _begin(self, parcels: Sequence[Parcel]) -> Sequence[Parcel]:
        """Store that the session is about to be given these: after a crash nobody knows whether it was.

        Returns those that are still for it: what was directed to another one meanwhile is given by that one alone.
        """
        ids = tuple(entry.entry for parcel in parcels for entry in parcel.entries)
        begun = Move(ids, (DeliveryState.STORED,), emitted_at=self._clock.now(), held_by=self._session.id)
        # After a loss of power the session is gone as well, and knows nothing of what it was given.
        if await self._store.inbox.advance([begun], durable=False) == len(ids):
            return parcels
        still = await self._still_due()
        return [one for one in parcels if all(entry.entry in still for entry in one.entries)]

    async def _still_due(self) -> set[EntryId]:
        at_once = _AT_ONCE
        while len(due := await self._store.inbox.due(at_once, self._session.id)) >= at_once:
            at_once *= 2
        return {one.entry for one in due}

    async def _remember(self, given: Sequence[InboxEntry]) -> None:
        """Store that the pipe has them. A full disk must not make us give them again: it is tried until it works.

        Whoever has it, has it: also what was directed to another since we began, and was not given there yet.
        """
        move = Move(
            tuple(entry.entry for entry in given),
            (DeliveryState.STORED,),
            DeliveryState.EMITTED,
            session=self._session.id,
            emitted_at=self._clock.now(),
            noticed=False,  # what was said of it was about the end of another session, or of this one before
        )
        said = False
        while True:
            try:
                await self._store.inbox.advance([move])
            except StateUnwritable as error:
                if not said:
                    _log.warning("delivery waits: %s", error.explained())
                said = True
                await pause_after(error, self._clock)
            else:
                return

    async def _drop(self, entries: Sequence[InboxEntry]) -> None:
        """Whoever was put out before their words could be given is not heard any more."""
        _log.info("%d messages of people who were put out are dropped", len(entries))
        await self._store.inbox.advance(
            [Move(tuple(entry.entry for entry in entries), (DeliveryState.STORED,), DeliveryState.EXPIRED)]
        )

    async def _quarantine(self, parcel: Parcel) -> None:
        await self._store.inbox.advance(
            [
                Move(
                    tuple(entry.entry for entry in parcel.entries),
                    (DeliveryState.STORED,),
                    DeliveryState.QUARANTINED,
                )
            ]
        )

    async def _store_again(self, entries: Sequence[InboxEntry]) -> None:
        if entries:
            await self._store.inbox.advance(
                [
                    Move(
                        tuple(entry.entry for entry in entries),
                        (DeliveryState.EMITTED,),
                        DeliveryState.STORED,
                        redelivered=True,
                        held_by=self._session.id,
                    )
                ]
            )

    async def _treat_overdue(self, late: Overdue) -> None:
        await self._store_again(late.redeliver)
        for chat, entries in _by_chat(late.notify).items():
            if chat not in self._noticing:
                self._noticing[chat] = asyncio.create_task(self._say_unread(chat, entries))
        if late.give_up:
            await self._store.inbox.advance(
                [
                    Move(
                        tuple(entry.entry for entry in late.give_up),
                        (DeliveryState.EMITTED,),
                        DeliveryState.EXPIRED,
                        held_by=self._session.id,
                    )
                ]
            )

    async def _say_unread(self, chat: ChatId, entries: Sequence[InboxEntry]) -> None:
        """Tell a chat, once, that nobody seems to read it.

        Sent first, remembered after: a crash in between says it twice rather than never.
        """
        last = entries[-1]
        try:
            if may_address(await self._store.access.read(), chat):
                await self._chat.send(
                    OutMessage(chat, notices.unread(len(entries)), last.inbound.place.thread, reply_to=last.message)
                )
            ids = tuple(entry.entry for entry in entries)
            await self._store.inbox.advance(
                [Move(ids, (DeliveryState.EMITTED,), noticed=True, held_by=self._session.id)]
            )
        except StateUnwritable as error:
            _log.warning("a notice may be repeated: %s", error.explained())
            self._look_after(UNWRITABLE_PAUSE_S)
        else:
            self._look_after(self._rules.redelivery.give_up_after_s)
        finally:
            self._noticing.pop(chat, None)


def _by_chat(entries: Sequence[InboxEntry]) -> dict[ChatId, list[InboxEntry]]:
    chats: dict[ChatId, list[InboxEntry]] = {}
    for entry in entries:
        chats.setdefault(entry.chat, []).append(entry)
    return chats
