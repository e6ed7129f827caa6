"""What was for a session that has ended is given to another, offered, or kept, as `core.stranding` says.

Nothing is lost: what was written without a sign of reading goes back to STORED, once. Each chat or topic is
asked or told once about each session that ended; that this was done stands with the entries (`noticed`), so
that whoever polls next does not do it again.
"""

import asyncio
import logging
import math
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from telegram_channel.bridge.questions import Spot
from telegram_channel.bridge.router import Router
from telegram_channel.core import notices
from telegram_channel.core.access import AccessState, is_in_book, may_address
from telegram_channel.core.ids import ChatId, EntryId, MessageId, SessionId, ThreadId
from telegram_channel.core.inbox import DeliveryState, InboxEntry, Move
from telegram_channel.core.outgoing import ButtonRows, OutMessage, PartlySent, Refused, SendOutcome, Sent
from telegram_channel.core.routing import NOBODY, Directed, Member, Stranded, Why
from telegram_channel.core.session_buttons import offer_buttons
from telegram_channel.core.session_words import stranded_back, stranded_offer, stranded_taken, stranded_waits
from telegram_channel.core.stranding import RoutingRules, StrandedPlan, by_place, gone_since, restrand
from telegram_channel.core.text import Styled
from telegram_channel.ports import Chat, Clock, SessionRecord, Store

_log = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0
"""How often what was left by a session that has ended is looked at, while anything is."""
IDLE_LOOK_S = 5.0
"""How often it is looked whether a session has ended: the end of a process is no change of the store."""
_AT_ONCE = 500
_LEAST_LOOK_S = 0.05
_STORED, _EMITTED = (DeliveryState.STORED,), (DeliveryState.EMITTED,)

_Lot = tuple[Spot, SessionId]
"""What came from one spot for one session that has ended."""


@dataclass(frozen=True, slots=True)
class Offer:
    """The message that somebody pressed a button of, and where."""

    chat: ChatId
    thread: ThreadId | None
    message: MessageId


@dataclass(slots=True)
class _Offer:
    """What a chat was asked."""

    message: MessageId
    count: int
    members: tuple[Member, ...]
    settled: bool = False


class StrandedCare:
    """Looks after the messages of sessions that have ended."""

    def __init__(self, store: Store, chat: Chat, clock: Clock, router: Router, rules: RoutingRules) -> None:
        self._store = store
        self._chat = chat
        self._clock = clock
        self._router = router
        self._rules = rules
        self._gone: Mapping[SessionId, datetime] = {}
        self._living: frozenset[SessionId] | None = None
        self._look_again_at: datetime | None = None
        self._looked_at_s = -math.inf
        self._left = False
        """Whether anything was for a session that has ended, the last time it was looked."""
        self._news = True
        self._offers: dict[_Lot, _Offer] = {}
        self._telling: dict[tuple[object, ...], asyncio.Task[None]] = {}
        self.behind: frozenset[ChatId] = frozenset()
        """Chats with messages that may go to any session, and were for one that has ended a moment ago."""

    def look_again_in_s(self) -> float:
        """In how many seconds to look again, though nothing has changed."""
        if self._look_again_at is None:
            return IDLE_LOOK_S
        left_s = (self._look_again_at - self._clock.now()).total_seconds()
        return min(LOOK_EVERY_S, max(_LEAST_LOOK_S, left_s))

    def cancel(self) -> None:
        """Say nothing more."""
        for task in self._telling.values():
            task.cancel()

    def expect(self) -> None:
        """Something was stored for a session that has ended, or was decided: look at the next step."""
        self._news = True

    async def step(self, *, changed: bool = True) -> bool:
        """Do what can be done now: when a session has ended, something was stored for one, or time has come.

        Returns whether there was a reason to look. What has to be routed by a person is for nobody then.

        Raises:
            StateError: the rest is to be done in another step.
        """
        records = await self._router.records()
        members = self._router.roster.members_of(self._router.roster.living_of(records))
        living = frozenset(one.session for one in members)
        now, now_s = self._clock.now(), self._clock.monotonic()
        time_has_come = self._look_again_at is not None and self._look_again_at <= now
        # What is left may have been settled by others. The whole inbox is not read at every change because of it.
        may_have_changed = self._left and changed and now_s - self._looked_at_s >= LOOK_EVERY_S
        if not (self._news or time_has_come or may_have_changed or living != self._living):
            return False
        self._news, self._looked_at_s = False, now_s
        try:
            await self._look_after(records, members, living, now)
        except BaseException:
            self._news = True
            raise
        return True

    async def _look_after(
        self,
        records: Sequence[SessionRecord],
        members: tuple[Member, ...],
        living: frozenset[SessionId],
        now: datetime,
    ) -> None:
        entries = [one for one in await self._unfinished() if one.session and one.session not in living]
        self._gone = gone_since(self._gone, entries, living, now)
        plan = restrand(entries, living, now, self._gone, self._rules)
        await self._carry_out(plan, entries)
        self._living, self._look_again_at, self._left = living, plan.look_again_at, bool(entries)
        treated = {one.entry for one in plan.anew}
        self.behind = frozenset(one.chat for one in entries if _may_go_anywhere(one) and one.entry not in treated)
        self._put_offers_away(plan, members, records)
        self._speak(plan, members, records)

    async def catch_up(self, chats: Iterable[ChatId]) -> None:
        """Route at once what may go to any session, because something later from there goes now.

        Raises:
            StateError: nothing was routed for certain.
        """
        wanted = self.behind & set(chats)
        living = {one.session for one in await self._router.roster.members()}
        entries = [one for one in await self._unfinished() if one.session and one.session not in living]
        await self._carry_out(
            StrandedPlan(anew=tuple(one for one in entries if one.chat in wanted and _may_go_anywhere(one))), entries
        )
        self.behind -= wanted

    async def _unfinished(self) -> tuple[InboxEntry, ...]:
        at_once = _AT_ONCE
        while len(stored := await self._store.inbox.due(at_once)) >= at_once:
            at_once *= 2
        return (*stored, *await self._store.inbox.unproven())

    async def _carry_out(self, plan: StrandedPlan, entries: Sequence[InboxEntry]) -> None:
        """Every move of the plan in one step, so that no order is broken on the way."""
        if not entries:
            return
        state = await self._store.access.read()
        put_out = {one.entry for one in entries if not is_in_book(state, one.inbound.place.sender)}
        moves = [
            Move(tuple(put_out), (*_STORED, *_EMITTED), DeliveryState.EXPIRED),
            Move(_ids(plan.give_up, put_out), _EMITTED, DeliveryState.EXPIRED),
        ]
        anew = [one for one in plan.anew if one.entry not in put_out]
        moves += await self._routed(anew, state)
        stays = _ids(plan.back, put_out | {one.entry for one in anew})
        moves.append(Move(stays, _EMITTED, DeliveryState.STORED, redelivered=True))
        if moves := [one for one in moves if one.entries]:
            await self._store.inbox.advance(moves)

    async def _routed(self, anew: Sequence[InboxEntry], state: AccessState) -> list[Move]:
        """Where these go now: to nobody, where somebody has to be asked."""
        if not anew:
            return []
        look = await self._router.look(one.inbound for one in anew)
        going: defaultdict[tuple[SessionId, Why | None, bool], list[EntryId]] = defaultdict(list)
        for entry in anew:
            to, why = NOBODY, None
            match look.route(state, entry.inbound):
                case Directed(session=session, why=reason) | Stranded(session=session, why=reason):
                    to, why = session, reason
                case _:
                    pass
            going[to, why, entry.state is DeliveryState.EMITTED].append(entry.entry)
        _log.info("%d messages of a session that has ended find another", len(anew))
        return [
            Move(tuple(ids), _EMITTED, DeliveryState.STORED, session=to, redelivered=True, why=why)
            if was_emitted
            else Move(tuple(ids), _STORED, session=to, why=why)
            for (to, why, was_emitted), ids in going.items()
        ]

    def _put_offers_away(
        self, plan: StrandedPlan, members: Sequence[Member], records: Sequence[SessionRecord]
    ) -> None:
        """Take the buttons off what nobody has to decide any more."""
        left = _lots((*plan.offer, *plan.wait))
        for lot, offer in tuple(self._offers.items()):
            if lot in left:
                continue
            del self._offers[lot]
            (chat, _), session = lot
            back = any(one.session == session for one in members)
            body = stranded_back(self._router.roster.last_label(session, records)) if back else None
            if not offer.settled:
                self._post((chat, offer.message), self._edited(chat, offer.message, body))

    def _speak(self, plan: StrandedPlan, members: tuple[Member, ...], records: Sequence[SessionRecord]) -> None:
        """Ask, or tell, each spot once about each session."""
        for lot, entries in _lots(plan.offer).items():
            new = [one for one in entries if not one.noticed]
            if offer := self._offers.get(lot):
                self._refresh(lot, offer, entries, members, records)
                if new:
                    self._post((lot, "noted"), self._note(new))
            elif new:
                label = self._router.roster.last_label(lot[1], records)
                self._post((lot, "offer"), self._offer(lot, new, members, label))
        if members:  # somebody else is there, and will not get it
            for lot, entries in _lots(one for one in plan.wait if one.why and one.why.is_meant).items():
                if new := [one for one in entries if not one.noticed]:
                    say = stranded_waits(self._router.roster.last_label(lot[1], records))
                    self._post((lot, "wait"), self._tell(lot[0], new, say))
        for spot, unread in by_place(plan.notify).items():
            self._post((spot, "unread"), self._tell(spot, unread, notices.unread(len(unread))))

    def _refresh(
        self,
        lot: _Lot,
        offer: _Offer,
        entries: Sequence[InboxEntry],
        members: tuple[Member, ...],
        records: Sequence[SessionRecord],
    ) -> None:
        if offer.settled or (offer.count, offer.members) == (len(entries), members):
            return
        offer.count, offer.members = len(entries), members
        body = stranded_offer(len(entries), self._router.roster.last_label(lot[1], records))
        edit = self._edited(lot[0][0], offer.message, body, offer_buttons(members))
        self._post((lot, "refresh"), edit)

    async def _offer(self, lot: _Lot, entries: Sequence[InboxEntry], members: tuple[Member, ...], label: str) -> None:
        spot, body, buttons = lot[0], stranded_offer(len(entries), label), offer_buttons(members)
        match await self._say(spot, entries[0].message, body, buttons):
            case Sent(refs=refs) | PartlySent(refs=refs) if refs:
                self._offers[lot] = _Offer(refs[-1], len(entries), members)
            case Refused():
                return
            case _:
                pass
        await self._note(entries)

    async def _tell(self, spot: Spot, entries: Sequence[InboxEntry], body: Styled) -> None:
        """Sent first, remembered after: a crash in between says it twice rather than never."""
        if not isinstance(await self._say(spot, entries[-1].message, body), Refused):
            await self._note(entries)

    async def _say(self, spot: Spot, answers: MessageId, body: Styled, buttons: ButtonRows = ()) -> SendOutcome:
        chat, thread = spot
        if not may_address(await self._store.access.read(), chat):
            return Refused("Nobody there is let in any more.")
        if (reason := await self._store.closed_chats.reason(chat)) is not None:
            return Refused(reason)
        message = OutMessage(chat, body, thread, reply_to=answers, buttons=buttons)
        outcome = await self._chat.send(message)
        if isinstance(outcome, Refused) and outcome.topic_gone:
            outcome = await self._chat.send(replace(message, thread=None, reply_to=None))
        if isinstance(outcome, Refused):
            _log.warning("a chat could not be told that a session has ended: %s", outcome.cause)
            if outcome.closed:
                await self._store.closed_chats.close(chat, outcome.cause)
            await self._clock.sleep(LOOK_EVERY_S)  # until then this one is under way, and not begun again
        return outcome

    async def _note(self, entries: Sequence[InboxEntry]) -> None:
        ids = tuple(one.entry for one in entries)
        await self._store.inbox.advance([Move(ids, (*_STORED, *_EMITTED), noticed=True)])

    async def _edited(self, chat: ChatId, message: MessageId, body: Styled | None, buttons: ButtonRows = ()) -> None:
        await self._chat.edit(chat, message, body, buttons)

    def _post(self, what: tuple[object, ...], errand: Coroutine[Any, Any, None]) -> None:
        """Start something that nobody waits for, unless the same is under way."""
        if what in self._telling:
            errand.close()
            return
        task = asyncio.create_task(errand)
        self._telling[what] = task
        task.add_done_callback(lambda done: self._told(what, done))

    def _told(self, what: tuple[object, ...], task: asyncio.Task[None]) -> None:
        self._telling.pop(what, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.warning("a chat may not know that a session has ended: %s", error)

    async def take(self, offer: Offer, to: Member, may_give: Callable[[InboxEntry], bool]) -> tuple[int, Styled]:
        """A person gives what an offer is about to a living session; returns how many, and what the offer says now.

        Raises:
            StateError: nothing was given for certain.
        """
        entries = [one for one in await self._offered(offer) if may_give(one)]
        given = 0
        if entries:
            ids = tuple(one.entry for one in entries)
            move = Move(ids, _STORED, session=to.session, why=Why.ANSWERED, noticed=False)
            given = await self._store.inbox.advance([move])
        self._settle(offer)
        return given, stranded_taken(to.label)

    async def keep(self, offer: Offer) -> tuple[int, Styled]:
        """A person lets it wait for its own session; returns how many wait, and what the offer says now.

        Raises:
            StateError: nothing was decided for certain.
        """
        entries = await self._offered(offer)
        records = await self._store.sessions.list()
        label = self._router.roster.last_label(entries[0].session, records) if entries and entries[0].session else ""
        self._settle(offer)
        return len(entries), stranded_waits(label)

    async def _offered(self, pressed: Offer) -> list[InboxEntry]:
        """What an offer is about; after a restart nobody knows which of several, and all of the spot are meant."""
        lot = self._lot_of(pressed)
        spot, session = lot or ((pressed.chat, pressed.thread), None)
        living = {one.session for one in await self._router.roster.members()}
        return [
            one
            for one in await self._unfinished()
            if (one.chat, one.inbound.place.thread) == spot
            and one.state is DeliveryState.STORED
            and one.session
            and one.session not in living
            and session in (None, one.session)
            and one.why is not None
            and one.why.is_meant
        ]

    def _lot_of(self, pressed: Offer) -> _Lot | None:
        return next(
            (
                lot
                for lot, offer in self._offers.items()
                if (lot[0][0], offer.message) == (pressed.chat, pressed.message)
            ),
            None,
        )

    def _settle(self, pressed: Offer) -> None:
        if lot := self._lot_of(pressed):
            self._offers[lot].settled = True
        self.expect()


def _may_go_anywhere(entry: InboxEntry) -> bool:
    """Stored, written to no session yet, and meant for none in particular."""
    return entry.state is DeliveryState.STORED and not (entry.why and entry.why.is_meant)


def _ids(entries: Iterable[InboxEntry], without: set[EntryId]) -> tuple[EntryId, ...]:
    return tuple(one.entry for one in entries if one.entry not in without)


def _lots(entries: Iterable[InboxEntry]) -> dict[_Lot, tuple[InboxEntry, ...]]:
    lots: defaultdict[_Lot, list[InboxEntry]] = defaultdict(list)
    for one in entries:
        if one.session:
            lots[(one.chat, one.inbound.place.thread), one.session].append(one)
    return {lot: tuple(found) for lot, found in lots.items()}
