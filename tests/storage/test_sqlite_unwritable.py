"""A database that cannot be used right now says so, changes nothing, and works on when the reason is gone."""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from telegram_channel.core.access import AccessState
from telegram_channel.core.inbox import Intake
from telegram_channel.errors import StateUnreadable, StateUnwritable
from telegram_channel.storage import known_bots, open_store
from telegram_channel.storage.sqlite import SqliteStore
from telegram_channel.storage.sqlite_file import fault
from tests.storage.child import spawned
from tests.storage.conftest import BOOK, BOT
from tests.values import NOON, entry, message


class TestLocked:
    async def test_a_database_that_another_process_holds_can_be_read_and_not_written(self, made: Path) -> None:
        """MUST S28: while the state cannot be written nothing changes, and the same call succeeds afterwards."""
        store = SqliteStore(made, BOT, lambda: NOON, busy_timeout_s=0.05)
        one = entry(message("new", 77))
        intake = Intake((one,), (), (one.update,))
        with spawned("hold", made) as child:
            child.expect("held")
            assert await store.access.read() == BOOK
            with pytest.raises(StateUnwritable, match="another process"):
                await store.inbox.ingest(intake, one.update)
            with pytest.raises(StateUnwritable, match="another process"):
                await store.access.transact(lambda _state: (AccessState(), None, ()))
            assert await store.inbox.unseen([one.update]) == {one.update}
            child.say("let go")
            child.expect("gone")
        await store.inbox.ingest(intake, one.update)
        assert await store.inbox.cursor() == one.update
        assert await store.access.read() == BOOK
        await store.close()

    async def test_a_writer_waits_for_the_other_to_finish(self, made: Path) -> None:
        store = SqliteStore(made, BOT, lambda: NOON, busy_timeout_s=20)
        with spawned("hold", made) as child:
            child.expect("held")
            child.say("let go")
            await store.access.transact(lambda _state: (AccessState(), None, ()))
            child.expect("gone")
        assert await store.access.read() == AccessState()
        await store.close()


@pytest.mark.skipif(os.name == "nt", reason="the limit on the size of files is one of POSIX")
class TestFull:
    def test_a_disk_that_takes_no_more_loses_nothing(self, made: Path) -> None:
        """MUST S29: a full disk is reported, loses nothing that was confirmed, and work goes on afterwards."""
        with spawned("full", made) as child:
            child.expect("StateUnwritable")
            child.expect("unseen: True, senders: 1, due: 40")
            child.expect("after: 41")


@pytest.mark.skipif(os.name == "nt", reason="a directory is made read-only by POSIX permissions")
class TestReadOnly:
    def test_a_read_only_directory_is_reported(self, made: Path) -> None:
        """MUST S30: a read-only state directory is reported, and nothing is lost."""
        made.parent.chmod(0o500)
        try:
            with spawned("readonly", made) as child:
                child.expect("StateUnwritable")
        finally:
            made.parent.chmod(0o700)


class TestNoPlace:
    async def test_a_file_in_place_of_the_directory(self, tmp_path: Path) -> None:
        (tmp_path / "state").write_text("in the way")
        with pytest.raises(StateUnwritable, match="state"):
            await open_store(tmp_path / "state" / "state.db", BOT)
        with pytest.raises(StateUnwritable):
            await open_store(tmp_path / "state" / "below" / "state.db", BOT)

    async def test_a_directory_in_place_of_the_file(self, made: Path) -> None:
        with pytest.raises(StateUnwritable):
            await open_store(made.parent, BOT)

    async def test_looking_for_bots_makes_nothing(self, database: Path) -> None:
        assert known_bots(database) == ()
        assert not database.parent.exists()


def error_of(action: Callable[[], object]) -> sqlite3.Error:
    with pytest.raises(sqlite3.Error) as caught:
        action()
    return caught.value


class TestWhatSqliteSays:
    """Real errors of SQLite, made by hand, and the class of each."""

    def test_a_full_database_may_pass(self, made: Path) -> None:
        with closing(sqlite3.connect(made, isolation_level=None)) as connection:
            connection.execute("PRAGMA max_page_count = 1")
            error = error_of(
                lambda: connection.execute("INSERT INTO audit (bot, body) VALUES ('1', zeroblob(500000))")
            )
        assert isinstance(fault(made, error), StateUnwritable)
        assert "disk is full" in str(fault(made, error))

    def test_a_read_only_database_may_pass(self, made: Path) -> None:
        with closing(sqlite3.connect(f"file:{made}?mode=ro", uri=True)) as connection:
            error = error_of(lambda: connection.execute("DELETE FROM audit"))
        assert isinstance(fault(made, error), StateUnwritable)
        assert "read-only" in str(fault(made, error))

    def test_a_locked_database_may_pass(self, made: Path) -> None:
        with (
            closing(sqlite3.connect(made, isolation_level=None)) as one,
            closing(sqlite3.connect(made, timeout=0, isolation_level=None)) as other,
        ):
            one.execute("BEGIN IMMEDIATE")
            error = error_of(lambda: other.execute("BEGIN IMMEDIATE"))
        assert isinstance(fault(made, error), StateUnwritable)
        assert "another process" in str(fault(made, error))

    def test_a_file_that_cannot_be_opened_may_pass(self, tmp_path: Path) -> None:
        error = error_of(lambda: sqlite3.connect(tmp_path / "nowhere" / "state.db"))
        assert isinstance(fault(tmp_path, error), StateUnwritable)

    @pytest.mark.parametrize("statement", ["SELECT * FROM nothing", "SELECT body FROM seen", "nonsense"])
    def test_tables_that_are_not_as_they_should_be_are_no_accident(self, made: Path, statement: str) -> None:
        with closing(sqlite3.connect(made)) as connection:
            error = error_of(lambda: connection.execute(statement))
        assert isinstance(fault(made, error), StateUnreadable)

    def test_a_violated_rule_of_the_tables_is_no_accident(self, made: Path) -> None:
        with closing(sqlite3.connect(made)) as connection:
            error = error_of(lambda: connection.execute("INSERT INTO audit (bot) VALUES ('1')"))
        assert isinstance(fault(made, error), StateUnreadable)

    def test_an_error_without_a_code_counts_as_damage(self, made: Path) -> None:
        assert isinstance(fault(made, sqlite3.OperationalError("Could not decode to UTF-8")), StateUnreadable)
