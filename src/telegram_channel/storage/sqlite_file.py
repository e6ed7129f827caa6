"""A database file is opened only when it is ours, whole and not from the future; nothing is repaired or replaced.

Whatever SQLite says on the way is classed by what the caller should do: `StateUnreadable` (stop, a person
has to look), `StateTooNew` (update) or `StateUnwritable` (nothing changed, try again later).
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from telegram_channel.errors import StateError, StateTooNew, StateUnreadable, StateUnwritable
from telegram_channel.storage.files import (
    lost,
    make_private_directory,
    make_private_file,
    mark,
    marker_of,
    unreadable,
    was_set_up,
)
from telegram_channel.storage.schema import APPLICATION_ID, MIGRATIONS, VERSION

_PASSING = {
    sqlite3.SQLITE_BUSY: "another process has held it for too long",
    sqlite3.SQLITE_LOCKED: "another process has held it for too long",
    sqlite3.SQLITE_PROTOCOL: "another process has held it for too long",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "it is read-only",
    sqlite3.SQLITE_IOERR: "the disk failed",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened",
    sqlite3.SQLITE_PERM: "permission is denied",
    sqlite3.SQLITE_NOMEM: "there is no memory left",
    sqlite3.SQLITE_INTERRUPT: "the work was interrupted",
    sqlite3.SQLITE_NOLFS: "the file system cannot hold a file of that size",
}
"""SQLite's primary result codes (https://sqlite.org/rescode.html) that say nothing against what is stored."""

_CORRUPT_FILE_SYSTEM = sqlite3.SQLITE_IOERR | (33 << 8)
"""SQLITE_IOERR_CORRUPTFS: the one I/O error that is about the content."""


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's primary result code, 0 when the error came from the Python side."""
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF


def fault(database: Path, error: sqlite3.Error) -> StateError:
    """What an error of SQLite means for the caller."""
    reason = _PASSING.get(primary_code(error))
    if reason is None or getattr(error, "sqlite_errorcode", 0) == _CORRUPT_FILE_SYSTEM:
        return unreadable(database, f"cannot be read: {error}")
    return StateUnwritable(f"{database} cannot be used right now: {reason}.")


def open_database(database: Path, busy_timeout_s: float) -> sqlite3.Connection:
    """A connection to the database, which is set up first where there never was one.

    Raises:
        StateUnreadable: it is corrupt, lost, or another program's.
        StateTooNew: a newer version of this program wrote it.
        StateUnwritable: it cannot be opened or set up right now.
    """
    make_private_directory(database.parent)
    was_set_up(database)
    make_private_file(database)
    deadline = time.monotonic() + busy_timeout_s
    while True:
        try:
            return _open_once(database, busy_timeout_s)
        except sqlite3.Error as error:
            # Switching a new file to WAL does not wait for a process that does the same at this moment.
            if primary_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise fault(database, error) from error
            time.sleep(0.01)


def _open_once(database: Path, busy_timeout_s: float) -> sqlite3.Connection:
    connection = sqlite3.connect(database, timeout=busy_timeout_s, isolation_level=None, cached_statements=256)
    try:
        is_new = _is_new(database, connection)  # before anything is changed in a file that may not be ours
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        for pragma in ("synchronous = FULL", "fullfsync = ON", "trusted_schema = OFF", "cell_size_check = ON"):
            connection.execute(f"PRAGMA {pragma}")
        if is_new or version_of(connection) < VERSION:
            _migrate(database, connection)
            checkpoint(connection)
        _check_access_book(database, connection)
        mark(database)
    except BaseException:
        connection.close()
        raise
    return connection


def version_of(connection: sqlite3.Connection) -> int:
    """The version of the tables."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def refuse_if_too_new(database: Path, connection: sqlite3.Connection) -> None:
    """Return when this program knows the version of the tables.

    Raises:
        StateTooNew: a newer version of this program has migrated them.
    """
    version = version_of(connection)
    if version > VERSION:
        raise StateTooNew(f"{database} has version {version}, this program knows versions up to {VERSION}.")


def checkpoint(connection: sqlite3.Connection) -> None:
    """Copy what is committed into the main file, as far as no reader is in the way."""
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()


@contextmanager
def transaction(connection: sqlite3.Connection, *, write: bool) -> Iterator[None]:
    """One snapshot to read from, or one step that is stored as a whole or not at all."""
    connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            with suppress(sqlite3.Error):  # the error that led here says more
                connection.execute("ROLLBACK")
        raise


@contextmanager
def synchronised(connection: sqlite3.Connection, *, durable: bool) -> Iterator[None]:
    """Whether commits inside wait for the disk; outside they always do."""
    if durable:
        yield
        return
    connection.execute("PRAGMA synchronous=NORMAL")
    try:
        yield
    finally:
        connection.execute("PRAGMA synchronous=FULL")


def _is_new(database: Path, connection: sqlite3.Connection) -> bool:
    # The marker is written after the tables, so it is looked at before them: two processes that start
    # together never take each other's half-made database for a lost one.
    was_made = marker_of(database).exists()
    with transaction(connection, write=False):
        owner = connection.execute("PRAGMA application_id").fetchone()[0]
        has_tables = connection.execute("SELECT EXISTS (SELECT 1 FROM sqlite_master)").fetchone()[0]
        if owner == APPLICATION_ID:
            refuse_if_too_new(database, connection)
            return False
        if owner or has_tables or version_of(connection):
            raise StateUnreadable(
                f"{database} is a database of another program.", "Point TELEGRAM_STATE_DIR at another directory."
            )
    if was_made:
        raise lost(database)
    return True


def _migrate(database: Path, connection: sqlite3.Connection) -> None:
    with transaction(connection, write=True):
        refuse_if_too_new(database, connection)
        for step in MIGRATIONS[version_of(connection) :]:
            for statement in step:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _check_access_book(database: Path, connection: sqlite3.Connection) -> None:
    """Who may come in is read as a whole once: a damaged page must not hide a person's removal."""
    verdict = connection.execute("PRAGMA quick_check(access)").fetchone()
    if verdict is None or verdict[0] != "ok":
        raise unreadable(database, "is damaged")
