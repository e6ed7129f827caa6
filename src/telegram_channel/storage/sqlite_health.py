"""How polling goes, and which chats are closed: small facts that processes tell each other."""

import sqlite3

from telegram_channel.core.health import HealthReport
from telegram_channel.core.ids import BotId, ChatId
from telegram_channel.storage.codec import HEALTH, REASON, time_text
from telegram_channel.storage.sqlite_worker import Database


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
