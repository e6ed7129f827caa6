"""The poll loop: fetch, hand over, and only then confirm, for ever, whatever happens on the way.

Confirmation is the offset of the next fetch, and it follows the batch that was just handed over, never
history: ids may begin anew after a quiet week. The first fetch therefore asks without an offset; what comes
twice is recognised by its id where it is stored. Stopping confirms nothing.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NoReturn, Protocol, TypeVar

from telegram_channel.core.health import (
    BridgeState,
    Completed,
    Conflicted,
    Failed,
    Flooded,
    PollHealth,
    PollOutcome,
    PollState,
    TokenRefused,
    Unstored,
    after,
)
from telegram_channel.core.ids import UpdateId
from telegram_channel.core.messages import Batch
from telegram_channel.core.outgoing import BotIdentity
from telegram_channel.errors import (
    BadToken,
    ChatError,
    FloodWait,
    PollingConflict,
    StateError,
    StateUnwritable,
)
from telegram_channel.ports import Clock
from telegram_channel.tg.limits import UPDATES_PER_FETCH
from telegram_channel.tg.translate import translate, update_id_of

_log = logging.getLogger(__name__)

T = TypeVar("T")

PROBE_TIMEOUT_S = 0
"""The first poll after a start or a trouble does not wait, nor does any before the queue was seen empty: it
tells at once that all is well, and whether anything was waiting. What comes after that is known to be fresh."""

_DEADLINE_MARGIN_S = 15.0
"""What a poll may take beyond the server's own wait. The HTTP client gives up before that, if it can."""
_IDENTITY_DEADLINE_S = 30.0
_WAITED_S = 3.0
"""An answer that took so long was waited for: when it was asked for there was nothing. No network is so slow."""
_HURRY_S = 1.0
"""The server takes 0.5 s between two calls with one offset for a hurry; ours are measured at this end."""
_REBUILD_DEADLINE_S = 5.0


class Updates(Protocol):
    """Where updates come from. All three raise `ChatError`."""

    async def identity(self) -> BotIdentity:
        """Who the bot is."""

    async def fetch(self, offset: int | None, timeout_s: int) -> Sequence[Any]:
        """Unconfirmed updates from `offset` on, at most 100; confirms everything before it."""

    async def rebuild(self) -> None:
        """Begin with new connections."""


class Poller:
    """Polls one bot for as long as `run` runs."""

    def __init__(
        self,
        updates: Updates,
        on_batch: Callable[[Batch], Awaitable[None]],
        on_health: Callable[[PollHealth], None],
        clock: Clock,
        *,
        jitter: Callable[[], float],
        timeout_s: int = 25,
    ) -> None:
        """Nothing happens before `run`.

        Args:
            updates: where updates come from.
            on_batch: stores a batch durably; when it returns, the batch will be confirmed. Empty batches
                are handed over, too. What it raises is reported, and the same batch handed over again.
            on_health: is told after every poll and every change; must not block and must not raise.
            clock: time.
            jitter: numbers between 0 and 1.
            timeout_s: how long the server waits for news in one poll.
        """
        self._updates = updates
        self._on_batch = on_batch
        self._on_health = on_health
        self._clock = clock
        self._jitter = jitter
        self._timeout_s = timeout_s
        self._state = PollState(alive_s=clock.monotonic())
        self._health = PollHealth()
        self._me: BotIdentity | None = None
        self._offset: int | None = None
        self._asked: tuple[int | None, float] | None = None
        """The offset that was asked last, and when (monotonic seconds)."""
        self._unstored: Batch | None = None
        """Fetched, and not yet stored: nothing is fetched until it is."""
        self._last_ids: tuple[UpdateId, ...] = ()
        self._is_drained = True
        """Whether the last fetch left nothing behind, as far as is known."""

    async def run(self) -> NoReturn:
        """Poll until cancelled, which is safe at any moment."""
        while True:
            problem, outcome = await self._poll()
            if (task := asyncio.current_task()) is not None and task.cancelling():
                # Something failed at the moment of the cancellation, and the failure was heard instead.
                raise asyncio.CancelledError
            step = after(self._state, outcome, self._clock.monotonic(), self._jitter())
            self._state = step.state
            self._report(step.bridge, problem)
            if step.rebuild:
                await self._rebuild()
            if step.wait_s > 0:
                await self._clock.sleep(step.wait_s)

    async def _poll(self) -> tuple[str, PollOutcome]:
        """Fetch, unless something fetched still has to be stored, and hand over; returns what went wrong."""
        started_s = self._clock.monotonic()
        starting, drained_before = self._health.state is not BridgeState.POLLING, self._is_drained
        if self._unstored is None:
            problem, failure = await self._fetch()
            if failure is not None:
                return problem, failure
        batch = self._unstored
        assert batch is not None  # noqa: S101 - a fetch that did not fail has left one
        try:
            await self._on_batch(batch)
        except StateUnwritable as error:
            return error.explained(), Unstored()
        except StateError as error:
            return error.explained(), Unstored(broken=True)
        except Exception as fault:
            _log.exception("a batch could not be handed over")
            return f"What was received could not be stored ({type(fault).__name__}); it is tried again.", Unstored()
        self._unstored = None
        ids = tuple(update.update for update in batch.updates)
        fresh = bool(ids) and ids != self._last_ids
        self._last_ids = ids
        if batch.cursor is not None:
            self._offset = batch.cursor + 1
        # The long poll follows without a pause what showed that nothing is left.
        is_seen_empty = starting or (not batch.updates and not drained_before)
        return "", Completed(fresh or is_seen_empty, self._clock.monotonic() - started_s)

    async def _fetch(self) -> tuple[str, PollOutcome | None]:
        try:
            if self._me is None:
                self._me = await self._within(_IDENTITY_DEADLINE_S, self._updates.identity())
            settled = self._health.state is BridgeState.POLLING and self._is_drained
            timeout_s = self._timeout_s if settled else min(PROBE_TIMEOUT_S, self._timeout_s)
            asked_at, is_hurried = self._clock.now(), self._is_hurried()
            asked_s = self._clock.monotonic()
            raw = await self._within(timeout_s + _DEADLINE_MARGIN_S, self._updates.fetch(self._offset, timeout_s))
            is_hurried = is_hurried and self._clock.monotonic() - asked_s < _WAITED_S
        except TimeoutError:
            return "Telegram did not answer in time; trying again.", Failed(hung=True)
        except BadToken as error:
            return error.explained(), TokenRefused()
        except PollingConflict as error:
            return error.explained(), Conflicted()
        except FloodWait as error:
            return error.explained(), Flooded(error.retry_after_s)
        except ChatError as error:
            return error.explained(), Failed()
        except Exception as fault:
            _log.exception("a poll failed in an unexpected way")
            return f"A poll failed ({type(fault).__name__}); trying again.", Failed()
        now = self._clock.now()
        # The server answers no later than it was asked to; the answer may be read hours after, if we slept.
        answered_at = min(now, asked_at + timedelta(seconds=timeout_s))
        self._unstored = self._batch(raw, self._me, answered_at, is_hurried=is_hurried)
        drained_at = self._unstored.drained_at or self._health.last_drained_at
        self._health = replace(
            self._health, bot_username=self._me.username, last_poll_ok_at=now, last_drained_at=drained_at
        )
        return "", None

    def _is_hurried(self) -> bool:
        """Whether the same offset was asked a moment ago, by us or by whoever polled before: see `_batch`."""
        now_s = self._clock.monotonic()
        before, self._asked = self._asked, (self._offset, now_s)
        return before is None or (before[0] == self._offset and now_s - before[1] < _HURRY_S)

    def _batch(self, raw: Sequence[Any], me: BotIdentity, answered_at: datetime, *, is_hurried: bool) -> Batch:
        confirmable = [update for one in raw if (update := update_id_of(one)) is not None]
        # Whoever is in a hurry is given a single update, however many wait (seen at the public server).
        drained = len(raw) < UPDATES_PER_FETCH and not (is_hurried and len(raw) == 1)
        self._is_drained = drained
        return Batch(
            updates=tuple(translate(one, me) for one in raw),
            cursor=confirmable[-1] if confirmable else None,
            drained=drained,
            drained_at=answered_at if drained else None,
        )

    def _report(self, state: BridgeState, problem: str) -> None:
        if state is not self._health.state:
            level = logging.INFO if state is BridgeState.POLLING else logging.WARNING
            _log.log(level, "polling is now %s%s", state.value, f": {problem}" if problem else "")
        self._health = replace(self._health, state=state, problem=problem)
        self._on_health(self._health)

    async def _rebuild(self) -> None:
        _log.warning("building the connection to Telegram anew")
        with suppress(TimeoutError, ChatError):
            await self._within(_REBUILD_DEADLINE_S, self._updates.rebuild())

    async def _within(self, seconds: float, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`; its own deadlines are not relied on.

        Raises:
            TimeoutError: there was none in time.
        """
        working = asyncio.create_task(work)
        alarm = asyncio.create_task(self._clock.sleep(seconds))
        try:
            await asyncio.wait({working, alarm}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise TimeoutError
            return working.result()
        finally:
            for task in (working, alarm):
                task.cancel()
            await asyncio.wait({working, alarm}, timeout=1)
            if working.done() and not working.cancelled():
                working.exception()  # seen, even where nobody asks for it any more
