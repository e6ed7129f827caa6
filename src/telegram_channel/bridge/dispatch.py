"""What is for nobody yet finds its session; it runs in the process that polls.

When only one session lives, or the chat has chosen, what waits is directed at once, in the order it was
received; otherwise the chat is asked (see `questions`). What was for a session that has ended is looked after
by `stranded`. Directing goes before whatever comes later: order within a chat is kept. Two processes may poll
for a moment, one that begins and one that has not noticed its end: who directs a message first decides.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from telegram_channel.bridge.questions import Questions, Spot, Waiting
from telegram_channel.bridge.router import Look, Router
from telegram_channel.bridge.steady import pause_after
from telegram_channel.bridge.stranded import StrandedCare
from telegram_channel.core.access import AccessState, is_in_book
from telegram_channel.core.ids import ChatId, EntryId, SessionId
from telegram_channel.core.inbox import DeliveryState, InboxEntry, Move
from telegram_channel.core.routing import NOBODY, Barred, Directed, Member, NobodyThere, Stranded, Undecided, Why
from telegram_channel.core.stranding import DEFAULT_RULES, RoutingRules, by_place
from telegram_channel.errors import StateUnwritable
from telegram_channel.ports import Chat, Clock, Store

_log = logging.getLogger(__name__)

_AT_ONCE = 200
_STORED = (DeliveryState.STORED,)


class Dispatch:
    """Directs what waits for nobody in particular."""

    def __init__(
        self, store: Store, chat: Chat, clock: Clock, router: Router, rules: RoutingRules = DEFAULT_RULES
    ) -> None:
        self._store = store
        self._clock = clock
        self._router = router
        self._one_at_a_time = asyncio.Lock()
        self._may_wait = True
        """Whether anything may be stored for nobody."""
        self.questions = Questions(store, chat, clock)
        self.stranded = StrandedCare(store, chat, clock, router, rules)

    async def run(self, changes: Store | None = None) -> None:
        """Direct, ask and offer until cancelled. `changes`: where to wait for changes, if not in the store itself."""
        feed = changes or self._store
        seen, before = -1, -2
        try:
            while True:
                try:
                    await self._router.refresh()
                    await self.step(changed=seen != before)
                except StateUnwritable as error:
                    _log.warning("messages wait for their session: %s", error.explained())
                    await pause_after(error, self._clock)
                    before = -2
                    continue
                before = seen
                seen = await feed.wait_for_change(seen, self.stranded.look_again_in_s())
        finally:
            self.questions.cancel()
            self.stranded.offers.cancel()

    async def step(self, *, changed: bool = True) -> None:
        """Everything that can be done now. Without a change of the store only time and deaths matter.

        Raises:
            StateError: the rest is to be done in another step.
        """
        if await self.stranded.step(changed=changed):
            self._may_wait = True
        if self._may_wait or changed:
            await self.direct()

    async def let_pass(self, entries: list[InboxEntry], look: Look, state: AccessState) -> list[InboxEntry]:
        """What is to be stored now, after everything that came earlier and was for nobody until now found its way.

        Raises:
            StateError: the same batch may be taken again.
        """
        if not entries:
            return entries
        if self.stranded.is_behind(look):
            self._may_wait = await self.stranded.step(changed=False) or self._may_wait
            now = await self._router.glance()  # somebody may have taken over from whom these are for
            heirs = {one.update: now.heir_of(one, state) for one in entries if one.session in now.heirs}
            entries = [replace(one, session=heirs.get(one.update) or one.session) for one in entries]
        if behind := self.stranded.behind & {one.chat for one in entries}:
            await self.stranded.catch_up(behind)
            self._may_wait = True
        if self._may_wait:
            await self.direct()
        # Somebody may have chosen a session later in the very same batch.
        decided = [
            replace(one, session=to.session, why=to.why)
            if one.session is None and isinstance(to := look.route(state, one.inbound), Directed)
            else one
            for one in entries
        ]
        self._may_wait = self._may_wait or any(one.session is None for one in decided)
        return decided

    def stored(self, entries: Iterable[InboxEntry]) -> None:
        """These were stored: a session they are for may have ended since it was looked who is there."""
        self.stranded.expect_of(one.session for one in entries)

    async def direct(self, chosen: tuple[ChatId, SessionId] | None = None) -> int:
        """Direct what waits, ask about the rest; returns how many followed `chosen`, which a person chose just now.

        Raises:
            StateError: nothing was directed for certain; it may be tried again.
        """
        async with self._one_at_a_time:
            if self.stranded.is_behind(await self._router.glance()):  # what was kept goes before what waited
                await self.stranded.step(changed=False)
            waiting = await self._undirected()
            self._may_wait = bool(waiting)
            if not waiting:
                if await self._store.routes.questions():
                    await self.questions.step({}, await self._router.roster.members())
                return 0
            look, state = await asyncio.gather(
                self._router.look(one.inbound for one in waiting), self._store.access.read()
            )
            if chosen:
                look.choose(*chosen)
            plan = _sorted(waiting, look, state, chosen)
            if plan.moves:
                await self._store.inbox.advance(plan.moves)
                self.stranded.expect_of(one.session for one in plan.moves)
            await self.questions.step(plan.waiting, look.members)
            return plan.followed

    async def _undirected(self) -> tuple[InboxEntry, ...]:
        at_once = _AT_ONCE
        while len(found := await self._store.inbox.undirected(at_once)) >= at_once:
            at_once *= 2
        return found


@dataclass(frozen=True, slots=True)
class _Plan:
    """What becomes of what waits: moved, or asked about; how many followed a choice that was made just now."""

    moves: tuple[Move, ...]
    waiting: Mapping[Spot, Waiting]
    followed: int


def _sorted(
    waiting: Sequence[InboxEntry], look: Look, state: AccessState, chosen: tuple[ChatId, SessionId] | None
) -> _Plan:
    going: defaultdict[tuple[SessionId, Why], list[EntryId]] = defaultdict(list)
    put_out: list[EntryId] = []
    undecided: list[InboxEntry] = []
    members: defaultdict[Spot, set[Member]] = defaultdict(set)
    for entry in waiting:
        if not is_in_book(state, entry.inbound.place.sender):
            put_out.append(entry.entry)
            continue
        match look.route(state, entry.inbound):
            case Directed(session=session, why=Why.CHOSEN) if chosen == (entry.chat, session):
                going[session, Why.ANSWERED].append(entry.entry)
            case Directed(session=session, why=why) | Stranded(session=session, why=why):
                going[session, why].append(entry.entry)
            case Undecided(members=several):
                undecided.append(entry)
                members[entry.chat, entry.inbound.place.thread].update(several)
            case Barred() | NobodyThere():
                pass  # until a session that is open to its sender comes
    moves = [
        Move(tuple(ids), _STORED, session=session, why=why, held_by=NOBODY) for (session, why), ids in going.items()
    ]
    if put_out:
        moves.append(Move(tuple(put_out), _STORED, DeliveryState.EXPIRED, held_by=NOBODY))
    asked = {
        spot: Waiting(entries, tuple(one for one in look.members if one in members[spot]))
        for spot, entries in by_place(undecided).items()
    }
    return _Plan(tuple(moves), asked, len(going[chosen[1], Why.ANSWERED]) if chosen else 0)
