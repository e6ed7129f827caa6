"""What is done on the thread of a database: in order, everybody is told how theirs went, and nobody waits in vain."""

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import pytest

from telegram_channel.storage.sqlite_worker import Database
from telegram_channel.storage.thread_work import Work

T = TypeVar("T")


async def soon(waiting: Awaitable[T]) -> T:
    async with asyncio.timeout(20):
        return await waiting


def fails() -> None:
    raise LookupError("no such thing")


def on_thread(*works: Work[object]) -> None:
    """Do all of it on one thread, and tell of it in one go."""

    def carry_out() -> None:
        for work in works:
            work.carry_out()
        Work.tell(works)

    thread = threading.Thread(target=carry_out)
    thread.start()
    thread.join()


async def test_everybody_is_told_how_theirs_went() -> None:
    first, second, third = Work[object](lambda: 1), Work[object](fails), Work[object](lambda: 3)
    on_thread(first, second, third)
    assert await soon(first.future) == 1
    with pytest.raises(LookupError, match="no such thing"):
        await soon(second.future)
    assert await soon(third.future) == 3


async def test_those_who_are_told_together_go_on_in_the_order_in_which_they_asked() -> None:
    works = [Work[object](lambda number=number: number) for number in range(5)]  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    told: list[object] = []
    for work in works:
        work.future.add_done_callback(lambda future: told.append(future.result()))
    on_thread(*works)
    await soon(asyncio.gather(*(work.future for work in works)))
    assert told == [0, 1, 2, 3, 4]


async def test_what_nobody_waits_for_any_more_is_not_done() -> None:
    done: list[str] = []
    given_up, other = Work[object](lambda: done.append("given up")), Work[object](lambda: done.append("other"))
    given_up.future.cancel()
    on_thread(given_up, other)
    await soon(other.future)
    assert done == ["other"]


async def test_who_gives_up_in_the_meantime_takes_nothing_from_the_others() -> None:
    given_up, other = Work[object](lambda: 1), Work[object](lambda: 2)
    on_thread(given_up, other)
    given_up.future.cancel()
    assert await soon(other.future) == 2
    assert given_up.future.cancelled()


async def test_a_loop_that_is_closed_is_nobody_to_tell() -> None:
    def elsewhere() -> Work[object]:
        async def make() -> Work[object]:
            return Work(lambda: 1)

        return asyncio.run(make())

    work = await asyncio.to_thread(elsewhere)
    on_thread(work)
    assert not work.future.done()


async def test_a_failing_read_takes_nothing_from_those_beside_it(database: Path) -> None:
    store = Database(database)
    await store.read(lambda _connection: None)
    before, wrong, after = (
        asyncio.ensure_future(store.read(job))
        for job in (
            lambda connection: connection.execute("SELECT 1").fetchone()[0],
            lambda connection: connection.execute("SELECT 1").fetchone()[1],
            lambda connection: connection.execute("SELECT 3").fetchone()[0],
        )
    )
    assert await soon(before) == 1
    with pytest.raises(IndexError):
        await soon(wrong)
    assert await soon(after) == 3
    await store.close()


async def test_nobody_waits_for_what_others_write_behind_them(database: Path) -> None:
    """MUST S46: who only reads is answered, however long what is written after that has to wait."""
    store = Database(database, busy_timeout_s=20)
    await store.read(lambda _connection: None)
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        reads = [asyncio.create_task(store.read(lambda _connection: "read")) for _ in range(3)]
        stuck = asyncio.create_task(store.write(lambda connection: connection.execute("DELETE FROM audit")))
        assert await soon(asyncio.gather(*reads)) == ["read"] * 3
        assert not stuck.done()
        other.execute("ROLLBACK")
    await soon(stuck)
    await store.close()
