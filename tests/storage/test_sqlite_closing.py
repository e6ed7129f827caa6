"""A store that is closed lets go of everything, also when nobody has the time to wait for it."""

import asyncio
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from telegram_channel.core.ids import BotId, ChatId
from telegram_channel.core.pacing import Passage, Rate
from telegram_channel.storage.sqlite import SqliteStore
from tests.values import NOON
from tests.waiting import until

BOT = BotId("42")
PASSAGE = Passage(ChatId("7"), "MESSAGE", Rate(20, 60), Rate(30, 1))


def threads_of(directory: Path) -> set[threading.Thread]:
    names = {f"state of {(directory / 'state.db').name}", f"pace-{BOT}.db"}
    return {one for one in threading.enumerate() if one.name in names}


def open_files(directory: Path) -> list[str]:
    """Files of this process in a directory, and every ear."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            target = str(descriptor.readlink())
            if target.startswith(str(directory)) or "inotify" in target:
                found.append(target)
    return found


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Another process is in the middle of a write."""
    other = sqlite3.connect(path, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
    finally:
        other.close()


@pytest.mark.skipif(sys.platform != "linux", reason="open files are listed in /proc")
async def test_closing_that_is_not_waited_for_lets_go_of_everything_all_the_same(tmp_path: Path) -> None:
    """MUST S41: a store whose closing is cut short leaves no thread, no open file and no ear behind."""
    before = threads_of(tmp_path)
    store = SqliteStore(tmp_path / "state.db", BOT, lambda: NOON, busy_timeout_s=20)
    await store.check()
    await store.pace.ask(PASSAGE)
    waiting = asyncio.create_task(store.wait_for_change(await store.wait_for_change(-1, 0), 20))
    await until(lambda: any("inotify" in one for one in open_files(tmp_path)))
    with held(tmp_path / "state.db"):
        choosing = asyncio.create_task(store.routes.choose(ChatId("7"), None))
        await asyncio.sleep(0)
        with suppress(TimeoutError):
            async with asyncio.timeout(0.05):
                await store.close()
    await asyncio.wait({waiting, choosing})
    await until(lambda: threads_of(tmp_path) <= before)
    await until(lambda: open_files(tmp_path) == [])
    assert not waiting.cancelled()
    assert waiting.exception() is not None
