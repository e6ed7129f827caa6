"""Stored state that is broken, gone, newer, full or read-only: nobody is let in, and nothing is lost."""

import asyncio
import os
import resource
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from telegram_channel.demo.phone import Phone
from telegram_channel.demo.session import ScriptedSession
from telegram_channel.storage.lease import FileLease
from tests.world import World


def _garbage(database: Path) -> None:
    database.write_bytes(b"this is no database\n" * 500)


def _cut_short(database: Path) -> None:
    database.write_bytes(database.read_bytes()[:5000])


def _newer(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA user_version = 99")


def _gone(database: Path) -> None:
    for name in ("state.db", "state.db-wal", "state.db-shm"):
        database.with_name(name).unlink(missing_ok=True)


def _begin_anew(database: Path) -> None:
    """What the remedy tells the operator to do."""
    for name in ("state.db", "state.db-wal", "state.db-shm", "state.db.created"):
        database.with_name(name).unlink(missing_ok=True)


def _copy_of(database: Path) -> dict[str, bytes]:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return {name: database.with_name(name).read_bytes() for name in ("state.db", "state.db.created")}


def _restore(database: Path, copy: dict[str, bytes]) -> None:
    _begin_anew(database)
    for name, content in copy.items():
        database.with_name(name).write_bytes(content)


async def _nobody_gets_in(world: World, session: ScriptedSession, ann: Phone, remedy: str) -> None:
    """Everything says what is wrong, and Telegram is told nothing."""
    eve = world.person("Eve")
    eve.say("let me in")
    said = ann.say("are you there?")
    answer, status, paired = await asyncio.gather(
        session.call("reply", chat_id=str(ann.person.id), text="yes"),
        world.status(),
        world.operator("access", "pair", "CCCC-CCCC", code=1),
    )
    assert answer.is_error
    assert (status["state"], status["poller"], status["unreadable"]) == ("state_broken", None, True)
    assert all(remedy in words for words in (answer.text, status["problem"], paired))
    # Whatever was fetched is not confirmed: it is all still there.
    waiting = "".join(one.encoded for one in world.bot.queue.pending)
    assert "let me in" in waiting
    assert said.text in waiting
    assert world.sent("sendMessage") == []
    assert not world.shows_token(session.errors + answer.text.encode())


async def test_broken_state_at_the_start() -> None:
    """MUST A25: unreadable state stops with the remedy; it is never an open door.

    MUST S20: once the state is repaired, running servers work on without a restart.
    MUST S21: a database that vanished is an error, not a new and open access book.
    MUST S30: a read-only state directory is reported, and nothing is lost.
    """
    async with asyncio.TaskGroup() as worlds:  # most of the time is spent waiting: side by side
        for spoil in (_garbage, _cut_short):
            worlds.create_task(_starts_broken(spoil, "Nobody is admitted"))
        worlds.create_task(_starts_broken(_newer, "Update the plugin"))
        worlds.create_task(_begins_anew())
        worlds.create_task(_starts_with_a_file_in_the_way())


async def _starts_broken(spoil: Callable[[Path], None], remedy: str) -> None:
    async with World() as world:
        ann = await world.friend("Ann", "sender")  # nobody is owner: the door is open to whoever has a code
        database = world.state_dir / "state.db"
        copy = _copy_of(database)
        spoil(database)
        session = await world.session(wait_polling=False)
        await _nobody_gets_in(world, session, ann, remedy)
        assert world.bot.queue.polls == 0
        _restore(database, copy)
        await session.event("are you there?")
        await world.until(lambda: world.bot.queue.pending == (), "the confirmation")
        assert [event.content for event in session.events()] == ["are you there?"]


async def test_state_that_breaks_while_it_is_in_use() -> None:
    """MUST S20: once the state is repaired, running servers work on without a restart."""
    async with asyncio.TaskGroup() as worlds:
        worlds.create_task(_breaks(_gone, "state.db.created"))
        worlds.create_task(_breaks(_newer, "Update the plugin"))


async def _breaks(spoil: Callable[[Path], None], remedy: str) -> None:
    async with World() as world:
        ann = await world.friend("Ann", "sender")
        session = await world.session()
        ann.say("before")
        await session.event("before")
        await world.until(lambda: ann.action() == "typing", "the proof that it is marked as given")
        database = world.state_dir / "state.db"
        copy = _copy_of(database)
        spoil(database)
        await _nobody_gets_in(world, session, ann, remedy)
        _restore(database, copy)
        await session.event("are you there?", timeout_s=30)  # the poll begins anew, and a busy machine takes its time
        assert [event.content for event in session.events()] == ["before", "are you there?"]


async def _begins_anew() -> None:
    """What the remedy says works, and nothing less does."""
    async with World() as world:
        ann = await world.friend("Ann")
        _garbage(world.state_dir / "state.db")
        session = await world.session(wait_polling=False)
        answer = await session.call("reply", chat_id=str(ann.person.id), text="x")
        for name in ("state.db", "state.db-wal", "state.db.created"):
            assert name in answer.text
        _gone(world.state_dir / "state.db")
        ann.say("hello?")
        answer = await session.call("reply", chat_id=str(ann.person.id), text="x")
        assert "state.db.created" in answer.text
        _begin_anew(world.state_dir / "state.db")
        await world.shows(ann, "Your code")
        assert session.events() == []


@contextmanager
def _full_disk(world: World, session: ScriptedSession) -> Iterator[None]:
    """The state directory is a tiny file system and full; without the right to mount, files cannot grow."""
    if world.state_dir.is_mount():
        filler = world.state_dir / "filler"
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(1024))
            except OSError:
                yield
        filler.unlink()
        return
    pid = session.process.pid
    unlimited = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, unlimited[1]))
    yield
    resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)


@contextmanager
def _mounted(directory: Path, *options: str) -> Iterator[None]:
    """A small file system of its own in place of a directory; skips the test where mounting is not allowed."""
    mount = shutil.which("mount")
    if mount is None or os.name == "nt" or os.geteuid() != 0:
        pytest.skip("mounting a file system takes root")
    directory.mkdir(mode=0o700, exist_ok=True)
    command = [mount, *(options or ("-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs")), str(directory)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"mounting a file system is not allowed here: {done.stderr.decode().strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)  # noqa: S607 - where it is differs


def _make_read_only(directory: Path) -> None:
    subprocess.run(["mount", "-o", "remount,bind,ro", str(directory)], check=True)  # noqa: S607 - where it is differs


async def _lives_through_a_full_disk(world: World) -> None:
    ann = await world.friend("Ann")
    session = await world.session()
    ann.say("before")
    await session.event("before")
    await world.until(lambda: ann.action() == "typing", "the proof that it is marked as given")
    with _full_disk(world, session):
        texts = [f"while it is full {number} {'x' * 3000}" for number in range(20)]
        for text in texts:
            ann.say(text)
        await world.until(lambda: b"nothing was lost" in session.errors, "a word about the disk")
        assert len(world.bot.queue.pending) == len(texts)
        if world.state_dir.is_mount():
            status = await world.status()
            assert status["state"] == "retrying"
            assert "cannot be written" in status["problem"]
            assert "Free some space" in await world.operator("access", "allow", "99", code=1)
        answer = await session.call("reply", chat_id=str(ann.person.id), text="I can still talk")
        assert not answer.is_error
        assert len(world.bot.queue.pending) == len(texts)
    await session.event(texts[-1], timeout_s=20)
    assert [event.content for event in session.events()] == ["before", *texts]
    await world.until(lambda: world.bot.queue.pending == (), "the confirmation")
    assert not world.shows_token(session.errors)


async def test_a_full_disk() -> None:
    """MUST P3: while the disk is full nothing is confirmed, and the same batch is stored later.

    MUST O15: status says what keeps a process that polls from storing anything.
    """
    async with World() as world:
        with _mounted(world.state_dir):
            await _lives_through_a_full_disk(world)


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits of another process can be set on Linux only")
async def test_files_that_cannot_grow() -> None:
    """MUST P3: while the disk is full nothing is confirmed, and the same batch is stored later."""
    async with World() as world:
        await _lives_through_a_full_disk(world)


async def test_a_read_only_state_directory() -> None:
    """MUST S30: a read-only state directory is reported, and nothing is lost."""
    async with World() as world:
        ann = await world.friend("Ann")
        ann.say("before the start")
        bind = ("--bind", str(world.state_dir))
        with _mounted(world.state_dir, *bind):
            _make_read_only(world.state_dir)
            session = await world.session(wait_polling=False)
            answer = await session.call("reply", chat_id=str(ann.person.id), text="x")
            assert answer.is_error
            assert "writable" in answer.text
            assert (await world.status())["state"] == "state_broken"
            assert world.bot.queue.polls == 0
        await session.event("before the start")


async def _starts_with_a_file_in_the_way() -> None:
    async with World() as world:
        ann = world.person("Ann")
        ann.say("hello")
        world.state_dir.write_text("in the way", "utf-8")
        session = await world.session(wait_polling=False)
        answer = await session.call("reply", chat_id=str(ann.person.id), text="x")
        assert answer.is_error
        assert "Move that file away" in answer.text
        assert "Move that file away" in (await world.status())["problem"]
        assert world.bot.queue.polls == 0
        world.state_dir.unlink()
        await world.shows(ann, "Your code")


async def test_a_lease_whose_file_vanished_is_given_up() -> None:
    """MUST P19: whoever lost the lease stops polling and waits for its turn again."""
    async with World() as world:
        ann = await world.friend("Ann")
        session = await world.session()
        [file] = world.state_dir.glob("*.lock")
        file.unlink()
        other = FileLease(file)
        assert other.acquire()
        await world.until(lambda: b"another process receives" in session.errors, "a word about it")
        await world.until(lambda: not world.bot.queue.is_waited_for, "the end of the poll")
        ann.say("to whoever polls")
        answer = await session.call("react", chat_id=str(ann.person.id), message_id="1", emoji="👍")
        assert not answer.is_error
        assert len(world.bot.queue.pending) == 1
        other.release()
        await session.event("to whoever polls")
