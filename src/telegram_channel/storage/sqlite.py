"""Everything persisted for one bot, in one SQLite file that all processes of this machine share.

Every commit is on disk before it is reported (`WAL`, `synchronous=FULL`), and all work happens on one
thread of its own (see `sqlite_worker`).
"""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from telegram_channel.core.ids import BotId
from telegram_channel.errors import ConfigurationError
from telegram_channel.ports import Store
from telegram_channel.storage.files import was_set_up
from telegram_channel.storage.schema import KNOWN_BOTS
from telegram_channel.storage.sqlite_access import SqliteAccessBook, SqliteAuditTrail
from telegram_channel.storage.sqlite_file import fault, open_database, transaction
from telegram_channel.storage.sqlite_health import SqliteClosedChats, SqliteHealthBoard
from telegram_channel.storage.sqlite_inbox import SqliteInbox
from telegram_channel.storage.sqlite_orders import SqliteOrderBook, SqliteWishBook
from telegram_channel.storage.sqlite_pace import SqlitePace
from telegram_channel.storage.sqlite_prompts import SqlitePromptBook
from telegram_channel.storage.sqlite_routes import SqliteRouteBook
from telegram_channel.storage.sqlite_sessions import SqliteSessions
from telegram_channel.storage.sqlite_worker import BUSY_TIMEOUT_S, Database


class SqliteStore:
    """`ports.Store` on one file. One per process and bot is enough; several do no harm."""

    def __init__(
        self, path: Path, bot: BotId, now: Callable[[], datetime], *, busy_timeout_s: float = BUSY_TIMEOUT_S
    ) -> None:
        self._database = Database(path, busy_timeout_s=busy_timeout_s)
        self.bot = bot
        self.access = SqliteAccessBook(self._database, bot, now)
        self.inbox = SqliteInbox(self._database, bot, now)
        self.prompts = SqlitePromptBook(self._database, bot)
        self.audit = SqliteAuditTrail(self._database, bot)
        self.sessions = SqliteSessions(self._database, bot)
        self.health = SqliteHealthBoard(self._database, bot)
        self.orders = SqliteOrderBook(self._database, bot)
        self.wishes = SqliteWishBook(self._database, bot)
        self.routes = SqliteRouteBook(self._database, bot)
        self.closed_chats = SqliteClosedChats(self._database, bot)
        self.pace = SqlitePace(path.with_name(f"pace-{bot}.db"), now)

    async def check(self) -> None:
        """Return when the file can be read. Raises `StateError`."""
        await self._database.read(lambda _connection: None)

    async def wait_for_change(self, seen: int, timeout_s: float) -> int:
        """Return the version as soon as it is not `seen`, or after `timeout_s` whatever it is."""
        return await self._database.wait_for_change(seen, timeout_s)

    async def close(self) -> None:
        """Let go of everything; safe to call twice."""
        try:
            await self._database.close()
        finally:
            await self.pace.close()


async def open_store(location: str, bot: BotId, now: Callable[[], datetime]) -> Store:
    """A store on a path, or a URL such as `sqlite:///home/me/state.db`, once the file is known to be usable.

    Raises:
        StateError: the file cannot be used.
    """
    store = SqliteStore(_path(location), bot, now)
    try:
        await store.check()
    except BaseException:
        await store.close()
        raise
    return store


def known_bots(location: str) -> tuple[BotId, ...]:
    """Every bot that has state in the file, newest active first; nothing is made when there is no file.

    Raises:
        StateError: the file cannot be used.
    """
    path = _path(location)
    if not was_set_up(path):
        return ()
    with closing(open_database(path, BUSY_TIMEOUT_S)) as connection:
        try:
            with transaction(connection, write=False):
                return tuple(BotId(row[0]) for row in connection.execute(KNOWN_BOTS))
        except sqlite3.Error as error:
            raise fault(path, error) from error


def _path(location: str) -> Path:
    if "://" not in location:
        return Path(location).absolute()
    parts = urlsplit(location)
    path = unquote(parts.path)
    if parts.netloc or parts.query or parts.fragment or not path.strip("/"):
        raise ConfigurationError(
            f"{location} does not name a database file.", "Write sqlite:///path/to/state.db, or just the path."
        )
    # On Windows the slash before a drive letter belongs to the URL, not to the path.
    return Path(path.lstrip("/") if os.name == "nt" else path)
