"""What the process that polls says about itself: states come from completed polls, never from hopes."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from telegram_channel.core.health import BridgeState, HealthReport, PollHealth
from telegram_channel.errors import StateError
from telegram_channel.ports import Clock, Store

LEAST_BETWEEN_S = 1.0
"""In a burst of polls, one report a second is enough for everybody who reads it."""

SayState = Callable[[BridgeState, str], None]
"""Told about every change of the state, with what is wrong (empty when nothing is)."""


class Reporter:
    """Publishes the poll loop's health for `status`, `/status`, and whoever polls next."""

    def __init__(self, store: Store, clock: Clock, pid: int, say_state: SayState) -> None:
        self._store = store
        self._clock = clock
        self._pid = pid
        self._say_state = say_state
        self._health = PollHealth()
        self._news = asyncio.Event()

    def heard(self, health: PollHealth) -> None:
        """The poll loop says how it is."""
        if (health.state, health.problem) != (self._health.state, self._health.problem):
            self._say_state(health.state, health.problem)
        self._health = health
        self._news.set()

    async def run(self) -> None:
        """Publish every change until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            with suppress(StateError):  # the poll loop meets the same error and says so
                await self._store.health.publish(await self._report())
            await self._clock.sleep(LEAST_BETWEEN_S)

    async def _report(self) -> HealthReport:
        health = self._health
        state, problem = health.state, health.problem
        if state is BridgeState.POLLING and any(entry.noticed for entry in await self._store.inbox.unproven()):
            state, problem = BridgeState.SESSION_SILENT, BridgeState.SESSION_SILENT.sentence
        return HealthReport(
            state=state,
            pid=self._pid,
            at=self._clock.now(),
            problem=problem,
            bot_username=health.bot_username,
            last_poll_ok_at=health.last_poll_ok_at,
            last_drained_at=health.last_drained_at,
        )
