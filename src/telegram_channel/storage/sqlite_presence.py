"""Who is alive, how polling goes, and which chats are closed: small facts that processes tell each other."""

import sqlite3
from dataclasses import replace
from datetime import datetime

from telegram_channel.core.health import HealthReport
from telegram_channel.core.ids import BotId, ChatId, SessionId
from telegram_channel.core.succession import MOST_ENDED
from telegram_channel.ports import SessionRecord
from telegram_channel.storage.codec import HEALTH, REASON, SESSION, time_text
from telegram_channel.storage.sqlite_worker import Database


class SqliteSessions:
    """`ports.Sessions` of one bot."""

    def __init__(self, database: Database, bot: BotId) -> None:
        self._database = database
        self._bot = bot

    async def register(self, record: SessionRecord) -> None:
        """Add or replace this process (same session and pid); its session has not ended, if it ever had."""

        def add(connection: sqlite3.Connection) -> None:
            self._put(connection, record)
            self._forget_end(connection, record.session)

        await self._database.write(add)

    async def heartbeat(self, session: SessionId, pid: int, at: datetime) -> None:
        """Say that the process is alive; nothing happens when it is not registered."""

        def beat(connection: sqlite3.Connection) -> None:
            row = connection.execute(
                "SELECT body FROM sessions WHERE bot = ? AND session = ? AND pid = ?", (self._bot, session, pid)
            ).fetchone()
            if row is not None:
                self._put(connection, replace(SESSION.decode(row[0]), last_seen_at=at))

        await self._database.write(beat)

    async def leave(self, session: SessionId, pid: int, at: datetime) -> None:
        """Take the process off the list; the last one of a session that took messages ends it."""

        def take_off(connection: sqlite3.Connection) -> None:
            of_session = [
                SESSION.decode(row[0])
                for row in connection.execute(
                    "SELECT body FROM sessions WHERE bot = ? AND session = ?", (self._bot, session)
                )
            ]
            leaving = next((one for one in of_session if one.pid == pid), None)
            if leaving is None:
                return
            connection.execute(
                "DELETE FROM sessions WHERE bot = ? AND session = ? AND pid = ?", (self._bot, session, pid)
            )
            if leaving.receives and len(of_session) == 1:
                self._end(connection, replace(leaving, last_seen_at=at))

        await self._database.write(take_off)

    async def list(self) -> tuple[SessionRecord, ...]:
        """Everybody registered, oldest first."""

        def everybody(connection: sqlite3.Connection) -> tuple[SessionRecord, ...]:
            rows = connection.execute("SELECT body FROM sessions WHERE bot = ?", (self._bot,))
            records = [SESSION.decode(row[0]) for row in rows]
            return tuple(sorted(records, key=lambda record: (record.started_at, record.session, record.pid)))

        return await self._database.read(everybody)

    async def ended(self) -> tuple[SessionRecord, ...]:
        """The sessions that took messages and left last, in the order in which they did."""

        def gone(connection: sqlite3.Connection) -> tuple[SessionRecord, ...]:
            rows = connection.execute("SELECT body FROM ended_sessions WHERE bot = ? ORDER BY row", (self._bot,))
            return tuple(SESSION.decode(row[0]) for row in rows)

        return await self._database.read(gone)

    def _end(self, connection: sqlite3.Connection, record: SessionRecord) -> None:
        """Remember a session that has ended, and no more of them than there may be."""
        self._forget_end(connection, record.session)
        connection.execute(
            "INSERT INTO ended_sessions (bot, session, body) VALUES (?, ?, ?)",
            (self._bot, record.session, SESSION.encode(record)),
        )
        connection.execute(
            "DELETE FROM ended_sessions WHERE bot = ? AND row NOT IN"
            " (SELECT row FROM ended_sessions WHERE bot = ? ORDER BY row DESC LIMIT ?)",
            (self._bot, self._bot, MOST_ENDED),
        )

    def _forget_end(self, connection: sqlite3.Connection, session: SessionId) -> None:
        connection.execute("DELETE FROM ended_sessions WHERE bot = ? AND session = ?", (self._bot, session))

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
