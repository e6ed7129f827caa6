"""What was for a session that has ended is given to another, offered, or kept, as `core.stranding` says.

Nothing is lost: what was written without a sign of reading goes back to STORED, once. What chats are asked and
told about it is the business of `offers`.
"""

import asyncio
import logging
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

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


@dataclass(frozen=True, slots=True)
class Taken:
    """How many messages were given to the session that somebody chose, and how many were not, and what to say."""

    given: int
    left: int
    say: Styled


_HeirOf = Callable[[InboxEntry], SessionId | None]


@dataclass(frozen=True, slots=True)
class _Seen:
    """Who was there, and who stood for those who had ended."""

    living: frozenset[SessionId]
    heirs: Mapping[SessionId, SessionId]


def _seen(look: Look) -> _Seen:
    return _Seen(frozenset(one.session for one in look.members), look.heirs)


class StrandedCare:
    """Looks after the messages of sessions that have ended."""

    def __init__(self, store: Store, chat: Chat, clock: Clock, router: Router, rules: RoutingRules) -> None:
        self._store = store
        self._clock = clock
        self._router = router
        self._rules = rules
        self.offers = Offers(store, chat, clock, router.roster, self.expect)
        self._gone: Mapping[SessionId, datetime] = {}
        self._seen: _Seen | None = None
        """Who was there when it was looked last."""
        self._look_again_at: datetime | None = None
        self._looked_at_s = -math.inf
        self._left = False
        """Whether anything was for a session that has ended, the last time it was looked."""
        self._news = True
        self._one_at_a_time = asyncio.Lock()
        self.behind: frozenset[ChatId] = frozenset()
        """Chats with messages that may go to any session, and were for one that has ended a moment ago."""

    def look_again_in_s(self) -> float:
        """In how many seconds to look again, though nothing has changed."""
        if self._look_again_at is None:
            return IDLE_LOOK_S
        left_s = (self._look_again_at - self._clock.now()).total_seconds()
        return min(LOOK_EVERY_S, max(_LEAST_LOOK_S, left_s))

    def expect(self) -> None:
        """Something was stored for a session that has ended, or was decided: look at the next step."""
        self._news = True

    def expect_of(self, sessions: Iterable[SessionId | None]) -> None:
        """Something was stored for these: one of them may have ended since anybody looked whom it may be for."""
        living = self._seen.living if self._seen else frozenset()
        if any(one is not None and one not in living for one in sessions):
            self.expect()

    def is_behind(self, look: Look) -> bool:
        """Whether anything may be with a session that has ended or has an heir since this was looked at last."""
        return self._news or self._seen != _seen(look)

    async def step(self, *, changed: bool = True) -> bool:
        """Do what can be done now: when a session has ended, something was stored for one, or time has come.

        Returns whether there was a reason to look. What has to be routed by a person is for nobody then.

        Raises:
            StateError: the rest is to be done in another step.
        """
        async with self._one_at_a_time:
            look = await self._router.glance()
            if await self._router.roster.retire(look.records, self._rules.orphaned_after_s):
                look = await self._router.glance()
            now, now_s = self._clock.now(), self._clock.monotonic()
            # What is left may have been settled by others. The whole inbox is not read at every change because of it.
            may_have_changed = self._left and changed and now_s - self._looked_at_s >= LOOK_EVERY_S
            if not (self.is_behind(look) or self._time_has_come(now) or may_have_changed):
                return False
            self._news, self._looked_at_s = False, now_s
            try:
                await self._look_after(look, now)
            except BaseException:
                self._news = True
                raise
            return True

    def _time_has_come(self, now: datetime) -> bool:
        """Whether somebody has been gone long enough; a clock that was set back makes nobody wait for it."""
        longest = timedelta(seconds=self._rules.orphaned_after_s)
        return self._look_again_at is not None and not now < self._look_again_at <= now + longest

    async def _look_after(self, look: Look, now: datetime) -> None:
        seen = _seen(look)
        entries = [one for one in await self._unfinished() if one.session and one.session not in seen.living]
        ended = {one.session: one.last_seen_at for one in look.ended}
        self._gone = gone_since(self._gone, entries, seen.living, now, ended)
        state = await self._store.access.read()
        heir_of = partial(look.heir_of, state=state)
        plan = restrand(entries, seen.living, now, self._gone, self._rules, heir_of=heir_of)
        await self._carry_out(plan, entries, heir_of, state)
        self._seen, self._look_again_at, self._left = seen, plan.look_again_at, bool(entries)
        treated = {one.entry for one in (*plan.anew, *plan.inherit)}
        self.behind = frozenset(one.chat for one in entries if _may_go_anywhere(one) and one.entry not in treated)
        self.offers.tell(plan, look, state)

    async def catch_up(self, chats: Iterable[ChatId]) -> None:
        """Route at once what may go to any session, because something later from there goes now.

        Raises:
            StateError: nothing was routed for certain.
        """
        wanted, living = self.behind & set(chats), {one.session for one in await self._router.roster.members()}
        entries = [one for one in await self._unfinished() if one.session and one.session not in living]
        anew = tuple(one for one in entries if one.chat in wanted and _may_go_anywhere(one))
        await self._carry_out(StrandedPlan(anew=anew), entries, lambda _: None, await self._store.access.read())
        self.behind -= wanted

    async def _unfinished(self) -> tuple[InboxEntry, ...]:
        at_once = _AT_ONCE
        while len(stored := await self._store.inbox.due(at_once)) >= at_once:
            at_once *= 2
        return (*stored, *await self._store.inbox.unproven())

    async def _carry_out(
        self, plan: StrandedPlan, entries: Sequence[InboxEntry], heir_of: _HeirOf, state: AccessState
    ) -> None:
        """Every move of the plan in one step, so that no order is broken on the way."""
        if not entries:
            return
        put_out = {one.entry for one in entries if not is_in_book(state, one.inbound.place.sender)}
        moves = [
            Move(tuple(put_out), (*_STORED, *_EMITTED), DeliveryState.EXPIRED),
            *(
                Move((one.entry,), _EMITTED, DeliveryState.EXPIRED, held_by=one.session)
                for one in plan.give_up
                if one.entry not in put_out
            ),
        ]
        anew = [one for one in plan.anew if one.entry not in put_out]
        moves += await self._routed(anew, state)
        inherit = [one for one in plan.inherit if one.entry not in put_out]
        moves += _inherited(inherit, heir_of)
        elsewhere = put_out | {one.entry for one in (*anew, *inherit)}
        moves += [
            Move((one.entry,), _EMITTED, DeliveryState.STORED, redelivered=True, held_by=one.session)
            for one in plan.back
            if one.entry not in elsewhere
        ]
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

    async def take(self, offer: Offer, to: Member, may_give: Callable[[InboxEntry], bool]) -> Taken:
        """A person gives what an offer is about to a living session, as far as its senders may write to that.

        Raises:
            StateError: nothing was given for certain.
        """
        entries = await self._offered(offer)
        moves = [
            Move((one.entry,), _STORED, session=to.session, why=Why.ANSWERED, noticed=False, held_by=one.session)
            for one in entries
            if may_give(one)
        ]
        given = await self._store.inbox.advance(moves) if moves else 0
        if given == len(entries):
            self.offers.settle(offer)
        self.expect()
        return Taken(given, len(entries) - given, stranded_taken(to.label))

    async def keep(self, offer: Offer) -> tuple[int, Styled]:
        """A person lets it wait for its own session; returns how many wait, and what the offer says now.

        Raises:
            StateError: nothing was decided for certain.
        """
        entries = await self._offered(offer)
        look = await self._router.glance()
        label = self.offers.label(entries[0].session, look) if entries and entries[0].session else ""
        self.offers.settle(offer)
        self.expect()
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


def _may_go_anywhere(entry: InboxEntry) -> bool:
    """Stored, written to no session yet, and meant for none in particular."""
    return entry.state is DeliveryState.STORED and not (entry.why and entry.why.is_meant)


def _inherited(entries: Sequence[InboxEntry], heir_of: _HeirOf) -> list[Move]:
    """To whoever has taken over from the session each is for, for the same reason."""
    going: defaultdict[tuple[SessionId | None, SessionId, bool], list[EntryId]] = defaultdict(list)
    for one in entries:
        if (heir := heir_of(one)) is not None:
            going[one.session, heir, one.state is DeliveryState.EMITTED].append(one.entry)
    if entries:
        _log.info("%d messages of a session that has ended go to its heir", len(entries))
    return [
        Move(
            tuple(ids),
            _EMITTED if was_emitted else _STORED,
            DeliveryState.STORED,
            session=heir,
            redelivered=True if was_emitted else None,
            noticed=False,
            held_by=gone,
        )
        for (gone, heir, was_emitted), ids in going.items()
    ]
