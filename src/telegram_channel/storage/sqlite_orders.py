"""What people of a chat ordered and wished, in SQLite: an order and its audit row are stored in one step."""

import sqlite3
from datetime import datetime

from telegram_channel.core.ids import BotId, ChatId, SessionId
from telegram_channel.core.orders import EVERY_SESSION, Order, OrderKind
from telegram_channel.core.wishes import Wishes
from telegram_channel.storage import standing
from telegram_channel.storage.codec import ORDER, WISHES, time_text
from telegram_channel.storage.sqlite_access import add_audit_rows
from telegram_channel.storage.sqlite_worker import Database

STANDING = "SELECT body FROM orders WHERE bot = ? AND session IN (?, ?)"
"""Asked on every step of the delivery, so it may never read the whole table."""


class SqliteOrderBook:
    """`ports.OrderBook` of one bot."""

    def __init__(self, database: Database, bot: BotId) -> None:
        self._database = database
        self._bot = bot

    async def give(self, order: Order) -> None:
        """Let an order stand, audited in the same step; the same order again changes nothing."""

        def store(connection: sqlite3.Connection) -> None:
            if not standing.is_same(self._get(connection, order.kind, order.session), order):
                self._put(connection, order)
                add_audit_rows(connection, self._bot, (standing.given_row(order),))

        await self._database.write(store)

    async def standing(self, session: SessionId) -> tuple[Order, ...]:
        """What stands for this session and for every session, oldest first."""

        def look(connection: sqlite3.Connection) -> tuple[Order, ...]:
            rows = connection.execute(STANDING, (self._bot, session, EVERY_SESSION)).fetchall()
            return standing.oldest_first(ORDER.decode(row[0]) for row in rows)

        return await self._database.read(look)

    async def mark_answered(self, order: Order) -> None:
        """The chat was told what came of exactly this order; one that was replaced or lifted stays so."""

        def mark(connection: sqlite3.Connection) -> None:
            changed = standing.answered(self._get(connection, order.kind, order.session), order)
            if changed is not None:
                self._put(connection, changed)

        await self._database.write(mark)

    async def lift(self, kind: OrderKind, session: SessionId, by: str, at: datetime) -> Order | None:
        """End an order, audited in the same step; returns it, None when none stood."""

        def end(connection: sqlite3.Connection) -> Order | None:
            found = self._get(connection, kind, session)
            if found is not None:
                connection.execute(
                    "DELETE FROM orders WHERE bot = ? AND session = ? AND kind = ?", (self._bot, session, kind.value)
                )
                add_audit_rows(connection, self._bot, (standing.lifted_row(found, by, at),))
            return found

        # Mostly there is nothing to lift, and that needs no lock.
        if await self._database.read(lambda connection: self._get(connection, kind, session)) is None:
            return None
        return await self._database.write(end)

    async def prune(self, before: datetime) -> int:
        """Forget what was stopped before; a pause is never forgotten. Returns how many."""

        def forget(connection: sqlite3.Connection) -> int:
            return connection.execute(
                "DELETE FROM orders WHERE bot = ? AND kind = ? AND given_at < ?",
                (self._bot, OrderKind.STOP.value, time_text(before)),
            ).rowcount

        return await self._database.write(forget)

    def _get(self, connection: sqlite3.Connection, kind: OrderKind, session: SessionId) -> Order | None:
        row = connection.execute(
            "SELECT body FROM orders WHERE bot = ? AND session = ? AND kind = ?", (self._bot, session, kind.value)
        ).fetchone()
        return None if row is None else ORDER.decode(row[0])

    def _put(self, connection: sqlite3.Connection, order: Order) -> None:
        connection.execute(
            "INSERT OR REPLACE INTO orders (bot, session, kind, given_at, body) VALUES (?, ?, ?, ?, ?)",
            (self._bot, order.session, order.kind.value, time_text(order.at), ORDER.encode(order)),
        )


class SqliteWishBook:
    """`ports.WishBook` of one bot."""

    def __init__(self, database: Database, bot: BotId) -> None:
        self._database = database
        self._bot = bot

    async def of(self, chat: ChatId) -> Wishes:
        """The wishes of a chat; none when it never said any."""
        return await self._database.read(lambda connection: self._of(connection, chat))

    async def keep(self, chat: ChatId, wishes: Wishes) -> None:
        """Replace the wishes of a chat; writes nothing when they are the same."""

        def put(connection: sqlite3.Connection) -> None:
            if self._of(connection, chat) != wishes:
                connection.execute(
                    "INSERT OR REPLACE INTO wishes (bot, chat, body) VALUES (?, ?, ?)",
                    (self._bot, chat, WISHES.encode(wishes)),
                )

        await self._database.write(put)

    def _of(self, connection: sqlite3.Connection, chat: ChatId) -> Wishes:
        row = connection.execute("SELECT body FROM wishes WHERE bot = ? AND chat = ?", (self._bot, chat)).fetchone()
        return Wishes() if row is None else WISHES.decode(row[0])
