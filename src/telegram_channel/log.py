"""Where the server's log goes, and that no secret is ever in it.

Warnings go to stderr, which Claude Code keeps in its own debug log. Everything from INFO up goes to a file
in the state directory too, once `open_file` has named it: never before the handshake. Redaction is part
of formatting, the last step before a line is written, so it covers arguments, exceptions and their causes
alike, whoever logged them.

Lines are written by a thread of each handler. A full disk, a read-only directory or a client that does not
read our stderr costs log lines and nothing else.
"""

import contextlib
import logging
import os
import queue
import re
import sys
import threading
from pathlib import Path
from types import TracebackType

MOST_FILE_BYTES = 1_000_000
KEPT_FILES = 3
"""The file itself and two older ones."""
MOST_WAITING_LINES = 1000
"""More than this waits for nobody: newer lines are lost."""

HIDDEN = "[hidden]"
_TOKEN = re.compile(r"\d+(?::|%3[Aa])[\w-]{30,}")
"""A bot token as @BotFather writes it, also inside a URL."""
_SHORTEST_SECRET = 8
"""A shorter literal would hide ordinary words."""

_secrets: set[str] = set()


def hide(secret: str) -> None:
    """Never let this text, or the part after its colon, be logged."""
    for part in (secret, secret.partition(":")[2]):
        if len(part) >= _SHORTEST_SECRET:
            _secrets.add(part)


def redact(text: str) -> str:
    """The text without any bot token and without anything given to `hide`."""
    # The longest first: a secret may contain another one.
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return _TOKEN.sub(HIDDEN, text)


class RedactingFormatter(logging.Formatter):
    """Formats a record, its exception with all causes included, and then hides what is secret."""

    def format(self, record: logging.LogRecord) -> str:
        """The line or lines to write."""
        return redact(super().format(record))


class _ThreadedHandler(logging.Handler):
    """Formats in the caller's thread and writes in its own; the caller never waits."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.setFormatter(RedactingFormatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
        self._lines: queue.Queue[str] = queue.Queue(MOST_WAITING_LINES)
        self._started = False

    def emit(self, record: logging.LogRecord) -> None:
        """Queue the record's text. A fault in a log call is nobody's business."""
        with contextlib.suppress(Exception):
            self._lines.put_nowait(self.format(record))
            if not self._started:
                self._started = True
                threading.Thread(target=self._write_all, name="log", daemon=True).start()

    def wait_written(self, timeout_s: float) -> bool:
        """Return once everything queued so far is written, or after `timeout_s`; says whether it was."""
        with self._lines.all_tasks_done:
            return self._lines.all_tasks_done.wait_for(lambda: not self._lines.unfinished_tasks, timeout_s)

    def _write_all(self) -> None:
        while True:
            line = self._lines.get()
            with contextlib.suppress(Exception):
                self.write(line + "\n")
            self._lines.task_done()

    def write(self, text: str) -> None:
        raise NotImplementedError


class _StderrHandler(_ThreadedHandler):
    def write(self, text: str) -> None:
        if sys.stderr is not None:
            sys.stderr.write(text)
            sys.stderr.flush()


class FileHandler(_ThreadedHandler):
    """Appends to a file that several processes share, and moves it aside when it has grown too long.

    The file is opened for each line: so whoever writes next writes to the new file after any process has
    moved the old one, and nobody holds it open where that would prevent the move.
    """

    def __init__(self, path: Path, most_bytes: int = MOST_FILE_BYTES, kept: int = KEPT_FILES) -> None:
        super().__init__(logging.INFO)
        self._path = path
        self._most_bytes = most_bytes
        self._kept = kept

    def write(self, text: str) -> None:
        """Append the text; the file is readable by its owner only."""
        data = text.encode("utf-8", "replace")
        with contextlib.suppress(OSError):
            self._make_room(len(data))
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, data)
        finally:
            os.close(descriptor)

    def _make_room(self, size: int) -> None:
        if self._path.stat().st_size + size <= self._most_bytes:
            return
        for number in range(self._kept - 1, 0, -1):
            newer = self._numbered(number - 1)
            if newer.exists():
                newer.replace(self._numbered(number))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}") if number else self._path


def start() -> None:
    """Log warnings to stderr from now on, and quieten libraries that log every request."""
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    root.addHandler(_StderrHandler(logging.WARNING))
    for name in ("httpx", "httpcore", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("telegram").setLevel(logging.INFO)
    logging.raiseExceptions = False
    # What nobody catches is printed as it is otherwise, with whatever its message holds.
    sys.excepthook = lambda kind, error, trace: _uncaught(kind, error, trace, "the main thread")
    threading.excepthook = lambda one: _uncaught(
        one.exc_type, one.exc_value, one.exc_traceback, one.thread.name if one.thread else "a thread"
    )


def _uncaught(
    kind: type[BaseException], error: BaseException | None, trace: TracebackType | None, where: str
) -> None:
    if issubclass(kind, Exception):
        logging.getLogger(__name__).error("Uncaught in %s.", where, exc_info=(kind, error or kind(), trace))


def open_file(path: Path) -> None:
    """Log to this file, too; its directory may be missing or become writable later."""
    logging.getLogger().addHandler(FileHandler(path))


def flush(timeout_s: float) -> None:
    """Wait until what was logged so far is written, `timeout_s` at most for each place."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, _ThreadedHandler):
            handler.wait_written(timeout_s)
