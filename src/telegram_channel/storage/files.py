"""What is kept is readable by its owner only, and a database that vanished is never mistaken for a new one.

A missing or empty database file means "nobody was ever let in here, the pairing door is open". To be sure
of that, a second file, the marker, is made once the database holds its tables. Marker without database:
state was lost, and the answer is an error with a remedy, not an empty access book.
"""

import contextlib
import os
from pathlib import Path

from telegram_channel.errors import StateUnreadable, StateUnwritable

COMPANIONS = ("", "-wal", "-shm", "-journal")
"""What SQLite appends to the name of a database for the files it keeps beside it."""

_MARKER_TEXT = """\
The database {name} in this directory holds who may talk to the bot. This file tells a lost database from one
that never was: while it is here, a missing or empty {name} is an error, and nobody is let in.
To start anew with an empty access book and open pairing, remove this file as well.
"""


def make_private_directory(directory: Path) -> None:
    """Make the directory (0700) unless it is there.

    Raises:
        StateUnwritable: it cannot be made, or something else has its name.
    """
    try:
        for above in (*reversed(directory.parents), directory):  # each of those that have to be made
            above.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StateUnwritable(f"The directory {directory} cannot be made: {error.strerror}.") from None


def marker_of(database: Path) -> Path:
    """The file that says that the database was set up."""
    return database.with_name(f"{database.name}.created")


def make_private_file(database: Path) -> None:
    """Make an empty file (0600) for the database unless there is one; close the others to everybody else.

    An existing file is never opened here: closing it again would drop the locks that SQLite holds on it in
    this process (a property of POSIX record locks).
    """
    try:
        with contextlib.suppress(FileExistsError):
            os.close(os.open(database, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        for companion in COMPANIONS:
            _close_to_others(database.with_name(database.name + companion))
    except OSError as error:
        raise StateUnwritable(f"{database} cannot be made: {error.strerror}.") from None


def _close_to_others(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError, PermissionError):  # not there, or somebody else's to decide
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)


def was_set_up(database: Path) -> bool:
    """Whether there is a database with content; False when there is no sign that there ever was one.

    Raises:
        StateUnreadable: it is missing or empty although it was set up before.
        StateUnwritable: the directory cannot be looked at.
    """
    marker, log = marker_of(database), database.with_name(f"{database.name}-wal")
    try:
        # The order matters: another process that sets the database up right now writes it first, then the
        # log, then the marker. Looking at them the other way round never sees the later without the former.
        marked, logged_bytes = marker.exists(), _size_bytes(log)
        stored_bytes = _size_bytes(database)
    except OSError as error:
        raise StateUnwritable(f"{database} cannot be looked at: {error.strerror}.") from None
    if not stored_bytes and (marked or logged_bytes):
        raise lost(database)
    return bool(stored_bytes)


def lost(database: Path) -> StateUnreadable:
    """The error for a database that is gone although there are traces of it."""
    return unreadable(database, "was set up before and is missing or empty now")


def unreadable(database: Path, what: str) -> StateUnreadable:
    """The error for a database that a person has to look at; `what` goes on after its name."""
    return StateUnreadable(
        f"{database} {what}.",
        f"Nobody is admitted until a copy is restored. To begin anew with an empty access book, stop all sessions "
        f"and move {database.name}, {database.name}-wal and {marker_of(database).name} away.",
    )


def mark(database: Path) -> None:
    """Remember durably that the database was set up."""
    marker = marker_of(database)
    try:
        if marker.exists():
            return
        descriptor = os.open(marker, os.O_CREAT | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(_MARKER_TEXT.format(name=database.name))
            file.flush()
            os.fsync(file.fileno())
        _sync_directory(marker.parent)
    except OSError as error:
        raise StateUnwritable(f"{marker} cannot be written: {error.strerror}.") from None


def _sync_directory(directory: Path) -> None:
    """Make a new name durable, as far as the file system can."""
    with contextlib.suppress(OSError):  # Windows opens no directories, and some file systems sync none
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _size_bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
