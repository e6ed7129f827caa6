"""A database of an older release is brought up to date when it is opened, and nothing in it is lost.

`version_1.sql` is a dump of a file that the release with version 1 wrote, and so on. They are never edited.
"""

import re
import sqlite3
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest

from telegram_channel.core.health import BridgeState
from telegram_channel.core.ids import ChatId, MessageId, PromptId, SenderId, SessionId, ThreadId, UpdateId
from telegram_channel.core.inbox import DeliveryState, Move
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
    Suggestion,
    Verdict,
)
from telegram_channel.core.routing import Question, TopicBinding, Why
from telegram_channel.core.wishes import Wishes
from telegram_channel.ports import EndedSession, SessionRecord
from telegram_channel.storage import known_bots, open_store
from telegram_channel.storage.files import mark
from telegram_channel.storage.schema import APPLICATION_ID, VERSION
from tests.storage.child import spawned
from tests.storage.conftest import BOOK, BOT
from tests.values import NOON, later, message

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


def restored(database: Path, version: int) -> Path:
    """The file as the release with that version left it."""
    database.parent.mkdir()
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(Path(__file__).with_name(f"version_{version}.sql").read_text("utf-8"))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute("PRAGMA journal_mode = WAL")
    mark(database)
    return database


@pytest.fixture
def old(database: Path) -> Path:
    """The file as the release with version 1 left it."""
    return restored(database, 1)


@pytest.fixture
def newer(database: Path) -> Path:
    """The file as the release with version 2 left it."""
    return restored(database, 2)


@pytest.fixture
def third(database: Path) -> Path:
    """The file as the release with version 3 left it."""
    return restored(database, 3)


@pytest.fixture(params=range(1, VERSION))
def any_version(request: pytest.FixtureRequest, database: Path) -> Path:
    """A file of every older release."""
    return restored(database, request.param)


def tables_of(database: Path) -> dict[str, str]:
    """Name → statement of everything in a database, whatever its spacing."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        return {name: re.sub(r"\s+", " ", statement) for name, statement in rows}


async def test_everything_that_version_1_kept_is_still_there(old: Path) -> None:
    """MUST S33: state written by an older version is read as it was meant, and nothing of it is lost."""
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


async def test_everything_that_version_2_kept_is_still_there(newer: Path) -> None:
    """MUST S33: state written by an older version is read as it was meant, and nothing of it is lost."""
    store = await open_store(newer, BOT)
    assert await store.access.read() == BOOK
    again, waiting = await store.inbox.due()
    assert (again.session, again.redelivered, again.emitted_at) == (SESSION, True, later(1))
    assert (waiting.inbound, waiting.session) == (message("message 4", 4), None)
    [emitted] = await store.inbox.unproven()
    read, _emitted = await store.inbox.unanswered(emitted.chat)
    assert [one.why for one in (again, waiting, emitted, read)] == [None] * 4
    assert await store.orders.standing(SESSION) == (STOP,)
    assert await store.wishes.of(ChatId("7")) == Wishes(progress=True)
    [prompt] = await store.prompts.open_prompts()
    assert prompt.details == Details('{"command": "ls"}', (Suggestion("Always", "{}"),), "a")
    health = await store.health.latest()
    assert health is not None
    assert (health.state, health.pid) == (BridgeState.POLLING, 11)
    await store.close()


async def test_processes_of_version_2_are_still_registered(newer: Path) -> None:
    store = await open_store(newer, BOT)
    channel = SessionRecord(SESSION, 11, NOON, later(5), "shop", is_channel=True, receives=True)
    other = SessionRecord(SessionId("s2"), 12, later(1), later(6), "till", is_channel=False, receives=False)
    assert await store.sessions.list() == (channel, other)
    await store.sessions.heartbeat(SESSION, 11, later(60))
    assert await store.sessions.list() == (replace(channel, last_seen_at=later(60)), other)
    await store.close()


async def test_messages_of_version_2_find_their_session(newer: Path) -> None:
    store = await open_store(newer, BOT)
    again, waiting = await store.inbox.due()
    assert await store.inbox.due(session=SESSION) == (again,)
    assert await store.inbox.undirected() == (waiting,)
    assert [one.message for one in await store.inbox.unproven(SESSION)] == ["2"]
    move = Move((waiting.entry,), (DeliveryState.STORED,), session=SessionId("s2"), why=Why.CHOSEN)
    assert await store.inbox.advance([move]) == 1
    [given] = await store.inbox.due(session=SessionId("s2"))
    assert given.why is Why.CHOSEN
    await store.close()


async def test_everything_that_version_3_kept_is_still_there(third: Path) -> None:
    """MUST S33: state written by an older version is read as it was meant, and nothing of it is lost."""
    store = await open_store(third, BOT)
    given = await store.inbox.due(session=SESSION)
    assert [one.why for one in given] == [None, Why.TOPIC]
    assert await store.routes.chosen(ChatId("7")) == await store.routes.author(ChatId("7"), MessageId("9")) == SESSION
    assert await store.routes.bindings() == (TopicBinding(ChatId("-5"), ThreadId("3"), "/srv/shop", SESSION, "shop"),)
    assert await store.routes.questions() == (Question(ChatId("8"), ThreadId("4"), MessageId("12"), NOON),)
    shop = SessionRecord(SESSION, 11, NOON, later(5), "shop", is_channel=True, project="/srv/shop", branch="main")
    assert shop in await store.sessions.list()
    await store.sessions.leave(SESSION, 11, later(60))
    assert await store.sessions.ended() == (EndedSession(replace(shop, last_seen_at=later(60)), None),)
    await store.close()


async def test_what_is_newest_works_on_every_older_file(any_version: Path) -> None:
    store = await open_store(any_version, BOT)
    assert await store.sessions.ended() == ()
    chat, binding = ChatId("70"), TopicBinding(ChatId("70"), ThreadId("3"), "/shop", None, "shop")
    assert await store.routes.chosen(chat) is None
    await store.routes.choose(chat, SESSION)
    await store.routes.bind(binding)
    await store.routes.note_sent(SESSION, chat, [MessageId("9")], NOON)
    assert await store.routes.ask(Question(chat, None, MessageId("8"), NOON))
    await store.close()
    store = await open_store(any_version, BOT)
    assert await store.routes.chosen(chat) == await store.routes.author(chat, MessageId("9")) == SESSION
    assert await store.routes.take_topic(chat, "/shop", SESSION) == replace(binding, session=SESSION)
    assert chat in [one.chat for one in await store.routes.questions()]
    await store.close()


async def test_orders_and_wishes_work_on_a_file_of_version_1(old: Path) -> None:
    store = await open_store(old, BOT)
    assert await store.orders.standing(SESSION) == ()
    await store.orders.give(STOP)
    await store.wishes.keep(ChatId("7"), Wishes(progress=True))
    await store.close()
    store = await open_store(old, BOT)
    assert await store.orders.standing(SESSION) == (STOP,)
    assert await store.wishes.of(ChatId("7")) == Wishes(progress=True)
    await store.close()


async def test_its_tables_become_those_of_a_new_database(any_version: Path, tmp_path: Path) -> None:
    for path in (any_version, tmp_path / "new.db"):
        await (await open_store(path, BOT)).close()
    assert tables_of(any_version) == tables_of(tmp_path / "new.db")
    with closing(sqlite3.connect(any_version)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)


async def test_processes_that_open_it_together_bring_it_up_to_date_once(any_version: Path) -> None:
    with ExitStack() as stack:
        children = [stack.enter_context(spawned("open_and_change", any_version)) for _ in range(3)]
        for child in children:
            child.expect("stored")
        pids = [UpdateId(child.process.pid) for child in children]
    store = await open_store(any_version, BOT)
    assert await store.inbox.unseen([*pids, UpdateId(9001)]) == frozenset()
    assert await store.access.read() == BOOK
    await store.close()
