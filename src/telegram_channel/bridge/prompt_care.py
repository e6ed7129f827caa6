"""Prompts do not stay open for ever, and those of a session that is gone find somebody to look after them.

A restart is not the end: a session that comes back in time finds its prompts as they were. Until then the process
that polls closes their cards, which say that an answer may have come too late; in the end it closes the prompts,
and whatever was decided and could be told to nobody counts as told.
"""

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from telegram_channel.bridge.cards import Cards
from telegram_channel.bridge.courier import Courier
from telegram_channel.core.ids import PromptId, SessionId
from telegram_channel.core.permission import Closing, Prompt
from telegram_channel.ports import Clock, SessionRecord, Store

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ApprovalRules:
    """How long prompts and the client's hooks live, and when those of a session that is gone are closed."""

    look_s: float = 10
    """How often open prompts are looked after when nothing else happens."""
    ended_after_s: float = 600
    """How long a session must be gone before its prompts are closed: nobody waits for them any more."""
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
    """Looks after the prompts of this process's session, and of those that are gone."""

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
        self._uncleared_since_s: dict[PromptId, float] = {}
        self._gone_since_s: dict[SessionId, float] = {}
        self._over: frozenset[PromptId] = frozenset()
        """Prompts that were over when it was looked last."""
        self._look_again_s = clock.monotonic()

    async def step(self) -> None:
        """Close cards that show buttons for nothing, and look after the rest now and then."""
        remembered = self._cards.remembered()
        uncleared = await self._store.prompts.uncleared()
        await self._clear(uncleared)
        if self._clock.monotonic() < self._look_again_s:
            return
        self._look_again_s = self._clock.monotonic() + self._rules.look_s
        await self.expire(self._clock.now())
        await self._let_go_of_the_gone(uncleared)
        open_prompts = await self._store.prompts.open_prompts()
        for prompt in open_prompts:
            if prompt.session == self._session and self._cards.needs_sending(prompt):
                self._courier.post(self._cards.send(prompt))
        over = remembered - {prompt.prompt for prompt in (*open_prompts, *uncleared)}
        self._cards.forget(over & self._over)  # not at once: something may be about to begin with it
        self._over = over

    async def expire(self, now: datetime) -> int:
        """Close prompts nobody answered for a day; returns how many."""
        oldest = now - timedelta(seconds=self._rules.expires_after_s)
        closed = 0
        for prompt in await self._store.prompts.open_prompts():
            if prompt.asked_at <= oldest:
                closed += await self._store.prompts.close(prompt.prompt, Closing.EXPIRED)
        return closed

    async def _clear(self, uncleared: Collection[Prompt]) -> None:
        """Close cards of this process's session, and of those that are gone.

        Whoever takes an answer closes the cards at once, in whichever process. So what was answered is left to them
        for a while.
        """
        now_s = self._clock.monotonic()
        self._uncleared_since_s = {
            prompt.prompt: self._uncleared_since_s.get(prompt.prompt, now_s) for prompt in uncleared
        }
        for prompt in await self._ours(uncleared):
            waited_s = now_s - self._uncleared_since_s[prompt.prompt]
            if prompt.verdict is None or waited_s >= self._rules.look_s:
                self._courier.post(self._cards.close(prompt))

    async def _ours(self, prompts: Collection[Prompt]) -> list[Prompt]:
        """Those whose cards this process closes: its own session's; if it polls, also those of sessions gone."""
        others = self._polls() and any(prompt.session != self._session for prompt in prompts)
        living = await self._living() if others else None
        return [
            prompt
            for prompt in prompts
            if prompt.session == self._session or (living is not None and prompt.session not in living)
        ]

    async def _let_go_of_the_gone(self, uncleared: Collection[Prompt]) -> None:
        """End what sessions that are gone for good have left; only the process that polls does."""
        if self._session is None or not self._polls():
            return
        open_prompts, untold = await self._store.prompts.open_prompts(), await self._store.prompts.untold()
        asked = {prompt.session for prompt in (*open_prompts, *uncleared, *untold)} - {self._session}
        gone, now_s = asked - await self._living(), self._clock.monotonic()
        self._gone_since_s = {one: self._gone_since_s.get(one, now_s) for one in gone}
        over = {one for one in gone if now_s - self._gone_since_s[one] >= self._rules.ended_after_s}
        for prompt in open_prompts:
            if prompt.session in over:
                await self._store.prompts.close(prompt.prompt, Closing.SESSION_ENDED)
        for prompt in untold:
            if prompt.session in over and (prompt.cards_closed or not prompt.cards):
                await self._store.prompts.mark_told(prompt.prompt)
                _log.info("the verdict about %s could be told to nobody: its session is gone", prompt.prompt)

    async def _living(self) -> set[SessionId]:
        """The sessions whose process is running."""
        return {record.session for record in await self._store.sessions.list() if self._is_alive(record)}
