"""All work on a database file happens on one thread, in order, and never holds up the event loop.

Every job sees one snapshot (`read`) or is stored as a whole (`write`). The file is opened by the first job
and again after it was replaced or could not be read, so that a repair takes effect without a restart.
"""

import asyncio
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from telegram_channel.errors import StateError, StateTooNew, StateUnwritable
from telegram_channel.storage.bell import Bell, Ear, Listener, bell_of, new_ear
from telegram_channel.storage.changes import ChangeFeed
from telegram_channel.storage.codec import DocumentTooNew
from telegram_channel.storage.files import unreadable
from telegram_channel.storage.shapes import CodecError
from telegram_channel.storage.sqlite_file import (
    checkpoint,
    fault,
    open_database,
    primary_code,
    refuse_if_too_new,
    synchronised,
    transaction,
)
from telegram_channel.storage.thread_work import Work

T = TypeVar("T")
Job = Callable[[sqlite3.Connection], T]

BUSY_TIMEOUT_S = 5.0
"""How long to wait for another process before the database counts as unwritable."""
LOOK_EVERY_S = 2.0
"""How often other processes' commits are looked for while somebody waits, for those that no bell announced."""
LOOK_AT_BELL_EVERY_S = 0.08
"""How often the bell is looked at while somebody waits and the kernel does not tell that it rang."""
LOOK_WHEN_BROKEN_EVERY_S = 1.0
"""The same while the database cannot be used, so that nobody spins on an error."""
TELL_AFTER_S = 0.02
"""How much later a commit that waits for no disk is announced, unless one that does comes before."""
TOGETHER_S = 0.001
"""How long somebody's answer may be kept back, at most, because something else is being read."""
_PATIENCE_S = 0.48
"""How much longer than asked for a wait takes at most, while the thread waits for another process."""
_HARMLESS = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
"""After these the open file is as good as before, even for reading."""


class Database:
    """One database file, for one event loop. Nothing is opened or started before the first job."""

    def __init__(
        self,
        path: Path,
        *,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
        look_every_s: float = LOOK_EVERY_S,
        tell_after_s: float = TELL_AFTER_S,
        new_ear: Callable[[], Ear | None] = new_ear,
    ) -> None:
        self.path = path
        self._look_every_s = look_every_s
        self._tell_after_s = tell_after_s
        self._busy_timeout_s = busy_timeout_s
        self._orders: queue.SimpleQueue[Work[Any] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._feed = ChangeFeed()
        self._bell = Bell(bell_of(path))
        self._listener = Listener(self._bell, self._heard, new_ear)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        # Everything below is the thread's own.
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._data_version = 0
        self._unannounced = False
        self._tell_at: float | None = None
        """When a commit that waited for no disk is to be announced."""
        self._broken = False

    async def read(self, job: Job[T]) -> T:
        """What `job` returns, run on one snapshot. Raises `StateError`."""
        return await self._order(lambda: self._perform(job, write=False, checkpointed=False), is_quick=True)

    async def write(self, job: Job[T], *, checkpointed: bool = False, durable: bool = True) -> T:
        """What `job` returns; what it wrote is stored as a whole, or nothing of it is there. Raises `StateError`.

        `checkpointed` also copies it into the main file at once, so that it is not lost with the `-wal` file.
        Without `durable` it survives any death of processes, but perhaps not a loss of power; and whoever waits
        for a change hears of it a moment later, with what follows: it is a note that keeps nobody from their work.
        """
        return await self._order(lambda: self._perform(job, write=True, checkpointed=checkpointed, durable=durable))

    async def wait_for_change(self, seen: int, timeout_s: float) -> int:
        """As `ports.Store` promises; while the database cannot be used it just waits.

        Raises:
            StateUnwritable: it was closed.
        """
        if self._feed.version == seen and not self._closed:
            self._loop = loop = asyncio.get_running_loop()
            until = loop.time() + timeout_s
            with self._feed.watched():
                glance = self._order(self._glance, is_quick=True)
                # The thread may be waiting for another process; even so this call ends in time.
                alarm = loop.call_later(max(timeout_s, _PATIENCE_S), _let_go, glance)
                try:
                    await glance
                finally:
                    alarm.cancel()
                if timeout_s > 0:
                    await self._feed.wait(seen, until - loop.time())
        if self._closed:
            raise self._is_closed()
        return self._feed.version

    async def close(self) -> None:
        """Finish what was begun, let go of the file and end the thread; safe to call twice.

        Whoever is cancelled meanwhile leaves the rest to the thread.
        """
        if self._closed:
            return
        self._closed = True
        self._feed.close()
        if self._thread is None:
            return
        last = Work(self._finish)
        last.future.add_done_callback(lambda _done: self._listener.close())
        self._orders.put(last)
        self._orders.put(None)
        await asyncio.shield(last.future)
        self._thread.join()

    def _heard(self) -> None:
        """The bell rang. Without a watcher it is left as news, for the glance with which the next wait begins."""
        if self._feed.is_watched and not self._closed and self._bell.rang():
            self._order(self._answer_the_bell)

    def _order(self, do: Callable[[], T], *, is_quick: bool = False) -> asyncio.Future[T]:
        if self._closed:
            raise self._is_closed()
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name=f"state of {self.path.name}", daemon=True)
            self._thread.start()
        work = Work(do, is_quick=is_quick)
        self._orders.put(work)
        return work.future

    def _is_closed(self) -> StateUnwritable:
        return StateUnwritable(f"{self.path} was closed.", "The server is stopping.")

    # From here on: the thread.

    def _serve(self) -> None:
        next_look = time.monotonic()
        while True:
            with suppress(queue.Empty):
                if not self._carry_out(self._orders.get(timeout=self._rest_s(next_look))):
                    return
            if self._tell_at is not None and time.monotonic() >= self._tell_at:
                self._announce()
            if self._closed or not self._feed.is_watched:
                continue
            if time.monotonic() >= next_look:
                self._look_for_others()
                next_look = time.monotonic() + (LOOK_WHEN_BROKEN_EVERY_S if self._broken else self._look_every_s)
            elif not self._listener.hears and self._bell.rang():
                self._answer_the_bell()

    def _rest_s(self, next_look: float) -> float | None:
        """How long there is nothing to do but to wait for orders; None means until there is one."""
        moments = [] if self._tell_at is None else [self._tell_at]
        now = time.monotonic()
        if self._feed.is_watched:
            moments.append(next_look if self._listener.hears else min(next_look, now + LOOK_AT_BELL_EVERY_S))
        return max(min(moments) - now, 0) if moments else None

    def _carry_out(self, work: Work[Any] | None) -> bool:
        """Do it, and with it what waits behind it and is only to be read; False after the last one there is."""
        done: list[Work[Any]] = []
        tell_at = time.monotonic() + TOGETHER_S
        while work is not None:
            if not work.is_quick:  # it may take its time
                Work.tell(done)
                done = []
            work.carry_out()
            done.append(work)
            if time.monotonic() >= tell_at:
                break
            try:
                work = self._orders.get_nowait()
            except queue.Empty:
                break
        Work.tell(done)
        return work is not None

    def _perform(self, job: Job[T], *, write: bool, checkpointed: bool, durable: bool = True) -> T:
        try:
            connection = self._connected()
            before = connection.total_changes
            with synchronised(connection, durable=durable), transaction(connection, write=write):
                refuse_if_too_new(self.path, connection)
                result = job(connection)
        except CodecError as error:
            raise self._broken_off(self._misunderstood(error)) from error
        except sqlite3.Error as error:
            found = fault(self.path, error)
            if isinstance(found, StateUnwritable) and self._can_go_on(error, write=write):
                raise found from error
            raise self._broken_off(found) from error
        except StateError as error:
            raise self._broken_off(error) from None
        self._broken = False
        if connection.total_changes != before:
            if checkpointed:
                with suppress(sqlite3.Error):  # committed already; only its second copy is missing
                    checkpoint(connection)
            if durable:
                self._announce()
            elif self._tell_at is None:
                self._tell_at = time.monotonic() + self._tell_after_s
        return result

    def _announce(self) -> None:
        """Wake everybody who waits for a change, here and in other processes."""
        self._tell_at = None
        self._feed.bump()
        if self._bell.ring() and self._feed.is_watched:
            self._glance()  # the own ring may have drowned that of another

    def _misunderstood(self, error: CodecError) -> StateError:
        if isinstance(error, DocumentTooNew):
            return StateTooNew(f"{self.path} was written by a newer version: {error}.")
        return unreadable(self.path, f"holds something that cannot be understood: {error}")

    def _can_go_on(self, error: sqlite3.Error, *, write: bool) -> bool:
        """Whether the open file can be kept: what a full or failing disk cannot take, it may still give."""
        settled = self._connection is not None and not self._connection.in_transaction
        return settled and (write or primary_code(error) in _HARMLESS)

    def _broken_off(self, error: StateError) -> StateError:
        """The next job opens the file anew, which sees a repair and everything that was remembered wrongly."""
        self._broken = True
        self._disconnect()
        return error

    def _connected(self) -> sqlite3.Connection:
        """The connection to the file that has the name now: a replaced one must not be read for ever."""
        if self._connection is not None:
            with suppress(OSError):
                if self._identity == _identity(self.path):
                    return self._connection
            self._disconnect()
        # Whatever happened while the file was not open is news; before the first time nobody saw anything.
        self._unannounced |= self._broken or self._identity is not None
        self._connection = open_database(self.path, self._busy_timeout_s)
        try:
            self._identity = _identity(self.path)
        except OSError as error:
            raise StateUnwritable(f"{self.path} vanished while it was opened: {error.strerror}.") from None
        self._data_version = _data_version(self._connection)
        return self._connection

    def _finish(self) -> None:
        if self._tell_at is not None:
            self._announce()
        self._disconnect()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):  # nothing can be done about it, and a new connection is made
                connection.close()

    def _glance(self) -> None:
        """See whether another process committed, without opening anything."""
        if self._connection is None:
            return
        try:
            version = _data_version(self._connection)
        except sqlite3.Error:
            self._disconnect()
            return
        if version != self._data_version:
            self._data_version = version
            self._feed.bump()

    def _answer_the_bell(self) -> None:
        """The same because somebody rang; a database that cannot be used is not tried again with every ring."""
        if not self._broken:
            self._look_for_others()

    def _look_for_others(self) -> None:
        """The same from time to time: also notices that a file was replaced, or can be opened again."""
        try:
            self._connected()
            if self._loop is not None:
                self._listener.attend(self._loop)
        except (StateError, sqlite3.Error):
            self._broken = True  # the next job says why
            self._disconnect()
            return
        if self._unannounced:
            self._unannounced = False
            self._feed.bump()
        self._glance()


def _let_go(waited_for: asyncio.Future[None]) -> None:
    if not waited_for.done():
        waited_for.set_result(None)


def _identity(path: Path) -> tuple[int, int]:
    status = os.stat(path)  # noqa: PTH116 - asked before every job, and a Path takes three times as long
    return status.st_dev, status.st_ino


def _data_version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA data_version").fetchone()[0]
    return version
