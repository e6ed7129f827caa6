"""What was for a session that has ended is given to another, offered, or kept, as `core.stranding` says.

Nothing is lost: what was written without a sign of reading goes back to STORED, once. What chats are asked and
told about it is the business of `offers`.
"""

import logging
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from telegram_channel.bridge.offers import Offer, Offers
from telegram_channel.bridge.router import Look, Router
from telegram_channel.core.access import AccessState, is_in_book
from telegram_channel.core.ids import ChatId, EntryId, SessionId
from telegram_channel.core.inbox import DeliveryState, InboxEntry, Move
from telegram_channel.core.routing import NOBODY, Directed, Member, Stranded, Why
from telegram_channel.core.session_words import stranded_taken, stranded_waits
from telegram_channel.core.stranding import RoutingRules, StrandedPlan, gone_since, restrand
from telegram_channel.core.text import Styled
from telegram_channel.ports import Chat, Clock, Store

_log = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0
"""How often what was left by a session that has ended is looked at, while anything is."""
IDLE_LOOK_S = 5.0
"""How often it is looked whether a session has ended: the end of a process is no change of the store."""
_AT_ONCE = 500
_LEAST_LOOK_S = 0.05
_STORED, _EMITTED = (DeliveryState.STORED,), (DeliveryState.EMITTED,)


class StrandedCare:
    """Looks after the messages of sessions that have ended."""

    def __init__(self, store: Store, chat: Chat, clock: Clock, router: Router, rules: RoutingRules) -> None:
        self._store = store
        self._clock = clock
        self._router = router
        self._rules = rules
        self.offers = Offers(store, chat, clock, router.roster)
        self._gone: Mapping[SessionId, datetime] = {}
        self._living: frozenset[SessionId] | None = None
        self._look_again_at: datetime | None = None
        self._looked_at_s = -math.inf
        self._left = False
        """Whether anything was for a session that has ended, the last time it was looked."""
        self._news = True
        self.behind: frozenset[ChatId] = frozenset()
        """Chats with messages that are for a session that has ended."""
        self._anywhere: frozenset[ChatId] = frozenset()
        """Those with messages that may go to any session, and wait only for it to come back."""
        self._left_by: frozenset[SessionId] = frozenset()
        """The sessions that they are for."""

    def look_again_in_s(self) -> float:
        """In how many seconds to look again, though nothing has changed."""
        if self._look_again_at is None:
            return IDLE_LOOK_S
        left_s = (self._look_again_at - self._clock.now()).total_seconds()
        return min(LOOK_EVERY_S, max(_LEAST_LOOK_S, left_s))

    def expect(self) -> None:
        """Something was stored for a session that has ended, or was decided: look at the next step."""
        self._news = True

    async def step(self, *, changed: bool = True) -> bool:
        """Do what can be done now: when a session has ended, something was stored for one, or time has come.

        Returns whether there was a reason to look. What has to be routed by a person is for nobody then.

        Raises:
            StateError: the rest is to be done in another step.
        """
        look = await self._router.glance()
        if await self._router.roster.retire(look.records, self._rules.orphaned_after_s):
            look, self._news = await self._router.glance(), True  # somebody may have taken over
        living = frozenset(one.session for one in look.members)
        now, now_s = self._clock.now(), self._clock.monotonic()
        time_has_come = self._look_again_at is not None and self._look_again_at <= now
        # What is left may have been settled by others. The whole inbox is not read at every change because of it.
        may_have_changed = self._left and changed and now_s - self._looked_at_s >= LOOK_EVERY_S
        if not (self._news or time_has_come or may_have_changed or living != self._living):
            return False
        self._news, self._looked_at_s = False, now_s
        try:
            await self._look_after(look, living, now)
        except BaseException:
            self._news = True
            raise
        return True

    async def _look_after(self, look: Look, living: frozenset[SessionId], now: datetime) -> None:
        entries = [one for one in await self._unfinished() if one.session and one.session not in living]
        ended = {one.session: one.last_seen_at for one in look.ended}
        self._gone = gone_since(self._gone, entries, living, now, ended)
        plan = restrand(entries, living, now, self._gone, self._rules, heirs=look.heirs)
        await self._carry_out(plan, entries, look)
        self._living, self._look_again_at, self._left = living, plan.look_again_at, bool(entries)
        treated = {one.entry for one in (*plan.anew, *plan.inherit)}
        left = [one for one in entries if one.entry not in treated]
        self._anywhere = frozenset(one.chat for one in left if _may_go_anywhere(one))
        self._left_by = frozenset(one.session for one in left if one.session)
        self.behind = frozenset(one.chat for one in left)
        self.offers.tell(plan, look)

    async def catch_up(self, chats: Iterable[ChatId]) -> bool:
        """Direct at once what may go to any session or has found its successor: something later from there goes now.

        Returns whether there was anything that might be.

        Raises:
            StateError: nothing was directed for certain.
        """
        wanted, look = self.behind & set(chats), await self._router.glance()
        if not (wanted & self._anywhere or self._left_by & look.heirs.keys()):
            return False
        living = {one.session for one in look.members}
        gone = [one for one in await self._unfinished() if one.session and one.session not in living]
        entries = [one for one in gone if one.chat in wanted]
        followed = [one for one in entries if one.session in look.heirs]
        plan = restrand(followed, living, self._clock.now(), self._gone, self._rules, heirs=look.heirs)
        anywhere = {one.entry for one in (*plan.anew, *filter(_may_go_anywhere, entries))}
        anew = tuple(one for one in entries if one.entry in anywhere)
        await self._carry_out(replace(plan, anew=anew), entries, look)
        self._anywhere -= wanted
        return True

    async def _unfinished(self) -> tuple[InboxEntry, ...]:
        at_once = _AT_ONCE
        while len(stored := await self._store.inbox.due(at_once)) >= at_once:
            at_once *= 2
        return (*stored, *await self._store.inbox.unproven())

    async def _carry_out(self, plan: StrandedPlan, entries: Sequence[InboxEntry], look: Look) -> None:
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
        inherit = [one for one in plan.inherit if one.entry not in put_out]
        moves += _inherited([one for one in inherit if _is_open_to_heir(one, look, state)], look.heirs)
        stays = _ids(plan.back, put_out | {one.entry for one in (*anew, *inherit)})
        moves.append(Move(stays, _EMITTED, DeliveryState.STORED, redelivered=True))
        if moves := [one for one in moves if one.entries]:
            await self._store.inbox.advance(moves)

    async def _routed(self, anew: Sequence[InboxEntry], state: AccessState) -> list[Move]:
        """Where these go now: to nobody, where somebody has to be asked."""
        if not anew:
            return []
        look = await self._router.look(one.inbound for one in anew)
        going: defaultdict[tuple[SessionId | None, SessionId, Why | None, bool], list[EntryId]] = defaultdict(list)
        for entry in anew:
            to, why = NOBODY, None
            match look.route(state, entry.inbound):
                case Directed(session=session, why=reason) | Stranded(session=session, why=reason):
                    to, why = session, reason
                case _:
                    pass
            going[entry.session, to, why, entry.state is DeliveryState.EMITTED].append(entry.entry)
        _log.info("%d messages of a session that has ended find another", len(anew))
        return [
            Move(tuple(ids), _EMITTED, DeliveryState.STORED, session=to, redelivered=True, why=why, held_by=gone)
            if was_emitted
            else Move(tuple(ids), _STORED, session=to, why=why, held_by=gone)
            for (gone, to, why, was_emitted), ids in going.items()
        ]

    async def take(self, offer: Offer, to: Member, may_give: Callable[[InboxEntry], bool]) -> tuple[int, Styled]:
        """A person gives what an offer is about to a living session; returns how many, and what the offer says now.

        Raises:
            StateError: nothing was given for certain.
        """
        entries = [one for one in await self._offered(offer) if may_give(one)]
        moves = [
            Move((one.entry,), _STORED, session=to.session, why=Why.ANSWERED, noticed=False, held_by=one.session)
            for one in entries
        ]
        given = await self._store.inbox.advance(moves) if moves else 0
        self._settle(offer)
        return given, stranded_taken(to.label)

    async def keep(self, offer: Offer) -> tuple[int, Styled]:
        """A person lets it wait for its own session; returns how many wait, and what the offer says now.

        Raises:
            StateError: nothing was decided for certain.
        """
        entries = await self._offered(offer)
        look = await self._router.glance()
        label = self.offers.label(entries[0].session, look) if entries and entries[0].session else ""
        self._settle(offer)
        return len(entries), stranded_waits(label)

    async def _offered(self, pressed: Offer) -> list[InboxEntry]:
        """What an offer is about; after a restart nobody knows which of several, and all of the spot are meant."""
        lot = self.offers.lot_of(pressed)
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

    def _settle(self, pressed: Offer) -> None:
        self.offers.settle(pressed)
        self.expect()


def _may_go_anywhere(entry: InboxEntry) -> bool:
    """Stored, written to no session yet, and meant for none in particular."""
    return entry.state is DeliveryState.STORED and not (entry.why and entry.why.is_meant)


def _is_open_to_heir(entry: InboxEntry, look: Look, state: AccessState) -> bool:
    """Whether its sender may write to whoever has taken over; else it waits for the session it was meant for."""
    heir = look.heirs.get(entry.session) if entry.session else None
    return heir is not None and look.is_open(state, entry.inbound.place.sender, heir)


def _inherited(entries: Sequence[InboxEntry], heirs: Mapping[SessionId, SessionId]) -> list[Move]:
    """To whoever has taken over from the session each is for, for the same reason."""
    going: defaultdict[tuple[SessionId, bool], list[EntryId]] = defaultdict(list)
    for one in entries:
        if one.session:
            going[one.session, one.state is DeliveryState.EMITTED].append(one.entry)
    if entries:
        _log.info("%d messages of a session that has ended go to its successor", len(entries))
    return [
        Move(
            tuple(ids),
            _EMITTED if was_emitted else _STORED,
            DeliveryState.STORED,
            session=heirs[gone],
            redelivered=True if was_emitted else None,
            noticed=False,
            held_by=gone,
        )
        for (gone, was_emitted), ids in going.items()
    ]


def _ids(entries: Iterable[InboxEntry], without: set[EntryId]) -> tuple[EntryId, ...]:
    return tuple(one.entry for one in entries if one.entry not in without)
