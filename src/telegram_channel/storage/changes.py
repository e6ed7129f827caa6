"""Whoever waits for a change is woken by the next one, and a change between two waits is not missed."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class ChangeFeed:
    """A version that grows with every change, and those who wait for it to grow. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._version = 0
        self._waiting: set[asyncio.Future[None]] = set()
        self._watchers = 0
        self._closed = False

    @property
    def version(self) -> int:
        """The present version."""
        return self._version

    @property
    def is_watched(self) -> bool:
        """Whether anybody is interested right now."""
        return self._watchers > 0

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Count as a watcher for a while."""
        with self._lock:
            self._watchers += 1
        try:
            yield
        finally:
            with self._lock:
                self._watchers -= 1

    def bump(self) -> None:
        """Something changed: a new version, and everybody who waits is woken."""
        with self._lock:
            self._version += 1
            self._wake()

    def close(self) -> None:
        """Nothing will change any more: every wait ends, now and later."""
        with self._lock:
            self._closed = True
            self._wake()

    async def wait(self, seen: int, timeout_s: float) -> int:
        """Return the version as soon as it is not `seen`, or after `timeout_s`, or when closed."""
        with self._lock:
            if self._version != seen or self._closed:
                return self._version
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.add(future)
        try:
            await asyncio.wait((future,), timeout=max(timeout_s, 0))
        finally:
            with self._lock:
                self._waiting.discard(future)
        return self._version

    def _wake(self) -> None:
        woken, self._waiting = self._waiting, set()
        for future in woken:
            with suppress(RuntimeError):  # that loop is closed: nobody waits any more
                future.get_loop().call_soon_threadsafe(_finish, future)


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
