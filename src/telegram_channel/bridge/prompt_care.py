"""Prompts do not stay open for ever, and those of a session that is gone find somebody to look after them.

A restart is not the end: a session that comes back in time keeps its prompts. Otherwise the process that
polls takes them over, and their cards say that an answer may have come too late.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from telegram_channel.bridge.cards import Cards
from telegram_channel.bridge.courier import Courier
from telegram_channel.core.ids import SessionId
from telegram_channel.core.permission import Closing, Prompt
from telegram_channel.ports import Clock, SessionRecord, Store

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ApprovalRules:
    """How long prompts and the client's hooks live, and when prompts of others become ours."""

    look_s: float = 10
    """How often open prompts are looked after when nothing else happens."""
    orphaned_after_s: float = 30
    """How long a session must be gone before its prompts are taken over: a restart is quicker than that."""
    ended_after_s: float = 600
    """How long a prompt that was taken over stays open: nobody waits for it any more."""
    expires_after_s: float = 24 * 3600
    hook_window_s: float = 2
    """How far apart a request and the hook that belongs to it may come."""
    card_waits_for_hook_s: float = 0.3
    """How long a card is held back for a hook that will surely come, so that it is right when it is sent."""
    hook_deadline_s: float = 3500
    """How long a hook waits for a person: less than the hour the client gives it."""
    withdrawn_after_s: float = 0.25
    """How long after its hook was withdrawn a prompt is closed: longer than this process takes to end, which
    withdraws every hook and settles nothing."""


class PromptCare:
    """Looks after the prompts of this process's session, and adopts those of sessions that are gone."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        courier: Courier,
        cards: Cards,
        session: SessionId | None,
        *,
        is_alive: Callable[[SessionRecord], bool],
        polls: Callable[[], bool],
        rules: ApprovalRules,
    ) -> None:
        self._store = store
        self._clock = clock
        self._courier = courier
        self._cards = cards
        self._session = session
        self._is_alive = is_alive
        self._polls = polls
        self._rules = rules
        self._missed_since_s: dict[SessionId, float] = {}
        self._look_again_s = clock.monotonic()

    async def step(self) -> None:
        """Close cards that show buttons for nothing, and look after the rest now and then."""
        uncleared = await self._store.prompts.uncleared()
        for prompt in await self._ours(uncleared):
            self._courier.post(self._cards.close(prompt))
        if self._clock.monotonic() < self._look_again_s:
            return
        self._look_again_s = self._clock.monotonic() + self._rules.look_s
        await self.expire(self._clock.now())
        await self._take_over(uncleared)
        await self._look_after_open()

    async def expire(self, now: datetime) -> int:
        """Close prompts nobody answered for a day; returns how many."""
        oldest = now - timedelta(seconds=self._rules.expires_after_s)
        closed = 0
        for prompt in await self._store.prompts.open_prompts():
            if prompt.asked_at <= oldest:
                closed += await self._store.prompts.close(prompt.prompt, Closing.EXPIRED)
        return closed

    async def _look_after_open(self) -> None:
        """Send cards that never arrived, and close what was taken over and not answered."""
        now = self._clock.monotonic()
        for prompt in await self._store.prompts.open_prompts():
            taken_over_s = self._cards.orphans.get(prompt.prompt)
            if taken_over_s is not None and now - taken_over_s >= self._rules.ended_after_s:
                await self._store.prompts.close(prompt.prompt, Closing.SESSION_ENDED)
            elif prompt.session == self._session and not prompt.cards and taken_over_s is None:
                self._courier.post(self._cards.send(prompt))

    async def _take_over(self, uncleared: Iterable[Prompt]) -> None:
        """Adopt the prompts of sessions that are gone for good; only the process that polls does."""
        if self._session is None or not self._polls():
            return
        open_prompts = await self._store.prompts.open_prompts()
        owners = {prompt.session for prompt in (*open_prompts, *uncleared)} - {self._session}
        gone = owners - await self.alive() if owners else set()
        now = self._clock.monotonic()
        self._missed_since_s = {owner: self._missed_since_s.get(owner, now) for owner in gone}
        for owner, since_s in self._missed_since_s.items():
            if now - since_s < self._rules.orphaned_after_s:
                continue
            if await self._store.prompts.adopt(owner, self._session):
                _log.info("took over the permission prompts of a session that is gone")
            for prompt in open_prompts:
                if prompt.session == owner:
                    self._cards.orphans[prompt.prompt] = now

    async def _ours(self, prompts: Iterable[Prompt]) -> list[Prompt]:
        """Those whose cards this process closes: its own session's, and those of sessions that are gone."""
        others = any(prompt.session != self._session for prompt in prompts)
        alive = await self.alive() if others else set()
        return [prompt for prompt in prompts if prompt.session == self._session or prompt.session not in alive]

    async def alive(self) -> set[SessionId]:
        """The sessions whose process is running."""
        return {record.session for record in await self._store.sessions.list() if self._is_alive(record)}
