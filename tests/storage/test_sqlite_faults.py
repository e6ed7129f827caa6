"""A database that is damaged, lost, foreign or from the future is an error with a remedy, never an open door."""

import hashlib
import os
import shutil
import sqlite3
import stat
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from telegram_channel.core.access import AccessState, Policy
from telegram_channel.errors import StateTooNew, StateUnreadable
from telegram_channel.storage import known_bots, open_store
from telegram_channel.storage.schema import APPLICATION_ID, VERSION
from tests.storage.child import STOP
from tests.storage.conftest import BOOK, BOT


def beside(database: Path, suffix: str) -> Path:
    return database.with_name(database.name + suffix)


def write(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def read(path: Path) -> bytes:
    return path.read_bytes()


def remove(path: Path) -> None:
    path.unlink()


def make_directory(path: Path) -> None:
    path.mkdir(parents=True)


def open_to_others(path: Path) -> None:
    path.chmod(0o644)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def fingerprint(database: Path) -> dict[str, str]:
    """The content of everything in the directory."""
    return {
        one.name: hashlib.sha256(one.read_bytes()).hexdigest()
        for one in sorted(database.parent.iterdir())
        if one.is_file()
    }


def change(database: Path, *statements: str) -> None:
    """What another program, or a mishap, does to the file."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


async def read_book(database: Path) -> AccessState:
    store = await open_store(database, BOT)
    try:
        return await store.access.read()
    finally:
        await store.close()


async def assert_unreadable(database: Path) -> StateUnreadable:
    """Every way in is closed, and trying changed nothing."""
    before = fingerprint(database)
    with pytest.raises(StateUnreadable) as caught:
        await open_store(database, BOT)
    with pytest.raises(StateUnreadable):
        known_bots(database)
    assert fingerprint(database) == before
    assert caught.value.remedy
    return caught.value


class TestDamage:
    """MUST S19: a damaged database stops the program; it is never replaced, repaired or taken for an empty one."""

    async def test_an_undamaged_one_is_read(self, made: Path) -> None:
        assert await read_book(made) == BOOK

    @pytest.mark.parametrize(
        "content",
        [b"x", b"this is not a database", os.urandom(50), os.urandom(8192), b"SQLite format 3\0" + b"\0" * 900],
    )
    async def test_garbage_is_refused(self, made: Path, content: bytes) -> None:
        write(made, content)
        await assert_unreadable(made)

    async def test_garbage_is_refused_where_there_never_was_a_database(self, database: Path) -> None:
        database.parent.mkdir()
        write(database, b"a letter that somebody put here, for whatever reason it may be")
        await assert_unreadable(database)

    @pytest.mark.parametrize(
        "kept", [1, 16, 99, 100, 101, 512, 1000, 4095, 4096, 4097, 6000, 8192, 20000, -1, -700, -4096]
    )
    async def test_a_truncated_file_never_admits_anybody_else(self, made: Path, kept: int) -> None:
        whole = read(made)
        write(made, whole[:kept])
        try:
            assert await read_book(made) == BOOK
        except StateUnreadable:
            return
        store = await open_store(made, BOT)
        with pytest.raises(StateUnreadable):
            await store.inbox.due()
        await store.close()

    async def test_no_overwritten_page_admits_anybody_else(self, made: Path) -> None:
        whole = read(made)
        refused = 0
        for page in range(len(whole) // 4096):
            damaged = bytearray(whole)
            damaged[page * 4096 + 8 : page * 4096 + 4000] = os.urandom(3992)
            write(made, bytes(damaged))
            try:
                assert await read_book(made) == BOOK
            except StateUnreadable:
                refused += 1
        assert refused >= 2

    async def test_a_missing_table_is_refused(self, made: Path) -> None:
        change(made, "DROP TABLE access")
        await assert_unreadable(made)
        change(made, "CREATE TABLE access (something TEXT)")
        with pytest.raises(StateUnreadable):
            await read_book(made)

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE access SET body = 'nonsense'",
            "UPDATE access SET body = ''",
            "UPDATE access SET body = x'ff00'",
            "UPDATE access SET body = CAST(x'7bff7d' AS TEXT)",
            "UPDATE access SET body = replace(body, 'allowlist', 'everybody')",
            "UPDATE access SET body = replace(body, '\"owner\"', '\"root\"')",
            'UPDATE access SET body = replace(body, \'"policy"\', \'"more":1,"policy"\')',
            "UPDATE access SET body = replace(body, '\"groups\":{},', '')",
        ],
    )
    async def test_a_book_that_cannot_be_understood_is_refused(self, made: Path, statement: str) -> None:
        change(made, statement)
        store = await open_store(made, BOT)
        with pytest.raises(StateUnreadable):
            await store.access.read()
        with pytest.raises(StateUnreadable):
            await store.access.transact(lambda _state: (BOOK, None, ()))
        await store.close()

    @pytest.mark.parametrize(
        "statement",
        [
            "UPDATE inbox SET body = '{' WHERE entry = 20",
            "UPDATE inbox SET body = replace(body, 'private', 'secret') WHERE entry = 20",
            "UPDATE inbox SET stored_at = 'noon' WHERE entry = 20",
            "UPDATE inbox SET redelivered = 2 WHERE entry = 20",
            "UPDATE inbox SET chat = x'00' WHERE entry = 20",
            "UPDATE inbox SET fetch = '{}' WHERE entry = 20",
        ],
    )
    async def test_an_entry_that_cannot_be_understood_is_named(self, made: Path, statement: str) -> None:
        change(made, statement)
        store = await open_store(made, BOT)
        with pytest.raises(StateUnreadable, match="inbox entry 20") as caught:
            await store.inbox.due()
        assert "message 19" not in str(caught.value)
        assert await store.access.read() == BOOK
        await store.close()

    @pytest.mark.parametrize("statement", ["UPDATE orders SET body = '{'", "DROP TABLE orders"])
    async def test_an_order_that_cannot_be_understood_is_not_taken_for_none(self, made: Path, statement: str) -> None:
        """MUST S42: orders that cannot be read are an error, never leave to go on."""
        store = await open_store(made, BOT)
        await store.orders.give(STOP)
        await store.close()
        change(made, statement)
        store = await open_store(made, BOT)
        with pytest.raises(StateUnreadable):
            await store.orders.standing(STOP.session)
        with pytest.raises(StateUnreadable):
            await store.orders.lift(STOP.kind, STOP.session, "7", STOP.at)
        await store.close()

    async def test_an_unknown_state_is_refused(self, made: Path) -> None:
        change(made, "UPDATE inbox SET state = 'lost' WHERE entry = 20")
        store = await open_store(made, BOT)
        with pytest.raises(StateUnreadable, match="state"):
            await store.inbox.counts()
        await store.close()

    async def test_a_repair_takes_effect_without_a_restart(self, made: Path) -> None:
        """MUST S20: once the state is repaired, running servers work on without a restart."""
        copy = beside(made, ".copy")
        shutil.copy(made, copy)
        store = await open_store(made, BOT)
        put_in_place(made, os.urandom(8192))
        for _ in range(2):
            with pytest.raises(StateUnreadable):
                await store.access.read()
        put_in_place(made, read(copy))
        assert await store.access.read() == BOOK
        await store.close()

    async def test_a_replaced_file_is_read_and_not_the_one_it_replaced(self, made: Path) -> None:
        copy = made.parent / "copy" / made.name
        other = await open_store(copy, BOT)
        closed = replace(BOOK, policy=Policy.CLOSED, senders={})
        await other.access.transact(lambda _state: (closed, None, ()))
        await other.close()
        store = await open_store(made, BOT)
        assert await store.access.read() == BOOK
        put_in_place(made, read(copy))
        assert await store.access.read() == closed
        await store.close()


def put_in_place(database: Path, content: bytes) -> None:
    """Another file under the same name, as a restored copy is."""
    new = beside(database, ".new")
    new.write_bytes(content)
    for suffix in ("-wal", "-shm"):
        beside(database, suffix).unlink(missing_ok=True)
    new.replace(database)


class TestLoss:
    """MUST S21: a database that vanished is an error, not a new and open access book."""

    async def test_an_emptied_file_is_refused(self, made: Path) -> None:
        write(made, b"")
        error = await assert_unreadable(made)
        assert f"{made.name}.created" in error.remedy

    async def test_a_missing_file_is_refused(self, made: Path) -> None:
        remove(made)
        error = await assert_unreadable(made)
        assert f"{made.name}.created" in error.remedy

    async def test_a_running_server_refuses_as_well(self, made: Path) -> None:
        store = await open_store(made, BOT)
        beside(made, "-wal").unlink()
        remove(made)
        with pytest.raises(StateUnreadable):
            await store.access.read()
        with pytest.raises(StateUnreadable):
            await store.access.transact(lambda _state: (BOOK, None, ()))
        await store.close()

    async def test_a_file_without_its_tables_is_refused(self, made: Path) -> None:
        change_to_empty = beside(made, ".empty")
        change(change_to_empty, "PRAGMA journal_mode = WAL", "CREATE TABLE a (b)", "DROP TABLE a")
        change_to_empty.replace(made)
        await assert_unreadable(made)

    @pytest.mark.parametrize("emptied", [True, False])
    async def test_an_unfinished_log_without_its_database_is_refused(self, database: Path, emptied: bool) -> None:
        database.parent.mkdir()
        beside(database, "-wal").write_bytes(b"something was committed here")
        if emptied:
            write(database, b"")
        await assert_unreadable(database)
        assert beside(database, "-wal").read_bytes() == b"something was committed here"

    async def test_to_begin_anew_takes_removing_the_marker_too(self, made: Path) -> None:
        remove(made)
        beside(made, ".created").unlink()
        assert known_bots(made) == ()
        assert await read_book(made) == AccessState()

    async def test_an_empty_file_that_never_was_a_database_is_set_up(self, database: Path) -> None:
        database.parent.mkdir()
        write(database, b"")
        assert known_bots(database) == ()
        assert await read_book(database) == AccessState()
        assert await read_book(database) == AccessState()

    async def test_a_marker_that_is_missing_is_made_again(self, made: Path) -> None:
        beside(made, ".created").unlink()
        assert await read_book(made) == BOOK
        assert "open pairing" in beside(made, ".created").read_text("utf-8")


class TestVersions:
    """MUST S22: state written by a newer version is left alone."""

    async def test_newer_tables_are_refused_untouched(self, made: Path) -> None:
        change(made, f"PRAGMA user_version = {VERSION + 1}")
        before = fingerprint(made)
        with pytest.raises(StateTooNew) as caught:
            await open_store(made, BOT)
        with pytest.raises(StateTooNew):
            known_bots(made)
        assert fingerprint(made) == before
        assert "Update" in caught.value.remedy

    async def test_a_running_server_stops_when_the_tables_are_migrated(self, made: Path) -> None:
        store = await open_store(made, BOT)
        change(made, f"PRAGMA user_version = {VERSION + 1}")
        with pytest.raises(StateTooNew):
            await store.access.read()
        with pytest.raises(StateTooNew):
            await store.access.transact(lambda state: (replace(state, senders={}), None, ()))
        await store.close()

    async def test_a_newer_document_is_refused(self, made: Path) -> None:
        change(made, "UPDATE access SET body = replace(body, '{\"v\":', '{\"v\":9')")
        store = await open_store(made, BOT)
        with pytest.raises(StateTooNew):
            await store.access.read()
        await store.close()

    async def test_the_database_of_another_program_is_refused_untouched(self, database: Path) -> None:
        database.parent.mkdir()
        change(database, "CREATE TABLE recipes (name TEXT)", "INSERT INTO recipes VALUES ('soup')")
        error = await assert_unreadable(database)
        assert "another program" in str(error)
        change(database, "DROP TABLE recipes", "VACUUM", f"PRAGMA application_id = {APPLICATION_ID + 1}")
        await assert_unreadable(database)

    async def test_versions_are_marked_in_the_file(self, made: Path) -> None:
        with closing(sqlite3.connect(made)) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
            assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


class TestPrivacy:
    async def test_nobody_else_can_read_what_is_kept(self, tmp_path: Path) -> None:
        """MUST S23: stored state is readable by its owner only."""
        database = tmp_path / "deep" / "state" / "state.db"
        loose = os.umask(0)
        try:
            store = await open_store(database, BOT)
            await store.access.transact(lambda _state: (BOOK, None, ()))
            names = {one.name: mode_of(one) for one in database.parent.iterdir()}
            kept = ("state.db", "state.db-wal", "state.db-shm", "state.db.created", "state.db.bell")
            assert names == dict.fromkeys(kept, 0o600)
            assert mode_of(database.parent) == 0o700
            await store.close()
        finally:
            os.umask(loose)

    async def test_a_copy_that_was_restored_too_openly_is_closed_to_others(self, made: Path) -> None:
        open_to_others(made)
        assert await read_book(made) == BOOK
        assert mode_of(made) == 0o600
