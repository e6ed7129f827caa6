"""Whoever commits rings: it touches a small file beside the database, and every process that listens is woken.

The bell carries nothing but the fact that it rang; what changed is asked of the database. It is never more than
a hint: a bell that cannot be rung fails no commit, and whoever listens looks at the database now and then anyway.

Where the kernel reports touched files (inotify, kqueue), listening costs nothing until the bell rings. Elsewhere
the file has to be looked at; that is up to the caller, with `Bell.rang`.
"""

import asyncio
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

PAUSE_S = 0.025
"""After a ring, what follows within this time is one more ring: a burst of commits wakes nobody for each."""
_STEP_NS = 100_000
"""How much later than the ring before a ring is at least: NTFS, for one, keeps times in steps of 100 ns."""
_BARRED = (OSError, OverflowError)
"""What a file system may say about a time: not allowed, no such file, out of range."""


def bell_of(database: Path) -> Path:
    """The file that is touched after every commit."""
    return database.with_name(f"{database.name}.bell")


class Bell:
    """One bell, as one listener knows it. Nothing here ever fails."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._last: tuple[int, int] | None = None

    def ring(self) -> bool:
        """Ring, making the bell (0600) if need be; whether that was possible. Call it after the commit.

        The time is always later than the one before, so that two rings within one tick of the clock differ.
        Whoever rings has committed before it looks at the time, so two rings with one time announce both commits.
        An own ring is not news for `rang`: ask the database afterwards, in case it drowned another.
        """
        try:
            status = self._made()
            rung_at = max(status.st_mtime_ns + _STEP_NS, time.time_ns())
            os.utime(self.path, ns=(rung_at, rung_at))
        except _BARRED:
            return False
        self._last = status.st_ino, rung_at
        return True

    def rang(self) -> bool:
        """Whether another one rang, or the bell was replaced, since this was last asked."""
        now = self.known()
        if now == self._last:
            return False
        self._last = now
        return True

    def known(self) -> tuple[int, int] | None:
        """Which file it is and when it was rung; None when there is none."""
        try:
            status = os.stat(self.path)  # noqa: PTH116 - asked many times a second, and a Path takes longer
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns

    def _made(self) -> os.stat_result:
        try:
            return os.stat(self.path)  # noqa: PTH116 - asked with every commit, and a Path takes longer
        except FileNotFoundError:
            with suppress(FileExistsError):
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            return self.path.stat()


class Ear(Protocol):
    """What the kernel offers to hear that a file was touched: a descriptor that becomes readable."""

    fd: int

    def attend(self, path: Path) -> None:
        """Listen to the file that has this name now, and no more to an earlier one. Raises `OSError`."""

    def drain(self) -> bool:
        """Take note of everything heard; whether there was anything."""

    def close(self) -> None:
        """Hear nothing any more."""


if sys.platform == "linux":

    class _Inotify:
        """inotify(7); the constants are those of `<sys/inotify.h>`, which are the same everywhere."""

        _ATTRIB, _DELETE_SELF, _MOVE_SELF = 0x004, 0x400, 0x800

        def __init__(self) -> None:
            import ctypes  # here because it takes milliseconds, and only who listens needs it

            self._libc = ctypes.CDLL(None, use_errno=True)
            self._errno = ctypes.get_errno
            # IN_NONBLOCK and IN_CLOEXEC are defined as these two.
            self.fd = self._checked(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
            self._watch: int | None = None

        def attend(self, path: Path) -> None:
            wanted = self._ATTRIB | self._DELETE_SELF | self._MOVE_SELF
            watch = self._checked(self._libc.inotify_add_watch(self.fd, os.fsencode(path), wanted))
            if self._watch not in (None, watch):
                self._libc.inotify_rm_watch(self.fd, self._watch)  # fails when the file is gone: just as well
            self._watch = watch

        def drain(self) -> bool:
            try:
                return bool(os.read(self.fd, 4096))
            except BlockingIOError:
                return False

        def close(self) -> None:
            os.close(self.fd)

        def _checked(self, result: int) -> int:
            if result < 0:
                code = self._errno()
                raise OSError(code, os.strerror(code))
            return result


if sys.platform == "darwin":
    import select

    class _Kqueue:
        """kqueue(2) with EVFILT_VNODE, which listens to an open file."""

        def __init__(self) -> None:
            self._queue = select.kqueue()
            self.fd = self._queue.fileno()
            self._file: int | None = None

        def attend(self, path: Path) -> None:
            file = os.open(path, os.O_RDONLY)
            wanted = select.KQ_NOTE_ATTRIB | select.KQ_NOTE_DELETE | select.KQ_NOTE_RENAME
            event = select.kevent(file, select.KQ_FILTER_VNODE, select.KQ_EV_ADD | select.KQ_EV_CLEAR, wanted)
            try:
                self._queue.control([event], 0, 0)
            except OSError:
                os.close(file)
                raise
            before, self._file = self._file, file
            if before is not None:
                os.close(before)

        def drain(self) -> bool:
            return bool(self._queue.control(None, 8, 0))

        def close(self) -> None:
            self._queue.close()
            if self._file is not None:
                os.close(self._file)


def new_ear() -> Ear | None:
    """The ear of this system, None when it has none or no more of them."""
    try:
        if sys.platform == "linux":
            return _Inotify()
        if sys.platform == "darwin":
            return _Kqueue()
    except (ImportError, OSError, AttributeError):  # a Python without ctypes, a limit, a C library without it
        return None
    return None


class Listener:
    """Calls `heard` on the event loop soon after the bell rang, at most once in `PAUSE_S`.

    `attend` belongs to one thread, everything else to the event loop.
    """

    def __init__(self, bell: Bell, heard: Callable[[], None], new_ear: Callable[[], Ear | None] = new_ear) -> None:
        self._bell = bell
        self._heard = heard
        self._new_ear = new_ear
        self._ear: Ear | None = None
        self._attends = False
        self._deaf = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pause: asyncio.TimerHandle | None = None

    @property
    def hears(self) -> bool:
        """Whether a ring will be heard; otherwise the bell has to be looked at."""
        return self._attends and not self._deaf

    def attend(self, loop: asyncio.AbstractEventLoop) -> None:
        """Listen to the bell that is there now, for `loop`. Call it now and then: the file may be replaced.

        What was rung shortly before may never be heard: ask the database afterwards.
        """
        if self._deaf:
            return
        if self._ear is None:
            self._begin(loop)
        else:
            # Always, and not only when it looks like another file: a new one may get the number of the old one.
            self._attends = (self._bell.known() is not None or self._bell.ring()) and self._follow(self._ear)

    def close(self) -> None:
        """Listen no more; safe to call twice. No other thread may be in `attend`."""
        self._deaf = True
        if self._pause is not None:
            self._pause.cancel()
        ear, self._ear = self._ear, None
        if ear is not None:
            if self._loop is not None:
                self._loop.remove_reader(ear.fd)
            ear.close()

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._bell.ring():
            return
        ear = self._ear = self._new_ear()
        # Not every file system tells; whether this one does is tried before anybody relies on it.
        if ear is None or not (self._follow(ear) and self._bell.ring() and ear.drain()):
            self._deaf = True
            return
        self._attends = True
        with suppress(RuntimeError):  # that loop is closed: nobody listens
            loop.call_soon_threadsafe(self._open, loop)

    def _follow(self, ear: Ear) -> bool:
        try:
            ear.attend(self._bell.path)
        except OSError:
            return False
        return True

    # From here on: the event loop.

    def _open(self, loop: asyncio.AbstractEventLoop) -> None:
        self._pause = None
        if self._ear is None or self._deaf:
            return
        try:
            loop.add_reader(self._ear.fd, self._take_note)
        except NotImplementedError:  # a loop without readers: asyncio's own on Windows
            self._deaf = True
            return
        self._loop = loop

    def _take_note(self) -> None:
        if self._ear is None or self._loop is None:
            return
        self._ear.drain()
        self._loop.remove_reader(self._ear.fd)
        self._pause = self._loop.call_later(PAUSE_S, self._open, self._loop)
        self._heard()
