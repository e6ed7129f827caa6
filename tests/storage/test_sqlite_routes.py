"""Routes in the file: quick to ask, safe from kill -9, one winner between processes, and never guessed."""

import signal
import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from telegram_channel.core.ids import MessageId
from telegram_channel.core.inbox import Intake
from telegram_channel.core.routing import Why
from telegram_channel.errors import StateUnreadable
from telegram_channel.ports import Store
from telegram_channel.storage import open_store
from telegram_channel.storage.sqlite_inbox import SELECTIONS
from telegram_channel.storage.sqlite_routes import LOOKUPS
from tests.storage.child import CHOSEN, FREE_TOPIC, QUESTION, spawned
from tests.storage.conftest import BOT
from tests.storage.test_sqlite_faults import change
from tests.values import NOON, entry, message


async def test_what_was_noted_survives_a_kill_right_afterwards(database: Path) -> None:
    """MUST S24: whatever a call of the store reported as stored survives kill -9."""
    with spawned("route_and_die", database) as child:
        assert child.process.wait(timeout=20) == -signal.SIGKILL
    store = await open_store(database, BOT)
    assert await store.routes.chosen(FREE_TOPIC.chat) == CHOSEN
    assert await store.routes.bindings() == (FREE_TOPIC,)
    assert await store.routes.questions() == (QUESTION,)
    assert [await store.routes.author(FREE_TOPIC.chat, MessageId(n)) for n in "123"] == [CHOSEN, CHOSEN, None]
    [one] = await store.inbox.due(session=CHOSEN)
    assert one.why is Why.CHOSEN
    await store.close()


async def test_of_processes_that_want_the_same_topic_one_gets_it(database: Path) -> None:
    """MUST F89: however many sessions want a topic at the same time, each topic goes to one of them."""
    store = await open_store(database, BOT)
    await store.routes.bind(FREE_TOPIC)
    with ExitStack() as stack:
        children = [stack.enter_context(spawned("take_topic", database)) for _ in range(3)]
        for child in children:
            child.expect("ready")
        for child in children:
            child.say("go")
        said = sorted(child.read() for child in children)
        pids = {str(child.process.pid) for child in children}
    assert said == ["False", "False", "True"]
    [bound] = await store.routes.bindings()
    assert bound.session in pids
    await store.close()


@pytest.mark.parametrize("name", LOOKUPS)
async def test_what_is_asked_for_every_message_reads_no_more_than_its_answer(made: Path, name: str) -> None:
    with closing(sqlite3.connect(made)) as connection:
        statement = LOOKUPS[name]
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", ["1"] * statement.count("?"))]
    assert plan[0].startswith("SEARCH ")
    assert f"({' AND '.join(f'{key}=?' for key in KEYS[name])})" in plan[0]
    assert plan[1:] == (["USE TEMP B-TREE FOR ORDER BY"] if name == "topics_of_chat" else [])


KEYS = {
    "chosen": ("bot", "chat"),
    "author": ("bot", "chat", "message"),
    "topic": ("bot", "chat", "thread"),
    "topics_of_chat": ("bot", "chat"),
    "question": ("bot", "chat", "thread"),
}


@pytest.mark.parametrize("selection", ["due_of_session", "undirected", "unproven_of_session"])
async def test_a_session_does_not_read_what_waits_for_others(made: Path, selection: str) -> None:
    with closing(sqlite3.connect(made)) as connection:
        statement = SELECTIONS[selection]
        [step] = connection.execute(f"EXPLAIN QUERY PLAN {statement}", ["1"] * statement.count("?")).fetchall()
    assert step[3] == "SEARCH inbox USING INDEX inbox_of_session (bot=? AND session=? AND state=?)"


async def filled(database: Path) -> Store:
    store = await open_store(database, BOT)
    await store.routes.choose(FREE_TOPIC.chat, CHOSEN)
    await store.routes.bind(FREE_TOPIC)
    await store.routes.ask(QUESTION)
    await store.routes.note_sent(CHOSEN, FREE_TOPIC.chat, [MessageId("1")], NOON)
    one = entry(message(), session=CHOSEN, why=Why.TOPIC)
    await store.inbox.ingest(Intake((one,), (), (one.update,)), one.update)
    return store


class TestDamage:
    """MUST F91: a route that cannot be read is an error, never taken for none."""

    @pytest.mark.parametrize("damage", ["UPDATE choices SET body = '{'", "DROP TABLE choices"])
    async def test_a_choice(self, database: Path, damage: str) -> None:
        store = await filled(database)
        change(database, damage)
        for _ in range(2):
            with pytest.raises(StateUnreadable):
                await store.routes.chosen(FREE_TOPIC.chat)
            with pytest.raises(StateUnreadable):
                await store.routes.choose(FREE_TOPIC.chat, CHOSEN)
        await store.close()

    @pytest.mark.parametrize(
        "damage",
        ["UPDATE topics SET body = replace(body, '\"session\":null', '\"session\":0')", "DROP TABLE topics"],
    )
    async def test_a_topic(self, database: Path, damage: str) -> None:
        store = await filled(database)
        change(database, damage)
        with pytest.raises(StateUnreadable):
            await store.routes.bindings()
        with pytest.raises(StateUnreadable):
            await store.routes.take_topic(FREE_TOPIC.chat, FREE_TOPIC.project, CHOSEN)
        with pytest.raises(StateUnreadable):
            await store.routes.bind(FREE_TOPIC)
        await store.close()

    @pytest.mark.parametrize("damage", ["UPDATE questions SET body = x'00'", "DROP TABLE questions"])
    async def test_a_question(self, database: Path, damage: str) -> None:
        store = await filled(database)
        change(database, damage)
        with pytest.raises(StateUnreadable):
            await store.routes.questions()
        with pytest.raises(StateUnreadable):
            await store.routes.settle_question(QUESTION.chat, QUESTION.thread)
        await store.close()

    @pytest.mark.parametrize("damage", ["UPDATE authors SET session = x'00'", "DROP TABLE authors"])
    async def test_an_author(self, database: Path, damage: str) -> None:
        store = await filled(database)
        change(database, damage)
        with pytest.raises(StateUnreadable):
            await store.routes.author(FREE_TOPIC.chat, MessageId("1"))
        await store.close()

    @pytest.mark.parametrize(
        "damage",
        ["UPDATE inbox SET why = 'because'", "UPDATE inbox SET why = ''", "UPDATE inbox SET why = x'00'"],
    )
    async def test_a_reason(self, database: Path, damage: str) -> None:
        store = await filled(database)
        change(database, damage)
        with pytest.raises(StateUnreadable, match="inbox entry 1"):
            await store.inbox.due(session=CHOSEN)
        await store.close()
