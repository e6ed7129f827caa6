"""The shared pace in a small file of its own, which may be lost, deleted or damaged at any time at no cost.

It is not a table of the store: what is written for every message must neither wait for the disk (a commit
here does not, `synchronous=OFF`), nor wake whoever waits for a change of the store, nor stand in line behind
its work. What is wrong with the file is mended by making a new one; where that fails, the caller is told so
and asked to leave the file alone for a while, by an error that comes at once.
"""

import asyncio
import json
import os
import queue
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from telegram_channel.core.ids import ChatId
from telegram_channel.core.pacing import Answer, Lane, Passage, Waiting, ask, paused, with_pauses_of_chats
from telegram_channel.errors import StateUnwritable
from telegram_channel.storage.files import make_private_directory, make_private_file
from telegram_channel.storage.sqlite_file import primary_code, transaction
from telegram_channel.storage.thread_work import Work

T = TypeVar("T")
_Key = tuple[str, str]
_Job = Callable[[sqlite3.Connection, float], T]

BUSY_TIMEOUT_S = 0.25
"""How long to wait for another process; each holds the file for a fraction of a millisecond."""
REST_S = 5.0
"""How long a file that could not be used is left alone."""

_OF_BOT: _Key = ("", "")
_MAKE = """
    CREATE TABLE IF NOT EXISTS lanes_1 (
        chat TEXT NOT NULL, kind TEXT NOT NULL, lane TEXT NOT NULL, counts_until REAL NOT NULL,
        PRIMARY KEY (chat, kind)
    ) WITHOUT ROWID
"""
"""The version is part of the name: whoever knows another one uses a table of its own."""
_FORGET = "DELETE FROM lanes_1 WHERE counts_until < ?"
_READ = "SELECT lane FROM lanes_1 WHERE chat = ? AND kind = ?"
_READ_BOTH = """
    SELECT chat, lane FROM lanes_1 WHERE chat = ? AND kind = ?
    UNION ALL SELECT chat, lane FROM lanes_1 WHERE chat = '' AND kind = ''
"""
_READ_KIND = "SELECT chat, kind, lane FROM lanes_1 WHERE kind = ?"
_WRITE = "INSERT OR REPLACE INTO lanes_1 VALUES (?, ?, ?, ?)"

_MENDED_BY_A_NEW_FILE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_FORMAT}
"""SQLite's primary result codes that say that the file, not the machine, is wrong (rescode.html)."""


class _Damaged(Exception):
    """The file holds something that is not ours."""


class SqlitePace:
    """`ports.Pace` on one file per bot. Nothing is opened or started before the first call."""

    def __init__(self, path: Path, now: Callable[[], datetime], *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> None:
        self._path = path
        self._now = now
        self._busy_timeout_s = busy_timeout_s
        self._name = secrets.token_hex(6)
        self._jobs: queue.SimpleQueue[Work[Any] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False
        # Everything below is the thread's own.
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._rests_until_s = 0.0

    async def ask(self, passage: Passage) -> Answer:
        """Whether a request may leave now."""
        key, ticket = (passage.chat, passage.kind), f"{self._name} {passage.chat} {passage.kind}"

        def job(connection: sqlite3.Connection, now: float) -> Answer:
            of_chat, of_bot = _read_both(connection, key)
            answer, chat_after, bot_after = ask(of_chat, of_bot, passage, ticket, now)
            _write(connection, [(key, of_chat, chat_after), (_OF_BOT, of_bot, bot_after)])
            return answer

        return await self._run(job)

    async def pause(self, chat: ChatId, kinds: Collection[str], seconds: float) -> None:
        """Let nothing of these kinds leave for a chat for so long."""

        def job(connection: sqlite3.Connection, now: float) -> None:
            for kind in kinds:
                lane = _read(connection, (chat, kind))
                _write(connection, [((chat, kind), lane, paused(lane, seconds, now))])
            if len(kinds) > 1:
                rows = connection.execute(_READ_KIND, (next(iter(kinds)),))
                of_bot, of_chats = _read(connection, _OF_BOT), {row[:2]: _decoded(row[2]) for row in rows}
                _write(connection, [(_OF_BOT, of_bot, with_pauses_of_chats(of_bot, of_chats, now))])

        await self._run(job)

    async def pause_s(self, chat: ChatId, kind: str) -> float:
        """For how many seconds more nothing of this kind may leave for a chat."""

        def job(connection: sqlite3.Connection, now: float) -> float:
            return max(lane.pause_s(now) for lane in _read_both(connection, (chat, kind)))

        return await self._run(job, write=False)

    async def close(self) -> None:
        """Let go of the file; safe to call twice. Whoever is cancelled meanwhile leaves the rest to the thread."""
        if self._closed:
            return
        self._closed = True
        if self._thread is not None:
            last = self._on_thread(self._disconnect)
            self._jobs.put(None)
            await asyncio.shield(last)
            self._thread.join()

    async def _run(self, job: _Job[T], *, write: bool = True) -> T:
        if self._closed:
            raise self._unusable("was closed")
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name=self._path.name, daemon=True)
            self._thread.start()
        return await self._on_thread(lambda: self._perform(job, write))

    def _on_thread(self, do: Callable[[], T]) -> asyncio.Future[T]:
        work = Work(do)
        self._jobs.put(work)
        return work.future

    def _unusable(self, why: str) -> StateUnwritable:
        return StateUnwritable(f"{self._path} {why}.", "It may be deleted at any time; nothing is lost with it.")

    # From here on: the thread.

    def _serve(self) -> None:
        while (work := self._jobs.get()) is not None:
            work.carry_out()
            Work.tell([work])

    def _perform(self, job: _Job[T], write: bool) -> T:
        if time.monotonic() < self._rests_until_s:
            raise self._unusable("could not be used a moment ago")
        try:
            try:
                return self._once(job, write)
            except (sqlite3.Error, _Damaged) as error:
                if isinstance(error, sqlite3.Error) and primary_code(error) not in _MENDED_BY_A_NEW_FILE:
                    raise
                self._discard()
                return self._once(job, write)
        except (sqlite3.Error, OSError, StateUnwritable, _Damaged) as error:
            self._disconnect()
            self._rests_until_s = time.monotonic() + REST_S
            raise self._unusable(f"cannot be used ({error})") from None

    def _once(self, job: _Job[T], write: bool) -> T:
        connection = self._connected()
        with transaction(connection, write=write):
            # The time is taken while nobody else can take a slot: later slots never have an earlier time.
            return job(connection, self._now().timestamp())

    def _connected(self) -> sqlite3.Connection:
        if self._connection is not None and self._identity == _identity(self._path):
            return self._connection
        self._disconnect()  # it was deleted or replaced: the others use the new one
        make_private_directory(self._path.parent)
        deadline = time.monotonic() + self._busy_timeout_s
        while True:
            make_private_file(self._path)
            self._identity = _identity(self._path)
            try:
                self._connection = self._opened()
            except sqlite3.Error as error:
                # Switching a new file to WAL does not wait for a process that does the same at this moment.
                if primary_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                    raise
                time.sleep(0.005)
            else:
                return self._connection

    def _opened(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, timeout=self._busy_timeout_s, isolation_level=None)
        try:
            # From the first step on nothing waits for the disk: making the file must not, either.
            for pragma in ("synchronous = OFF", "journal_mode = WAL", "trusted_schema = OFF", "cell_size_check = ON"):
                connection.execute(f"PRAGMA {pragma}").fetchone()
            with transaction(connection, write=True):
                connection.execute(_MAKE)
                connection.execute(_FORGET, (self._now().timestamp(),))
        except BaseException:
            connection.close()
            raise
        return connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def _discard(self) -> None:
        """Remove a damaged file, unless somebody else has replaced it already."""
        self._disconnect()
        if self._identity != _identity(self._path):
            return
        # The file itself goes last: whoever opens it meanwhile finds the damage and does the same, while a
        # new file must not meet what was kept beside the old one.
        for companion in ("-wal", "-shm", "-journal", ""):
            self._path.with_name(self._path.name + companion).unlink(missing_ok=True)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - asked before every message, and a Path takes three times as long
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _read(connection: sqlite3.Connection, key: _Key) -> Lane:
    row = connection.execute(_READ, key).fetchone()
    return Lane() if row is None else _decoded(row[0])


def _read_both(connection: sqlite3.Connection, key: _Key) -> tuple[Lane, Lane]:
    """The lane of a chat and that of the bot, in one query: this is done for every message."""
    found = dict(connection.execute(_READ_BOTH, key).fetchall())
    of_chat, of_bot = (_decoded(found[chat]) if chat in found else Lane() for chat in (key[0], ""))
    return of_chat, of_bot


def _write(connection: sqlite3.Connection, changes: Iterable[tuple[_Key, Lane, Lane]]) -> None:
    rows = [(*key, _encoded(after), after.counts_until()) for key, before, after in changes if after != before]
    if rows:
        connection.executemany(_WRITE, rows)


def _encoded(lane: Lane) -> str:
    queue = [[one.ticket, one.messages, one.due, one.urgent] for one in lane.queue]
    return json.dumps([lane.taken, queue, lane.paused_until, lane.paused_for_s], separators=(",", ":"))


def _decoded(text: Any) -> Lane:
    try:
        taken, queue, until, seconds = json.loads(text, parse_constant=_no_number)
        places = tuple(Waiting(str(one), int(count), float(due), bool(urgent)) for one, count, due, urgent in queue)
        return Lane(_numbers(taken), places, float(until), float(seconds))
    except (TypeError, ValueError) as error:
        raise _Damaged("it holds something that cannot be understood") from error


def _numbers(values: Sequence[Any]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _no_number(text: str) -> float:
    raise ValueError(text)
