"""Lines over the protocol's two pipes, moved by two threads so that a slow client blocks nobody.

Both ends work on every platform: plain reads and writes of blocking descriptors in daemon threads. What
waits is bounded in bytes in both directions; nothing is ever dropped to stay within the bound.
"""

import asyncio
import contextlib
import logging
import os
import queue
import threading
from collections import deque
from collections.abc import Callable

CHUNK_BYTES = 1 << 16
"""What one read asks for, and up to which size short lines are joined into one write."""
MOST_UNREAD_BYTES = 1 << 22
MOST_UNWRITTEN_BYTES = 1 << 20
MOST_LINE_BYTES = 1 << 24
"""A longer line cannot be a message of the protocol; it is skipped up to its end."""

logger = logging.getLogger(__name__)


class PipeBroken(OSError):
    """The other side closed its end: nothing can be written any more."""


class LineReader:
    """Reads lines from a descriptor, in order, until the other side closes it.

    Reading starts at once, before there is an event loop; `line` must then be called from one loop only.
    `on_end` is called in the reading thread when the other side has closed the pipe; its argument says
    whether lines are still waiting to be taken.
    """

    def __init__(
        self,
        descriptor: int,
        on_end: Callable[[bool], None] = lambda _waiting: None,
        *,
        most_unread_bytes: int = MOST_UNREAD_BYTES,
        most_line_bytes: int = MOST_LINE_BYTES,
    ) -> None:
        self._descriptor = descriptor
        self._on_end = on_end
        self._most_unread_bytes = most_unread_bytes
        self._most_line_bytes = most_line_bytes
        self._changed = threading.Condition()
        self._lines: deque[bytes] = deque()
        self._unread_bytes = 0
        self._ended = False
        self._taker: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        threading.Thread(target=self._read, name="stdin", daemon=True).start()

    async def line(self) -> bytes | None:
        """The next line without its end, None once the other side closed the pipe and all were taken."""
        if self._taker is None:
            self._taker = asyncio.get_running_loop(), asyncio.Event()
        arrived = self._taker[1]
        while True:
            arrived.clear()
            with self._changed:
                if self._lines:
                    line = self._lines.popleft()
                    self._unread_bytes -= len(line)
                    self._changed.notify()
                    return line
                if self._ended:
                    return None
            await arrived.wait()

    def _read(self) -> None:
        pending: list[bytes] = []
        pending_bytes = 0
        while chunk := self._chunk():
            first, *others = chunk.split(b"\n")
            pending.append(first)
            pending_bytes += len(first)
            if pending_bytes > self._most_line_bytes:
                # An endless line is read and forgotten, but still counted, so that what comes before its
                # end is known to belong to it.
                pending = []
            if not others:
                continue
            *whole, rest = others
            lines = [(pending_bytes, b"".join(pending)), *((len(line), line) for line in whole)]
            pending, pending_bytes = [rest], len(rest)
            self._hand_over([line for length, line in lines if self._is_wanted(length, line)])
        with self._changed:
            self._ended = True
            waiting = bool(self._lines)
        self._wake_taker()
        self._on_end(waiting)

    def _chunk(self) -> bytes:
        try:
            return os.read(self._descriptor, CHUNK_BYTES)
        except OSError:
            return b""

    def _is_wanted(self, length: int, line: bytes) -> bool:
        if length > self._most_line_bytes:
            logger.warning("Skipped a line of %d bytes on stdin.", length)
            return False
        return bool(line.strip())

    def _hand_over(self, lines: list[bytes]) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._unread_bytes <= self._most_unread_bytes)
            self._lines.extend(lines)
            self._unread_bytes += sum(map(len, lines))
        self._wake_taker()

    def _wake_taker(self) -> None:
        if self._taker is not None:
            loop, arrived = self._taker
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(arrived.set)


class LineWriter:
    """Writes lines to a descriptor in the order they were queued, from a thread of its own.

    `on_broken` is called in the writing thread, once, when the other side is gone.
    """

    def __init__(
        self,
        descriptor: int,
        on_broken: Callable[[], None] = lambda: None,
        *,
        most_unwritten_bytes: int = MOST_UNWRITTEN_BYTES,
    ) -> None:
        self._descriptor = descriptor
        self._on_broken = on_broken
        self._most_unwritten_bytes = most_unwritten_bytes
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._queued_bytes = 0
        self._written_bytes = 0
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._turn = asyncio.Lock()
        self._broken = False
        self._closed = False
        threading.Thread(target=self._write, name="stdout", daemon=True).start()

    @property
    def is_broken(self) -> bool:
        """Whether the other side is known to be gone."""
        return self._broken

    async def write(self, line: bytes) -> None:
        """Queue one line, with its end. Waits while the queue is full; the first to come goes first.

        Raises:
            PipeBroken: the other side is gone.
        """
        async with self._turn:
            room_at = self._queued_bytes + len(line) - self._most_unwritten_bytes
            if room_at > self._written_bytes:
                # A line that is longer than the whole queue goes as soon as the queue is empty.
                await self._until_written(min(room_at, self._queued_bytes))
            if self._broken:
                raise PipeBroken("the client closed the pipe")
            self._queued_bytes += len(line)
            self._queue.put(line)

    async def drained(self) -> None:
        """Return once everything queued so far is in the pipe; never when the other side is gone first."""
        await self._until_written(self._queued_bytes)
        if self._broken:
            await self._loop.create_future()

    def close(self) -> None:
        """Let the thread end once everything queued is written; nothing may be queued any more."""
        self._queue.put(None)

    async def _until_written(self, target_bytes: int) -> None:
        if self._broken or self._written_bytes >= target_bytes:
            return
        future = self._loop.create_future()
        self._waiting.append((target_bytes, future))
        await future

    def _write(self) -> None:
        while batch := self._next_batch():
            if not self._put(b"".join(batch)):
                return

    def _next_batch(self) -> list[bytes]:
        """Whatever waits, up to the size of one write; empty after `close`."""
        batch: list[bytes] = []
        size = 0
        while size < CHUNK_BYTES and not self._closed:
            try:
                line = self._queue.get(block=not batch)
            except queue.Empty:
                break
            if line is None:
                self._closed = True
            else:
                batch.append(line)
                size += len(line)
        return batch

    def _put(self, data: bytes) -> bool:
        """Write everything and tell the event loop; False when there is nobody to write to or to tell."""
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._descriptor, view) :]
            self._loop.call_soon_threadsafe(self._progress, len(data))
        except OSError:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._break)
            self._on_broken()
            return False
        except RuntimeError:  # the loop is closed: nobody waits any more
            return False
        return True

    def _progress(self, size: int) -> None:
        self._written_bytes += size
        reached = [one for one in self._waiting if one[0] <= self._written_bytes]
        for one in reached:
            self._waiting.remove(one)
            _wake(one[1])

    def _break(self) -> None:
        self._broken = True
        for _, future in self._waiting:
            _wake(future)
        self._waiting.clear()


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
