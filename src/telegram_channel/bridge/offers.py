"""Tells chats that a session has ended for which they have messages, and asks who shall have them instead.

Each chat or topic is asked or told once about each session that ended; that this was done stands with the
entries (`noticed`), so that whoever polls next does not do it again. Nobody waits for what is said here.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from telegram_channel.bridge.questions import Spot
from telegram_channel.bridge.roster import Roster
from telegram_channel.bridge.router import Look
from telegram_channel.core import notices
from telegram_channel.core.access import AccessState, may_address
from telegram_channel.core.ids import ChatId, MessageId, SessionId, ThreadId
from telegram_channel.core.inbox import DeliveryState, InboxEntry, Move
from telegram_channel.core.outgoing import ButtonRows, OutMessage, PartlySent, Refused, SendOutcome, Sent, Uncertain
from telegram_channel.core.routing import Member
from telegram_channel.core.session_buttons import offer_buttons
from telegram_channel.core.session_words import stranded_back, stranded_offer, stranded_waits
from telegram_channel.core.stranding import StrandedPlan, by_place
from telegram_channel.core.text import Styled
from telegram_channel.ports import Chat, Clock, Store

_log = logging.getLogger(__name__)

UNCERTAIN_PAUSE_S = 60.0
"""What may not have been asked is asked once more after this."""
REFUSED_PAUSE_S = 2.0
"""What a chat refused is not said to it again before."""
_UNFINISHED = (DeliveryState.STORED, DeliveryState.EMITTED)

Lot = tuple[Spot, SessionId]
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


class Offers:
    """What chats were asked and told about messages of sessions that have ended."""

    def __init__(
        self, store: Store, chat: Chat, clock: Clock, roster: Roster, look_again: Callable[[], None]
    ) -> None:
        """`look_again`: what was asked is to be looked at, for what it is about may be settled already."""
        self._store = store
        self._look_again = look_again
        self._chat = chat
        self._clock = clock
        self._roster = roster
        self._offers: dict[Lot, _Offer] = {}
        self._doubted: set[Lot] = set()
        """What may not have been asked, and is asked once more."""
        self._telling: dict[tuple[object, ...], asyncio.Task[None]] = {}

    def cancel(self) -> None:
        """Say nothing more."""
        for task in self._telling.values():
            task.cancel()

    def lot_of(self, pressed: Offer) -> Lot | None:
        """What an offer is about; None after a restart, which forgets it."""
        return next(
            (
                lot
                for lot, offer in self._offers.items()
                if (lot[0][0], offer.message) == (pressed.chat, pressed.message)
            ),
            None,
        )

    def settle(self, pressed: Offer) -> None:
        """A person has answered: the message says so, and nothing more is done to it."""
        if lot := self.lot_of(pressed):
            self._offers[lot].settled = True

    def tell(self, plan: StrandedPlan, look: Look, state: AccessState) -> None:
        """Ask and tell what the plan leaves to people, and take away what nobody has to decide any more."""
        self._put_away(plan, look)
        self._speak(plan, look, state)

    def label(self, session: SessionId, look: Look) -> str:
        """What people called a session that has ended."""
        return self._roster.last_label(session, (*look.ended, *look.records))

    def _put_away(self, plan: StrandedPlan, look: Look) -> None:
        """Take the buttons off what nobody has to decide any more."""
        left, inherited = lots((*plan.offer, *plan.wait)), lots(plan.inherit)
        for lot, offer in tuple(self._offers.items()):
            if lot in left:
                continue
            del self._offers[lot]
            (chat, _), session = lot
            back = lot in inherited or any(one.session == session for one in look.members)
            body = stranded_back(self.label(look.heirs.get(session, session), look)) if back else None
            if not offer.settled:
                self._post((chat, offer.message), self._edited(chat, offer.message, body))

    def _speak(self, plan: StrandedPlan, look: Look, state: AccessState) -> None:
        """Ask, or tell, each spot once about each session."""
        offered = lots(plan.offer)
        self._doubted &= offered.keys()
        for lot, entries in offered.items():
            new = [one for one in entries if not one.noticed]
            senders = {one.inbound.place.sender for one in entries}
            members = tuple(
                one for one in look.members if any(look.is_open(state, who, one.session) for who in senders)
            )
            label = self.label(lot[1], look)
            if offer := self._offers.get(lot):
                self._refresh(lot, offer, len(entries), members, label)
                if new:
                    self._post((lot, "noted"), self._note(new))
            elif new and not members:
                self._post((lot, "wait"), self._tell(lot[0], new, stranded_waits(label)))
            elif new:
                self._post((lot, "offer"), self._offer(lot, new, members, label))
        if look.members:  # somebody else is there, and will not get it
            for lot, entries in lots(one for one in plan.wait if one.why and one.why.is_meant).items():
                if new := [one for one in entries if not one.noticed]:
                    say = stranded_waits(self.label(lot[1], look))
                    self._post((lot, "wait"), self._tell(lot[0], new, say))
        for spot, unread in by_place(plan.notify).items():
            self._post((spot, "unread"), self._tell(spot, unread, notices.unread(len(unread))))

    def _refresh(self, lot: Lot, offer: _Offer, count: int, members: tuple[Member, ...], label: str) -> None:
        if offer.settled or (offer.count, offer.members) == (count, members):
            return
        offer.count, offer.members = count, members
        body = stranded_offer(count, label)
        edit = self._edited(lot[0][0], offer.message, body, offer_buttons(members))
        self._post((lot, "refresh"), edit)

    async def _offer(self, lot: Lot, entries: Sequence[InboxEntry], members: tuple[Member, ...], label: str) -> None:
        spot, body, buttons = lot[0], stranded_offer(len(entries), label), offer_buttons(members)
        match await self._say(spot, entries[0].message, body, buttons):
            case Sent(refs=refs) | PartlySent(refs=refs) if refs:
                self._offers[lot] = _Offer(refs[-1], len(entries), members)
                self._look_again()
            case Uncertain() if lot not in self._doubted:
                # Once more, later: nobody decides what nobody has seen. Until then this one is under way.
                self._doubted.add(lot)
                await self._clock.sleep(UNCERTAIN_PAUSE_S)
                self._look_again()
                return
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
            await self._clock.sleep(REFUSED_PAUSE_S)  # until then this one is under way, and not begun again
        return outcome

    async def _note(self, entries: Sequence[InboxEntry]) -> None:
        moves = [Move((one.entry,), _UNFINISHED, noticed=True, held_by=one.session) for one in entries]
        await self._store.inbox.advance(moves)

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


def lots(entries: Iterable[InboxEntry]) -> dict[Lot, tuple[InboxEntry, ...]]:
    """Entries by where they came from and which session they are for."""
    found: defaultdict[Lot, list[InboxEntry]] = defaultdict(list)
    for one in entries:
        if one.session:
            found[(one.chat, one.inbound.place.thread), one.session].append(one)
    return {lot: tuple(one) for lot, one in found.items()}
