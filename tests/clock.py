"""A clock that stands still until a test moves it, and then wakes sleepers in the order they are due."""

import asyncio
import heapq
from datetime import UTC, datetime, timedelta
from itertools import count

_ROUNDS = 60
"""Turns of the event loop in which everything that only waits for other coroutines comes to rest."""


class ManualClock:
    """A `telegram_channel.ports.Clock` that a test owns.

    `await clock.advance(3)` moves time forward to each due sleeper in turn, lets everything it woke run
    until it rests (so what it schedules within the three seconds happens, too), and ends exactly three
    seconds later. It settles coroutines, not threads or sockets: where those take part, wait for the
    sleeper itself with `until_sleeping`.
    """

    def __init__(self, start: datetime = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)) -> None:
        self._start = start
        self._elapsed_s = 0.0
        self._order = count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._slept = asyncio.Event()
        self.naps: list[float] = []
        """Every duration anybody asked to sleep, in order."""

    def now(self) -> datetime:
        """Wall time: the start plus everything `advance` added."""
        return self._start + timedelta(seconds=self._elapsed_s)

    def monotonic(self) -> float:
        """Seconds since the start."""
        return self._elapsed_s

    def set_forward(self, by: timedelta) -> None:
        """Somebody sets the clock: wall time jumps, and nobody's sleep is shorter for it."""
        self._start += by

    async def sleep(self, seconds: float) -> None:
        """Return once `advance` has moved time by that much; at once for nothing."""
        self.naps.append(seconds)
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed_s + seconds, next(self._order), woken))
        self._slept.set()
        await woken

    @property
    def sleepers(self) -> int:
        """How many are asleep."""
        return sum(1 for _, _, woken in self._sleepers if not woken.done())

    @property
    def next_due_s(self) -> float | None:
        """In how many seconds the next sleeper wakes, None when nobody sleeps."""
        self._drop_gone()
        return self._sleepers[0][0] - self._elapsed_s if self._sleepers else None

    async def advance(self, seconds: float) -> None:
        """Move time forward, waking whoever is due on the way, in order."""
        target = self._elapsed_s + seconds
        await self.settle()
        while True:
            self._drop_gone()
            if not self._sleepers or self._sleepers[0][0] > target + 1e-9:
                break
            due, _, woken = heapq.heappop(self._sleepers)
            self._elapsed_s = max(self._elapsed_s, due)
            woken.set_result(None)
            await self.settle()
        self._elapsed_s = max(self._elapsed_s, target)

    async def settle(self) -> None:
        """Let every coroutine run until it waits for time or for the outside."""
        for _ in range(_ROUNDS):
            await asyncio.sleep(0)

    async def until_sleeping(self, sleepers: int = 1, timeout_s: float = 5) -> None:
        """Return once at least so many are asleep, for tests in which threads or sockets take part.

        Raises:
            TimeoutError: they were not, for `timeout_s` of real time.
        """
        async with asyncio.timeout(timeout_s):
            while self.sleepers < sleepers:
                self._slept.clear()
                await self._slept.wait()

    def _drop_gone(self) -> None:
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
