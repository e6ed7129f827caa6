"""What was stored survives kill -9, whenever it comes, and several processes share one file."""

import asyncio
import signal
import sqlite3
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest

from telegram_channel.core.ids import BotId, PromptId, SenderId, UpdateId
from telegram_channel.core.inbox import DeliveryState, Intake, Move
from telegram_channel.core.permission import AlreadyDecided, Behavior, How, Verdict
from telegram_channel.core.wishes import Wishes
from telegram_channel.storage import known_bots, open_store
from telegram_channel.storage.sqlite_inbox import SELECTIONS
from telegram_channel.storage.sqlite_orders import STANDING
from tests.storage.child import BATCH, DETAILS, STOP, spawned
from tests.storage.conftest import BOOK, BOT, OWNER
from tests.values import NOON, entry, later

TOO_LATE = Verdict(Behavior.DENY, OWNER.sender, "Ann", How.TEXT, later(60))


async def test_what_was_stored_survives_a_kill_right_afterwards(database: Path) -> None:
    """MUST S24: whatever a call of the store reported as stored survives kill -9."""
    with spawned("store_and_die", database) as child:
        assert child.process.wait(timeout=20) == -signal.SIGKILL
    store = await open_store(database, BOT)
    due = await store.inbox.due()
    assert [one.message for one in due] == [str(number) for number in range(1, 101)]
    assert [one.emitted_at for one in due] == [NOON, *[None] * 99]
    assert await store.inbox.cursor() == due[-1].update
    assert await store.inbox.unseen([one.update for one in due]) == frozenset()
    assert await store.access.read() == BOOK
    outcome = await store.prompts.settle(PromptId("p1"), TOO_LATE)
    assert isinstance(outcome, AlreadyDecided)
    assert outcome.prompt.details == DETAILS
    assert await store.orders.standing(STOP.session) == (STOP,)
    assert await store.wishes.of(STOP.chat) == Wishes(progress=True)
    assert [row.action for row in await store.audit.rows()] == ["stop", "verdict"]
    await store.close()


@pytest.mark.parametrize("batches", [1, 4, 9])
async def test_a_kill_in_the_middle_leaves_whole_batches_only(database: Path, batches: int) -> None:
    """MUST S25: a batch of updates is stored whole or not at all, and the cursor says which."""
    with spawned("ingest_for_ever", database) as child:
        for number in range(batches):
            child.expect(str(number))
        child.kill()
    store = await open_store(database, BOT)
    due = await store.inbox.due(limit=100_000)
    assert len(due) >= batches * BATCH
    assert len(due) % BATCH == 0
    assert [one.message for one in due] == [str(number) for number in range(1, len(due) + 1)]
    assert await store.inbox.cursor() == due[-1].update
    await store.close()


async def test_an_access_book_is_not_lost_with_the_log_beside_the_database(database: Path) -> None:
    """MUST S26: removing SQLite's -wal file does not bring back an older access book."""
    with spawned("store_and_die", database) as child:
        child.process.wait(timeout=20)
    remove_log(database)
    store = await open_store(database, BOT)
    assert await store.access.read() == BOOK
    await store.close()


def remove_log(database: Path) -> None:
    log = database.with_name(f"{database.name}-wal")
    assert log.stat().st_size > 0
    log.unlink()
    database.with_name(f"{database.name}-shm").unlink()


async def test_processes_that_start_together_set_up_one_database(database: Path) -> None:
    with ExitStack() as stack:
        children = [stack.enter_context(spawned("open_and_change", database)) for _ in range(4)]
        for child in children:
            child.expect("stored")
        pids = [UpdateId(child.process.pid) for child in children]
    store = await open_store(database, BOT)
    assert await store.inbox.unseen(pids) == frozenset()
    await store.close()


async def test_a_database_that_another_process_is_setting_up_is_waited_for(database: Path) -> None:
    make_empty(database)
    with spawned("hold", database) as child:
        child.expect("held")
        opening = asyncio.create_task(open_store(database, BOT))
        done, _waiting = await asyncio.wait({opening}, timeout=0.2)
        assert not done
        child.say("let go")
        async with asyncio.timeout(20):
            store = await opening
    assert await store.inbox.due() == ()
    await store.close()


def make_empty(database: Path) -> None:
    database.parent.mkdir()
    database.touch()


async def test_known_bots_come_with_the_last_active_one_first(database: Path) -> None:
    assert known_bots(database) == ()
    for seconds, bot in enumerate(("1", "2", "3", "")):
        store = await open_store(database, BotId(bot), now=lambda: later(seconds))  # noqa: B023 - used within the round
        await store.access.transact(lambda _state: (BOOK, None, ()))
        await store.close()
    assert known_bots(database) == ("3", "2", "1")
    store = await open_store(database, BotId("1"), now=lambda: later(60))
    await store.inbox.ingest(Intake(), UpdateId(5))
    assert known_bots(f"sqlite://{database}") == ("1", "3", "2")
    await store.close()


async def test_a_change_that_could_not_be_read_again_is_not_stored(database: Path) -> None:
    """MUST S27: nothing is written that could not be read again."""
    store = await open_store(database, BOT)
    await store.access.transact(lambda _state: (BOOK, None, ()))
    wrong = replace(BOOK, senders={SenderId("8"): BOOK.senders[OWNER.sender]})
    with pytest.raises(ValueError, match="own id"):
        await store.access.transact(lambda _state: (wrong, None, ()))
    no_zone = replace(entry(), stored_at=NOON.replace(tzinfo=None))
    with pytest.raises(ValueError, match="aware"):
        await store.inbox.ingest(Intake((no_zone,), (), (no_zone.update,)), no_zone.update)
    assert await store.inbox.cursor() is None
    assert await store.access.read() == BOOK
    await store.close()


@pytest.mark.parametrize("selection", SELECTIONS)
async def test_no_question_about_the_inbox_reads_the_whole_table(made: Path, selection: str) -> None:
    with closing(sqlite3.connect(made)) as connection:
        statement = SELECTIONS[selection]
        values = ["1"] * statement.count("?")
        plan = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values))
    assert "SEARCH inbox USING INDEX" in plan
    assert "SCAN" not in plan
    if selection not in ("unanswered", "awaiting"):
        assert "TEMP B-TREE" not in plan


async def test_asking_what_stands_reads_no_more_than_what_stands(made: Path) -> None:
    with closing(sqlite3.connect(made)) as connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {STANDING}", ["1", "1", ""])]
    assert plan == ["SEARCH orders USING PRIMARY KEY (bot=? AND session=?)"]


async def test_a_long_history_stays_out_of_the_way(database: Path) -> None:
    """Answered messages are not among those that any later step looks at."""
    store = await open_store(database, BOT)
    with spawned("ingest_for_ever", database) as child:
        for number in range(30):
            child.expect(str(number))
        child.kill()
    due = await store.inbox.due(limit=100_000)
    everything = tuple(one.entry for one in due)
    await store.inbox.advance(
        [
            Move(everything, (DeliveryState.STORED,), DeliveryState.EMITTED, emitted_at=NOON, acknowledged=True),
            Move(everything, (DeliveryState.EMITTED,), DeliveryState.ANSWERED),
        ]
    )
    assert await store.inbox.due() == await store.inbox.unproven() == await store.inbox.unacknowledged() == ()
    assert await store.inbox.awaiting(NOON) == ()
    await store.close()
