"""A database of an older release is brought up to date when it is opened, and nothing in it is lost.

`version_1.sql` is a dump of a file that the release with version 1 wrote. It is never edited.
"""

import re
import sqlite3
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest

from telegram_channel.core.ids import ChatId, MessageId, PromptId, SenderId, SessionId, UpdateId
from telegram_channel.core.orders import Order, OrderKind
from telegram_channel.core.permission import (
    AlreadyDecided,
    Behavior,
    Card,
    Decided,
    Details,
    How,
    PermissionRequest,
    Prompt,
    Verdict,
)
from telegram_channel.core.wishes import Wishes
from telegram_channel.storage import known_bots, open_store
from telegram_channel.storage.files import mark
from telegram_channel.storage.schema import APPLICATION_ID, VERSION
from tests.storage.child import spawned
from tests.storage.conftest import BOOK, BOT
from tests.values import NOON, later, message

VERSION_1 = Path(__file__).with_name("version_1.sql").read_text("utf-8")
SESSION = SessionId("s1")
ASKED = Prompt(
    PromptId("p1"),
    SESSION,
    PermissionRequest("abcde", "Bash", "Run a command", '{"command": "ls"}'),
    NOON,
    (Card(ChatId("7"), MessageId("9")),),
    Verdict(Behavior.ALLOW, SenderId("7"), "Ann", How.BUTTON, later(5)),
)
STOP = Order(OrderKind.STOP, SESSION, SenderId("7"), "Ann", NOON, ChatId("7"), MessageId("5"))


@pytest.fixture
def old(database: Path) -> Path:
    """The file as the release with version 1 left it."""
    database.parent.mkdir()
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(VERSION_1)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 1")
        connection.execute("PRAGMA journal_mode = WAL")
    mark(database)
    return database


def tables_of(database: Path) -> dict[str, str]:
    """Name → statement of everything in a database, whatever its spacing."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        return {name: re.sub(r"\s+", " ", statement) for name, statement in rows}


async def test_everything_that_version_1_kept_is_still_there(old: Path) -> None:
    """MUST: state written by an older version is read as it was meant, and nothing of it is lost."""
    assert known_bots(old) == (BOT,)
    store = await open_store(old, BOT)
    assert await store.access.read() == BOOK
    [entry] = await store.inbox.due()
    assert entry.inbound == message("hello")
    assert await store.inbox.cursor() == entry.update == UpdateId(9001)
    assert await store.inbox.unseen([UpdateId(9001), UpdateId(9002)]) == {UpdateId(9002)}
    assert await store.closed_chats.reason(ChatId("8")) == "blocked"
    assert await store.prompts.get(PromptId("p1")) == ASKED
    assert [row.action for row in await store.audit.rows()] == ["pair", "verdict"]
    await store.close()


async def test_prompts_of_version_1_go_on_where_they_were(old: Path) -> None:
    store = await open_store(old, BOT)
    assert await store.prompts.untold(SESSION) == (ASKED,)
    assert ASKED.verdict is not None
    assert await store.prompts.settle(ASKED.prompt, ASKED.verdict) == Decided(ASKED)
    late = replace(ASKED.verdict, behavior=Behavior.DENY, reason="no")
    assert await store.prompts.settle(ASKED.prompt, late) == AlreadyDecided(ASKED)
    [waiting] = await store.prompts.open_prompts()
    told = Details('{"command": "ls"}')
    assert await store.prompts.enrich(waiting.prompt, told) == replace(waiting, details=told)
    await store.close()
    store = await open_store(old, BOT)
    assert await store.prompts.open_prompts() == (replace(waiting, details=told),)
    await store.close()


async def test_what_is_new_works_on_it(old: Path) -> None:
    store = await open_store(old, BOT)
    assert await store.orders.standing(SESSION) == ()
    await store.orders.give(STOP)
    await store.wishes.keep(ChatId("7"), Wishes(progress=True))
    await store.close()
    store = await open_store(old, BOT)
    assert await store.orders.standing(SESSION) == (STOP,)
    assert await store.wishes.of(ChatId("7")) == Wishes(progress=True)
    await store.close()


async def test_its_tables_become_those_of_a_new_database(old: Path, tmp_path: Path) -> None:
    for path in (old, tmp_path / "new.db"):
        await (await open_store(path, BOT)).close()
    assert tables_of(old) == tables_of(tmp_path / "new.db")
    with closing(sqlite3.connect(old)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)


async def test_processes_that_open_it_together_bring_it_up_to_date_once(old: Path) -> None:
    with ExitStack() as stack:
        children = [stack.enter_context(spawned("open_and_change", old)) for _ in range(3)]
        for child in children:
            child.expect("stored")
        pids = [UpdateId(child.process.pid) for child in children]
    store = await open_store(old, BOT)
    assert await store.inbox.unseen([*pids, UpdateId(9001)]) == frozenset()
    assert await store.access.read() == BOOK
    await store.close()
