"""The shelf on which the stores of one test stand: every contract test runs once for each backend."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from telegram_channel.core.access import AccessState, Policy, Role, Sender
from telegram_channel.core.ids import BotId, SenderId
from telegram_channel.core.inbox import Intake
from telegram_channel.ports import Store
from telegram_channel.storage import open_store
from telegram_channel.storage.memory import MemoryDatabase, MemoryStore
from tests.values import NOON, entry, message

BOT = BotId("42")
OWNER = Sender(SenderId("7"), Role.OWNER, "Ann", NOON, "pair")
BOOK = AccessState(Policy.ALLOWLIST, {OWNER.sender: OWNER})
"""What `made` holds."""


@dataclass
class Shelf:
    """Opens stores that share one state, as processes do."""

    kind: str
    path: Path
    now: datetime = NOON
    """What the clock of every store says."""
    _memory: MemoryDatabase = field(default_factory=MemoryDatabase)
    _opened: list[Store] = field(default_factory=list)

    async def open(self, bot: BotId = BOT) -> Store:
        """Another store object on the same state."""
        store: Store
        if self.kind == "memory":
            store = MemoryStore(bot, self._memory, lambda: self.now)
        else:
            store = await open_store(self.path, bot, now=lambda: self.now)
        self._opened.append(store)
        return store

    async def again(self, store: Store) -> Store:
        """The same state as somebody else sees it: a second process, or the next one."""
        if self.kind == "sqlite reopened":
            await store.close()
        return await self.open(store.bot)

    async def clear(self) -> None:
        for store in self._opened:
            await store.close()


@pytest.fixture(params=["memory", "sqlite", "sqlite reopened"])
async def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Shelf]:
    shelf = Shelf(request.param, tmp_path / "state" / "state.db")
    yield shelf
    await shelf.clear()


@pytest.fixture
async def store(shelf: Shelf) -> Store:
    return await shelf.open()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Where a SQLite store of a test goes; its directory does not exist yet."""
    return tmp_path / "state" / "state.db"


@pytest.fixture
async def made(database: Path) -> Path:
    """A database with one owner, policy allowlist, and forty messages; closed."""
    store = await open_store(database, BOT)
    await store.access.transact(lambda _state: (BOOK, None, ()))
    entries = tuple(entry(message(f"message {number} " * 20, number)) for number in range(40))
    await store.inbox.ingest(Intake(entries, (), tuple(one.update for one in entries)), entries[-1].update)
    await store.close()
    return database
