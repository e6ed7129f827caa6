"""No secret is ever logged, and no trouble with the log disturbs the server."""

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telegram_channel import log

TOKEN = "123456789:AAF-abcdefghijklmnopqrstuvwxyz_01234"
SECRET = TOKEN.partition(":")[2]
LONG_ENOUGH_S = 5.0


@pytest.fixture
def logger(tmp_path: Path) -> Iterator[tuple[logging.Logger, log.FileHandler, Path]]:
    path = tmp_path / "some.log"
    handler = log.FileHandler(path, most_bytes=20_000)
    logger = logging.getLogger(f"test.{tmp_path.name}")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    yield logger, handler, path
    logger.removeHandler(handler)


def written(handler: log.FileHandler, path: Path) -> str:
    assert handler.wait_written(LONG_ENOUGH_S)
    return path.read_text("utf-8")


def nested_error() -> RuntimeError:
    error = RuntimeError(f"on top: {TOKEN!r}")
    error.add_note(f"a note: {TOKEN}")
    error.__cause__ = KeyError(f"https://api.example/bot{TOKEN}/getMe")
    error.__cause__.__context__ = ValueError(f"cause: {TOKEN}")
    return error


def test_no_way_of_logging_lets_the_token_through(
    logger: tuple[logging.Logger, log.FileHandler, Path],
) -> None:
    """MUST L1: the token is never logged: not in messages, arguments, exceptions, causes or notes."""
    to, handler, path = logger
    to.warning(f"in the message {TOKEN}")
    to.warning("as an argument %s and %r", TOKEN, {"url": f"https://x/bot{TOKEN}/sendMessage"})
    to.warning("in bytes %s", TOKEN.encode())
    to.warning("in a URL %s", TOKEN.replace(":", "%3A"))
    try:
        raise nested_error()
    except RuntimeError:
        to.exception("in an exception")
    to.warning("with the stack %s", TOKEN, stack_info=True)
    text = written(handler, path)
    assert TOKEN not in text
    assert SECRET not in text
    assert text.count(log.HIDDEN) >= 9
    for kept in ("in the message", "on top", "a note", "getMe", "cause", "Traceback"):
        assert kept in text


@given(
    st.integers(1, 10**12),
    st.text("abcXYZ019-_", min_size=30, max_size=60),
    st.text("é ./@\n"),
    st.text("é ./@\n"),
)
def test_whatever_looks_like_a_token_is_hidden(bot: int, secret: str, before: str, after: str) -> None:
    assert secret not in log.redact(f"{before} {bot}:{secret} {after}")


def test_a_secret_of_another_shape_is_hidden_once_it_is_known() -> None:
    odd = "42:test-short_one"
    log.hide(odd)
    assert log.redact(f"a {odd} b") == f"a {log.HIDDEN} b"
    assert log.redact("half of it: test-short_one") == f"half of it: {log.HIDDEN}"


@pytest.mark.parametrize("text", ["12:30", "chat 1001: hello", "2026-01-02T03:04:05", "port:8080", "a:b"])
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert log.redact(text) == text


def test_the_file_is_for_its_owner_only(logger: tuple[logging.Logger, log.FileHandler, Path]) -> None:
    to, handler, path = logger
    to.info("hello")
    assert "hello" in written(handler, path)
    assert path.stat().st_mode & 0o77 == 0


def test_a_file_that_grew_is_moved_aside_and_the_oldest_forgotten(
    logger: tuple[logging.Logger, log.FileHandler, Path],
) -> None:
    """MUST L2: the log never grows beyond its bound."""
    to, handler, path = logger
    for number in range(800):
        to.info("line %d %s", number, "x" * 80)
    assert "line 799" in written(handler, path)
    files = sorted(path.parent.iterdir())
    assert [one.name for one in files] == ["some.log", "some.log.1", "some.log.2"]
    assert all(one.stat().st_size <= 20_000 for one in files)


def test_processes_that_share_a_file_keep_all_lines(tmp_path: Path) -> None:
    path = tmp_path / "shared.log"
    script = (
        "import logging, sys; from pathlib import Path; from telegram_channel import log\n"
        "handler = log.FileHandler(Path(sys.argv[1])); logger = logging.getLogger('x')\n"
        "logger.setLevel(logging.INFO); logger.addHandler(handler)\n"
        "for number in range(100): logger.info('line %s %d', sys.argv[2], number)\n"
        "assert handler.wait_written(5)\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", script, str(path), name]) for name in ("a", "b", "c")]
    assert [one.wait(LONG_ENOUGH_S) for one in running] == [0, 0, 0]
    lines = path.read_text().splitlines()
    for name in ("a", "b", "c"):
        own = [line.rpartition("line ")[2] for line in lines if f"line {name} " in line]
        assert own == [f"{name} {number}" for number in range(100)]


@pytest.mark.parametrize("path", ["missing/directory/some.log", "a-directory", "\0"])
def test_a_file_that_cannot_be_written_disturbs_nobody(tmp_path: Path, path: str) -> None:
    """MUST L3: a log that cannot be written disturbs nobody."""
    (tmp_path / "a-directory").mkdir()
    handler = log.FileHandler(tmp_path / path)
    record = logging.LogRecord("x", logging.ERROR, __file__, 1, "lost", None, None)
    handler.emit(record)
    assert handler.wait_written(LONG_ENOUGH_S)
    good = log.FileHandler(tmp_path / "good.log")
    good.emit(record)
    assert "lost" in written(good, tmp_path / "good.log")


def test_a_log_call_with_wrong_arguments_disturbs_nobody(tmp_path: Path) -> None:
    handler = log.FileHandler(tmp_path / "some.log")
    handler.emit(logging.LogRecord("x", logging.ERROR, __file__, 1, "%d", ("no number",), None))
    handler.emit(logging.LogRecord("x", logging.ERROR, __file__, 1, "next", None, None))
    assert "next" in written(handler, tmp_path / "some.log")


def test_nobody_waits_for_a_place_that_takes_no_lines(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)  # opening it blocks until somebody reads
    handler = log.FileHandler(path)
    record = logging.LogRecord("x", logging.ERROR, __file__, 1, "a line", None, None)

    def emit() -> None:
        for _ in range(log.MOST_WAITING_LINES + 100):
            handler.emit(record)

    emitting = threading.Thread(target=emit, daemon=True)
    emitting.start()
    emitting.join(LONG_ENOUGH_S)
    assert not emitting.is_alive()
    assert not handler.wait_written(0.0)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    assert handler.wait_written(LONG_ENOUGH_S)
    os.close(descriptor)


def test_what_nobody_catches_is_logged_without_secrets() -> None:
    script = (
        "import threading; from telegram_channel import log; log.start()\n"
        f"def fail(): raise RuntimeError('thread {TOKEN}')\n"
        "thread = threading.Thread(target=fail); thread.start(); thread.join()\n"
        "import logging; logging.getLogger('x').info('not for stderr'); logging.getLogger('httpx').info('nor this')\n"
        "import atexit; atexit.register(log.flush, 5)\n"
        f"raise ValueError('main {TOKEN}')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=LONG_ENOUGH_S, check=False
    )
    assert "RuntimeError: thread" in done.stderr
    assert "ValueError: main" in done.stderr
    assert SECRET not in done.stderr
    assert "not for stderr" not in done.stderr
    assert done.stdout == ""
