"""The right to poll is a lock of the kernel on a file: nobody holds it twice, and no death leaves it held.

The lock (`flock`, on Windows `LockFileEx`) belongs to an open file, not to a process id that must be
believed: `kill -9` releases it as surely as `release` does. Nobody is ever killed or asked to leave.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path

from filelock import lock_descriptor, unlock_descriptor

from telegram_channel.errors import StateUnwritable
from telegram_channel.storage.files import make_private_directory

# O_NOFOLLOW: a link planted in place of the file must not make us lock, or create, something else.
_FLAGS = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0)


class FileLease:
    """`ports.Lease` on one file, which is never removed: a removed lock file is a second lock.

    Two leases on one file exclude each other, in one process as in two. For one thread.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held: int | None = None

    def acquire(self) -> bool:
        """Try once, without waiting. True again and again while held.

        Raises:
            StateUnwritable: the file cannot be made or locked at all.
        """
        if self._held is not None:
            if _names(self._path, self._held):
                return True
            self.release()  # the file was removed: the lock guards a name that others do not see any more
        if not self._path.parent.is_dir():  # asked every time a standby tries: it costs a third of making it
            make_private_directory(self._path.parent)
        self._held = self._lock(_FLAGS | os.O_CREAT)
        return self._held is not None

    def release(self) -> None:
        """Give it up; safe when not held."""
        descriptor, self._held = self._held, None
        if descriptor is not None:
            _give_up(descriptor)

    def is_held_elsewhere(self) -> bool:
        """Whether somebody else holds it at this moment; makes no file.

        To know that nobody does, the lock is taken for an instant. Whoever tries to acquire it in that
        very instant is told to try again, which everybody does who waits for it.

        Raises:
            StateUnwritable: the file cannot be looked at.
        """
        if self._held is not None and _names(self._path, self._held):
            return False
        if not self._path.exists():
            return False
        descriptor = self._lock(_FLAGS)
        if descriptor is None:
            return self._path.exists()
        _give_up(descriptor)
        return False

    def _lock(self, flags: int) -> int | None:
        """The locked descriptor, None when somebody else has it."""
        try:
            descriptor = os.open(self._path, flags, 0o600)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable(error) from None
        try:
            # A file that was removed between the two steps guards no name; the next try makes a new one.
            if lock_descriptor(descriptor, blocking=False) and _names(self._path, descriptor):
                return descriptor
        except OSError as error:
            os.close(descriptor)
            raise self._unusable(error) from None
        os.close(descriptor)
        return None

    def _unusable(self, error: OSError) -> StateUnwritable:
        return StateUnwritable(f"The lock file {self._path} cannot be used: {error.strerror}.")


def _names(path: Path, descriptor: int) -> bool:
    """Whether the path still names the open file."""
    with suppress(OSError):
        named, opened = path.stat(), os.fstat(descriptor)
        return stat.S_ISREG(opened.st_mode) and (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino)
    return False


def _give_up(descriptor: int) -> None:
    """Unlock before closing: a child process that inherited the file must not keep the lock alive."""
    with suppress(OSError):  # closing it releases the lock all the same
        unlock_descriptor(descriptor)
    os.close(descriptor)
