"""A location names a backend, and nothing but the chosen backend is loaded."""

import inspect
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from telegram_channel.core.ids import BotId, ChatId, SessionId
from telegram_channel.errors import ConfigurationError, StateUnwritable
from telegram_channel.storage import BACKENDS, known_bots, open_store
from telegram_channel.storage.memory import MemoryStore
from telegram_channel.storage.sqlite import SqliteStore
from tests.storage.conftest import BOOK, BOT


async def test_a_path_means_sqlite(database: Path) -> None:
    for location in (database, str(database), f"sqlite://{database}"):
        store = await open_store(location, BOT)
        assert isinstance(store, SqliteStore)
        assert store.bot == BOT
        await store.close()
    assert [one.name for one in sorted(database.parent.iterdir())] == ["state.db", "state.db.created"]


async def test_a_url_may_hold_any_letter(tmp_path: Path) -> None:
    store = await open_store(f"sqlite://{tmp_path}/with%20space%3F/state.db", BOT)
    await store.access.transact(lambda _state: (BOOK, None, ()))
    await store.close()
    assert known_bots(tmp_path / "with space?" / "state.db") == (BOT,)


async def test_memory_is_there_for_tests() -> None:
    store = await open_store("memory://", BOT)
    assert isinstance(store, MemoryStore)
    await store.access.transact(lambda _state: (BOOK, None, ()))
    assert await store.access.read() == BOOK
    assert known_bots("memory://") == ()
    await store.close()


@pytest.mark.parametrize(
    "location",
    ["redis://localhost", "SQLITE:///x", "://", "sqlite://", "sqlite:///", "sqlite://host/x", "sqlite:///x?y"],
)
async def test_a_location_nobody_understands_is_a_wrong_setting(location: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        await open_store(location, BOT)
    assert caught.value.remedy
    with pytest.raises(ConfigurationError):
        known_bots(location)


@pytest.mark.parametrize("module", BACKENDS.values())
def test_every_backend_offers_both_functions(module: str) -> None:
    backend = import_module(module)
    assert list(inspect.signature(backend.open_store).parameters) == ["location", "bot", "now"]
    assert inspect.iscoroutinefunction(backend.open_store)
    assert list(inspect.signature(backend.known_bots).parameters) == ["location"]


def loaded_after(statement: str) -> set[str]:
    """The modules of a fresh interpreter after one statement."""
    script = f"{statement}\nimport json, sys; sys.stdout.write(json.dumps(list(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return set(json.loads(done.stdout))


def test_a_backend_is_loaded_when_it_is_opened_and_not_before() -> None:
    """MUST S18: whatever works on stored state loads neither mcp nor telegram."""
    heavy = {"mcp", "telegram", "telegramify_markdown", "pydantic", "httpx"}
    before = loaded_after("import telegram_channel.storage")
    assert not before & (heavy | {"sqlite3", "filelock", "telegram_channel.storage.sqlite"})
    after = loaded_after(
        "from telegram_channel.storage import known_bots; known_bots('/nowhere/state.db');"
        "import telegram_channel.storage.lease"
    )
    assert {"sqlite3", "filelock", "telegram_channel.storage.sqlite"} <= after
    assert not after & (heavy | {"telegram_channel.storage.memory"})


async def test_a_fault_of_the_fake_is_raised_by_every_call() -> None:
    store = MemoryStore(BotId("42"))
    store.fault = StateUnwritable("The disk is full.")
    for call in (
        store.access.read,
        store.inbox.due,
        store.prompts.open_prompts,
        store.sessions.list,
        store.audit.rows,
        lambda: store.orders.standing(SessionId("s1")),
        lambda: store.wishes.of(ChatId("7")),
        lambda: store.routes.chosen(ChatId("7")),
    ):
        with pytest.raises(StateUnwritable, match="disk is full"):
            await call()
    store.fault = None
    assert await store.inbox.due() == ()
