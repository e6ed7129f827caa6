"""The access book and the audit trail: a change and its audit rows are stored as one step.

The book of the empty bot id is the unclaimed one: an operator wrote it before any bot was known. A bot
without a book of its own reads it, and the first that writes, or claims it, takes it over with its trail.
"""

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TypeVar

from telegram_channel.core.access import AccessState
from telegram_channel.core.audit import AuditRow
from telegram_channel.core.ids import BotId
from telegram_channel.ports import Change
from telegram_channel.storage.codec import ACCESS, AUDIT, time_text
from telegram_channel.storage.sqlite_worker import Database

T = TypeVar("T")
UNCLAIMED = BotId("")


class SqliteAccessBook:
    """`ports.AccessBook` of one bot."""

    def __init__(self, database: Database, bot: BotId, now: Callable[[], datetime]) -> None:
        self._database = database
        self._bot = bot
        self._now = now

    async def read(self) -> AccessState:
        """The bot's own book, else the unclaimed one, else the empty one."""
        return await self._database.read(lambda connection: _book(connection, self._bot)[1])

    async def transact(self, change: Change[T]) -> T:
        """Try the change on a snapshot first: most of them change nothing and need no lock."""

        def attempt(connection: sqlite3.Connection) -> tuple[T, bool]:
            _owner, state = _book(connection, self._bot)
            changed, result, rows = change(state)
            return result, changed != state or bool(rows)

        result, is_to_be_written = await self._database.read(attempt)
        if not is_to_be_written:
            return result
        return await self._database.write(lambda connection: self._apply(connection, change), checkpointed=True)

    async def claim(self) -> bool:
        """Take over the unclaimed book; False when there is none, or the bot has its own."""

        if self._bot == UNCLAIMED:
            return False

        def take(connection: sqlite3.Connection) -> bool:
            owner, state = _book(connection, self._bot)
            if owner == UNCLAIMED:
                self._store(connection, owner, state)
            return owner == UNCLAIMED

        if not await self._database.read(lambda connection: _book(connection, self._bot)[0] == UNCLAIMED):
            return False
        return await self._database.write(take, checkpointed=True)

    def _apply(self, connection: sqlite3.Connection, change: Change[T]) -> T:
        owner, state = _book(connection, self._bot)
        changed, result, rows = change(state)
        if changed != state or (rows and owner not in (None, self._bot)):
            self._store(connection, owner, changed)
        add_audit_rows(connection, self._bot, rows)
        return result

    def _store(self, connection: sqlite3.Connection, owner: BotId | None, state: AccessState) -> None:
        connection.execute(
            "INSERT OR REPLACE INTO access (bot, body, changed_at) VALUES (?, ?, ?)",
            (self._bot, ACCESS.encode(state), time_text(self._now())),
        )
        if owner not in (None, self._bot):
            connection.execute("DELETE FROM access WHERE bot = ?", (owner,))
            connection.execute("UPDATE audit SET bot = ? WHERE bot = ?", (self._bot, owner))


def _book(connection: sqlite3.Connection, bot: BotId) -> tuple[BotId | None, AccessState]:
    """Whose book the bot reads, and what is in it."""
    for owner in dict.fromkeys((bot, UNCLAIMED)):
        row = connection.execute("SELECT body FROM access WHERE bot = ?", (owner,)).fetchone()
        if row is not None:
            return owner, _decoded(row[0])
    return None, AccessState()


@lru_cache(maxsize=4)
def _decoded(body: str) -> AccessState:
    """The book is read with every message and rarely changes; the same text is the same frozen value."""
    return ACCESS.decode(body)


def add_audit_rows(connection: sqlite3.Connection, bot: BotId, rows: Sequence[AuditRow]) -> None:
    """Write rows as part of the step that they tell about."""
    connection.executemany("INSERT INTO audit (bot, body) VALUES (?, ?)", [(bot, AUDIT.encode(row)) for row in rows])


class SqliteAuditTrail:
    """`ports.AuditTrail` of one bot."""

    def __init__(self, database: Database, bot: BotId) -> None:
        self._database = database
        self._bot = bot

    async def rows(self, limit: int = 100) -> tuple[AuditRow, ...]:
        """The newest rows, oldest of them first."""

        def newest(connection: sqlite3.Connection) -> tuple[AuditRow, ...]:
            found = connection.execute(
                "SELECT body FROM audit WHERE bot = ? ORDER BY row DESC LIMIT ?", (self._bot, max(limit, 0))
            ).fetchall()
            return tuple(AUDIT.decode(row[0]) for row in reversed(found))

        return await self._database.read(newest)
