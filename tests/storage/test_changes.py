"""Waiting for a change: woken by every commit, own or foreign, and none is missed."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import TypeVar

import pytest

from telegram_channel.core.ids import ChatId
from telegram_channel.errors import StateUnreadable, StateUnwritable
from telegram_channel.ports import Store
from telegram_channel.storage.bell import Bell, Ear, bell_of, new_ear
from telegram_channel.storage.sqlite import SqliteStore
from telegram_channel.storage.sqlite_worker import TELL_AFTER_S, Database
from tests.storage.child import spawned
from tests.storage.conftest import BOT, Shelf
from tests.values import NOON

T = TypeVar("T")
LONG_S = 600.0
"""Longer than any test may take: whoever waits that long was never woken."""


async def soon(waiting: Awaitable[T]) -> T:
    """The result, or a failure: a wait without an end must not hang the suite."""
    async with asyncio.timeout(20):
        return await waiting


async def change(store: Store, chat: str = "7") -> None:
    await store.closed_chats.close(ChatId(chat), "blocked")


async def resting(task: asyncio.Task[T]) -> asyncio.Task[T]:
    """The task, once it had every chance to go on without being woken."""
    for _ in range(20):
        await asyncio.sleep(0)
    assert not task.done()
    return task


def move(source: Path, target: Path) -> None:
    """Put a file in another's place, as an operator does."""
    source.replace(target)


class TestEveryBackend:
    async def test_the_present_version_is_returned_at_once(self, store: Store) -> None:
        version = await soon(store.wait_for_change(-1, LONG_S))
        assert version >= 0
        assert await soon(store.wait_for_change(version - 1, LONG_S)) == version

    async def test_without_a_change_the_wait_ends_in_time(self, store: Store) -> None:
        version = await store.wait_for_change(-1, LONG_S)
        assert await soon(store.wait_for_change(version, 0)) == version
        assert await soon(store.wait_for_change(version, 0.01)) == version

    async def test_an_own_commit_wakes_everybody_who_waits(self, store: Store) -> None:
        version = await store.wait_for_change(-1, LONG_S)
        waiters = [await resting(asyncio.create_task(store.wait_for_change(version, LONG_S))) for _ in range(3)]
        await change(store)
        woken = await soon(asyncio.gather(*waiters))
        assert set(woken) == {await store.wait_for_change(-1, 0)}
        assert woken[0] != version

    async def test_a_commit_of_another_process_wakes_who_waits(self, shelf: Shelf, store: Store) -> None:
        """MUST S1: a change made by another process is noticed without asking for it."""
        other = await shelf.open()
        version = await store.wait_for_change(-1, LONG_S)
        waiters = [await resting(asyncio.create_task(store.wait_for_change(version, LONG_S))) for _ in range(2)]
        await change(other)
        assert version not in await soon(asyncio.gather(*waiters))

    async def test_a_commit_between_two_waits_is_not_missed(self, shelf: Shelf, store: Store) -> None:
        other = await shelf.open()
        for number, writer in enumerate((store, other, store, other)):
            version = await store.wait_for_change(-1, LONG_S)
            await change(writer, str(number))
            assert await soon(store.wait_for_change(version, LONG_S)) != version

    async def test_a_glance_without_waiting_sees_the_commit_of_another(self, shelf: Shelf, store: Store) -> None:
        other = await shelf.open()
        version = await store.wait_for_change(-1, LONG_S)
        await change(other)
        assert await soon(store.wait_for_change(version, 0)) != version

    async def test_reading_changes_nothing(self, shelf: Shelf, store: Store) -> None:
        other = await shelf.open()
        version = await store.wait_for_change(-1, LONG_S)
        for one in (store, other):
            await one.access.read()
            await one.inbox.due()
            await one.prompts.open_prompts()
        assert await store.wait_for_change(version, 0) == version

    async def test_a_wait_that_was_given_up_wakes_nobody_and_breaks_nothing(self, store: Store) -> None:
        version = await store.wait_for_change(-1, LONG_S)
        task = await resting(asyncio.create_task(store.wait_for_change(version, LONG_S)))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await change(store)
        assert await soon(store.wait_for_change(version, LONG_S)) != version

    async def test_closing_ends_every_wait(self, store: Store) -> None:
        version = await store.wait_for_change(-1, LONG_S)
        task = await resting(asyncio.create_task(store.wait_for_change(version, LONG_S)))
        await store.close()
        with pytest.raises(StateUnwritable, match="closed"):
            await soon(task)


class TestSqlite:
    async def test_the_commit_of_a_program_that_rings_no_bell_wakes_who_waits(self, database: Path) -> None:
        store = SqliteStore(database, BOT, lambda: NOON)
        await store.check()
        version = await store.wait_for_change(-1, LONG_S)
        task = await resting(asyncio.create_task(store.wait_for_change(version, LONG_S)))
        script = (
            "import sqlite3, sys; connection = sqlite3.connect(sys.argv[1]);"
            "connection.execute(\"INSERT INTO audit (bot, body) VALUES ('1', '{}')\"); connection.commit()"
        )
        await asyncio.to_thread(subprocess.run, [sys.executable, "-c", script, str(database)], check=True)
        assert await soon(task) != version
        await store.close()

    async def test_a_wait_neither_raises_nor_ends_early_while_the_file_is_broken(self, database: Path) -> None:
        store = SqliteStore(database, BOT, lambda: NOON)
        await change(store)
        version = await store.wait_for_change(-1, LONG_S)
        whole = database.with_name("whole")
        move(database, whole)
        with pytest.raises(StateUnreadable):
            await store.closed_chats.reason(ChatId("7"))
        assert await soon(store.wait_for_change(version, 0.05)) == version
        move(whole, database)
        assert await soon(store.wait_for_change(version, LONG_S)) != version
        assert await store.closed_chats.reason(ChatId("7")) == "blocked"
        await store.close()

    async def test_a_replaced_file_wakes_who_waits(self, database: Path) -> None:
        store = SqliteStore(database, BOT, lambda: NOON)
        await store.check()
        copy = database.with_name("copy")
        with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
        version = await store.wait_for_change(-1, LONG_S)
        task = await resting(asyncio.create_task(store.wait_for_change(version, LONG_S)))
        move(copy, database)
        assert await soon(task) != version
        await store.close()

    async def test_a_wait_ends_in_time_although_the_file_is_locked(self, database: Path) -> None:
        store = SqliteStore(database, BOT, lambda: NOON, busy_timeout_s=1)
        await store.check()
        version = await store.wait_for_change(-1, LONG_S)
        with closing(sqlite3.connect(database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            stuck = asyncio.create_task(change(store))
            assert await soon(store.wait_for_change(version, 0.01)) == version
            assert not stuck.done()
            other.execute("ROLLBACK")
        await soon(stuck)
        await store.close()


@asynccontextmanager
async def opened(
    path: Path,
    new_ear: Callable[[], Ear | None] = new_ear,
    look_every_s: float = LONG_S,
    tell_after_s: float = TELL_AFTER_S,
) -> AsyncIterator[Database]:
    """A database that hears of others by the bell alone, unless it looks more often."""
    database = Database(path, new_ear=new_ear, look_every_s=look_every_s, tell_after_s=tell_after_s)
    try:
        await counted(database)
        yield database
    finally:
        await database.close()


async def insert(database: Database, *, durable: bool = True) -> None:
    await database.write(
        lambda connection: connection.execute("INSERT INTO audit (bot, body) VALUES ('1', '{}')"), durable=durable
    )


async def counted(database: Database) -> int:
    count: int = await database.read(
        lambda connection: connection.execute("SELECT count(*) FROM audit").fetchone()[0]
    )
    return count


async def rows(database: Database, count: int) -> None:
    """Return when there are so many, as a flow does: it looks, and looks again after every change."""
    version = await database.wait_for_change(-1, LONG_S)
    while await counted(database) < count:
        version = await database.wait_for_change(version, LONG_S)


async def waiting(database: Database) -> tuple[int, asyncio.Task[int]]:
    """Somebody who waits, and has looked at the database for the last time before."""
    version = await database.wait_for_change(-1, LONG_S)
    task = await resting(asyncio.create_task(database.wait_for_change(version, LONG_S)))
    await counted(database)  # the thread has done all that came before
    return version, task


def block(database: Path) -> None:
    """Make it impossible to ring, for the superuser as well: a link to nowhere."""
    bell_of(database).symlink_to(database.with_name("nowhere") / "at all")


@pytest.mark.parametrize("ear", [new_ear, lambda: None], ids=["told by the kernel", "looking at the bell"])
class TestBell:
    """Where the database itself is not looked at for longer than any test takes."""

    async def test_every_commit_of_a_real_process_wakes_who_waits(
        self, database: Path, ear: Callable[[], Ear | None]
    ) -> None:
        """MUST S31: a commit wakes those who wait in other processes by the bell, without looking at the database."""
        async with opened(database, ear) as mine:
            with spawned("change_when_told", database) as child:
                child.expect("ready")
                for number in range(10):
                    task = await resting(asyncio.create_task(rows(mine, number + 1)))
                    child.say("go on")
                    await soon(task)
                    child.expect("stored")

    async def test_a_change_is_waited_for_from_both_sides(
        self, database: Path, ear: Callable[[], Ear | None]
    ) -> None:
        """Neither's rings drown the other's, however they fall."""
        rounds = 40

        async def take_turns(me: Database, odd: int) -> None:
            version = await me.wait_for_change(-1, LONG_S)
            while (count := await counted(me)) < rounds:
                if count % 2 == odd:
                    await insert(me)
                version = await me.wait_for_change(version, LONG_S)

        async with opened(database, ear) as one, opened(database, ear) as other:
            await soon(asyncio.gather(take_turns(one, 0), take_turns(other, 1)))
            assert await counted(one) == rounds

    async def test_an_own_commit_wakes_once(self, database: Path, ear: Callable[[], Ear | None]) -> None:
        async with opened(database, ear) as mine:
            for _ in range(5):
                version, task = await waiting(mine)
                await insert(mine)
                assert await soon(task) == version + 1
                assert await mine.wait_for_change(version + 1, 0.05) == version + 1

    async def test_a_ring_without_a_commit_wakes_nobody(self, database: Path, ear: Callable[[], Ear | None]) -> None:
        async with opened(database, ear) as mine:
            version, task = await waiting(mine)
            for _ in range(5):
                Bell(bell_of(database)).ring()
            assert await mine.wait_for_change(version, 0.2) == version
            assert not task.done()
            await insert(mine)
            await soon(task)

    async def test_a_bell_that_vanishes_is_survived(self, database: Path, ear: Callable[[], Ear | None]) -> None:
        async with opened(database, ear) as mine:
            with spawned("change_when_told", database) as child:
                child.expect("ready")
                for number in range(4):
                    task = await resting(asyncio.create_task(rows(mine, number + 1)))
                    bell_of(database).unlink(missing_ok=True)
                    child.say("go on")
                    await soon(task)
                    child.expect("stored")

    async def test_a_bell_that_cannot_be_rung_fails_no_commit(
        self, database: Path, ear: Callable[[], Ear | None]
    ) -> None:
        """MUST S32: a bell that cannot be rung fails no commit and hides none for long."""
        database.parent.mkdir()
        block(database)
        async with opened(database, ear, look_every_s=0.01) as mine:
            task = await resting(asyncio.create_task(rows(mine, 1)))
            with spawned("change_when_told", database) as child:
                child.expect("ready")
                child.say("go on")
                child.expect("stored")
                await soon(task)
            await insert(mine)
            assert await counted(mine) == 2

    async def test_a_note_wakes_who_waits_in_every_process(
        self, database: Path, ear: Callable[[], Ear | None]
    ) -> None:
        async with opened(database) as mine, opened(database, ear) as other:
            (here, task), (there, other_task) = await waiting(mine), await waiting(other)
            await insert(mine, durable=False)
            assert await soon(task) != here
            assert await soon(other_task) != there
            assert await counted(other) == 1

    async def test_a_note_is_announced_at_the_end_of_its_process_at_the_latest(
        self, database: Path, ear: Callable[[], Ear | None]
    ) -> None:
        async with opened(database, ear) as other:
            there, task = await waiting(other)
            async with opened(database, tell_after_s=LONG_S) as mine:
                await insert(mine, durable=False)
            assert await soon(task) != there


class TestNotes:
    """What need not be durable is announced later than any test takes, unless something else is announced."""

    async def test_a_note_wakes_nobody_before_its_time(self, database: Path) -> None:
        """MUST S44: a note that waits for no disk wakes nobody before what is urgent is done."""
        async with opened(database, tell_after_s=LONG_S) as mine:
            version, task = await waiting(mine)
            for _ in range(3):
                await insert(mine, durable=False)
            assert await counted(mine) == 3
            await resting(task)
            assert await mine.wait_for_change(version, 0) == version
            task.cancel()

    async def test_a_note_is_announced_once(self, database: Path) -> None:
        async with opened(database, tell_after_s=0) as mine:
            version, task = await waiting(mine)
            await insert(mine, durable=False)
            assert await soon(task) == version + 1
            assert await mine.wait_for_change(version + 1, 0.05) == version + 1

    async def test_a_note_is_announced_together_with_what_follows(self, database: Path) -> None:
        async with opened(database, tell_after_s=LONG_S) as mine:
            version, task = await waiting(mine)
            await insert(mine, durable=False)
            await insert(mine)
            assert await soon(task) == version + 1
            assert await mine.wait_for_change(version + 1, 0.05) == version + 1

    async def test_a_note_of_nothing_is_never_announced(self, database: Path) -> None:
        async with opened(database, tell_after_s=0) as mine:
            version, task = await waiting(mine)
            await mine.write(lambda connection: connection.execute("DELETE FROM audit"), durable=False)
            await counted(mine)
            await resting(task)
            assert await mine.wait_for_change(version, 0) == version
            task.cancel()
