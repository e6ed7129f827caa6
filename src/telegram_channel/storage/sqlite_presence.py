"""Who is alive, how polling goes, and which chats are closed: small facts that processes tell each other."""

import sqlite3
from dataclasses import replace
from datetime import datetime

from telegram_channel.core.health import HealthReport
from telegram_channel.core.ids import BotId, ChatId, SessionId
from telegram_channel.ports import SessionRecord
from telegram_channel.storage.codec import HEALTH, REASON, SESSION, time_text
from telegram_channel.storage.sqlite_worker import Database


class SqliteSessions:
    """`ports.Sessions` of one bot."""

    def __init__(self, database: Database, bot: BotId) -> None:
        self._database = database
        self._bot = bot

    async def register(self, record: SessionRecord) -> None:
        """Add or replace this process (same session and pid)."""
        await self._database.write(lambda connection: self._put(connection, record))

    async def heartbeat(self, session: SessionId, pid: int, at: datetime) -> None:
        """Say that the process is alive; nothing happens when it is not registered."""

        def beat(connection: sqlite3.Connection) -> None:
            row = connection.execute(
                "SELECT body FROM sessions WHERE bot = ? AND session = ? AND pid = ?", (self._bot, session, pid)
            ).fetchone()
            if row is not None:
                self._put(connection, replace(SESSION.decode(row[0]), last_seen_at=at))

        await self._database.write(beat)

    async def leave(self, session: SessionId, pid: int) -> None:
        """Forget the process."""

        def forget(connection: sqlite3.Connection) -> None:
            connection.execute(
                "DELETE FROM sessions WHERE bot = ? AND session = ? AND pid = ?", (self._bot, session, pid)
            )

        await self._database.write(forget)

    async def list(self) -> tuple[SessionRecord, ...]:
        """Everybody registered, oldest first."""

        def everybody(connection: sqlite3.Connection) -> tuple[SessionRecord, ...]:
            rows = connection.execute("SELECT body FROM sessions WHERE bot = ?", (self._bot,))
            records = [SESSION.decode(row[0]) for row in rows]
            return tuple(sorted(records, key=lambda record: (record.started_at, record.session, record.pid)))

        return await self._database.read(everybody)

    def _put(self, connection: sqlite3.Connection, record: SessionRecord) -> None:
        connection.execute(
            "INSERT OR REPLACE INTO sessions (bot, session, pid, last_seen_at, body) VALUES (?, ?, ?, ?, ?)",
            (self._bot, record.session, record.pid, time_text(record.last_seen_at), SESSION.encode(record)),
        )


class SqliteHealthBoard:
    """`ports.HealthBoard` of one bot."""

    def __init__(self, database: Database, bot: BotId) -> None:
        self._database = database
        self._bot = bot

    async def publish(self, report: HealthReport) -> None:
        """Replace the report."""

        def put(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT OR REPLACE INTO health (bot, at, body) VALUES (?, ?, ?)",
                (self._bot, time_text(report.at), HEALTH.encode(report)),
            )

        await self._database.write(put)

    async def latest(self) -> HealthReport | None:
        """The newest report of any process."""

        def get(connection: sqlite3.Connection) -> HealthReport | None:
            row = connection.execute("SELECT body FROM health WHERE bot = ?", (self._bot,)).fetchone()
            return None if row is None else HEALTH.decode(row[0])

        return await self._database.read(get)


class SqliteClosedChats:
    """`ports.ClosedChats` of one bot."""

    def __init__(self, database: Database, bot: BotId) -> None:
        self._database = database
        self._bot = bot

    async def close(self, chat: ChatId, reason: str) -> None:
        """Remember that the platform refused this chat; the newest reason counts."""

        def put(connection: sqlite3.Connection) -> None:
            if self._reason(connection, chat) != reason:
                connection.execute(
                    "INSERT OR REPLACE INTO closed_chats (bot, chat, body) VALUES (?, ?, ?)",
                    (self._bot, chat, REASON.encode(reason)),
                )

        await self._database.write(put)

    async def reopen(self, chat: ChatId) -> None:
        """Somebody wrote from there; writes nothing when it was not closed."""
        if await self.reason(chat) is None:
            return

        def remove(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM closed_chats WHERE bot = ? AND chat = ?", (self._bot, chat))

        await self._database.write(remove)

    async def reason(self, chat: ChatId) -> str | None:
        """Why the chat is closed, None when it is open."""
        return await self._database.read(lambda connection: self._reason(connection, chat))

    def _reason(self, connection: sqlite3.Connection, chat: ChatId) -> str | None:
        row = connection.execute(
            "SELECT body FROM closed_chats WHERE bot = ? AND chat = ?", (self._bot, chat)
        ).fetchone()
        return None if row is None else REASON.decode(row[0])
