"""`serve`: the MCP server of one session, over stdin and stdout.

Everything here is in the order in which it must happen:

1. The two pipes are taken away from descriptors 0 and 1, so that no print, no library and no child can
   ever write to the wire or read from it.
2. From then on any signal, and the end of input, ends the process within `EXIT_WITHIN_S`, whatever state
   it is in: a thread of its own sees to that.
3. Only then is anything loaded: first what answers the handshake, and nothing else.
4. The bridge (settings, store, chat platform) is loaded when the client has completed the handshake.
   Before that there is no file, no lock and no network.

The process ends by `os._exit`: threads that wait for a pipe or a server hold up nobody.
"""

import contextlib
import gc
import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from telegram_channel.claude.late import App
    from telegram_channel.claude.pipe import LineReader
    from telegram_channel.ports import Session, SessionListener

APP = "telegram_channel.app"
SERVER = "telegram_channel.claude.server"
EXIT_WITHIN_S = 0.085
LEAVE_WITHIN_S = 0.05
"""How long the bridge may take to let go of what it holds."""
ANSWER_WITHIN_S = 2.0
"""How long lines that came before the end of input may take to be answered."""
LOG_WITHIN_S = 0.01

_INPUT_ENDED, _OUTPUT_BROKEN = b"\0", b"\xff"
"""Reasons to end besides the number of a signal."""


def main(argv: Sequence[str], app: str = APP) -> int:
    """Serve until the client leaves; returns only when it cannot even begin.

    `app` names the module that offers `claude.late.App`.
    """
    stdin, stdout = _claim_streams()
    if argv:
        sys.stderr.write("usage: telegram-channel serve (Claude Code starts it; it takes no arguments)\n")
        return 2
    ending = Ending()
    # Nothing that is imported is garbage; looking for some costs a tenth of the start.
    gc.disable()
    from telegram_channel.claude.pipe import LineReader

    _run(LineReader(stdin, ending.input_ended), stdout, ending, app)
    return 0


def _claim_streams() -> tuple[int, int]:
    """Private descriptors of the wire; 0 and 1 then lead to nothing and to stderr."""
    # A standard stream may be closed, and its number would be given to the next file.
    while (spare := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    stdin, stdout = os.dup(0), os.dup(1)
    if sys.platform == "win32":
        import msvcrt

        msvcrt.setmode(stdin, os.O_BINARY)
        msvcrt.setmode(stdout, os.O_BINARY)
    else:
        # Whoever started us may have left the pipes in another mode.
        os.set_blocking(stdin, True)
        os.set_blocking(stdout, True)
    os.dup2(spare, 0)
    os.dup2(2, 1)
    os.close(spare)
    sys.stdout = sys.stderr
    return stdin, stdout


class Ending:
    """Ends the process in time, whatever the main thread is doing.

    Signals reach its thread through a pipe that the interpreter's own handler writes to, so they work
    while the main thread is busy in C.
    """

    def __init__(self) -> None:
        self._stop: Callable[[], Any] | None = None
        wake, self._wake = os.pipe()
        threading.Thread(target=self._watch, args=(wake,), name="ending", daemon=True).start()
        for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
            if number := getattr(signal, name, None):
                signal.signal(number, self._signalled)
        if sys.platform != "win32":  # there the event loop sets one of its own
            os.set_blocking(self._wake, False)
            signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)

    def loop_runs(self, stop: Callable[[], Any]) -> None:
        """From now on the process is asked to stop before it is ended; `stop` is called in a thread."""
        self._stop = stop

    def input_ended(self, lines_waiting: bool) -> None:
        """Called in the reading thread when the client has closed its end."""
        if lines_waiting:
            # They came in time to be answered; the loop leaves by itself once it has taken them.
            time.sleep(ANSWER_WITHIN_S)
        self._tell(_INPUT_ENDED)

    def output_broken(self) -> None:
        """Called in the writing thread when the client does not listen any more."""
        self._tell(_OUTPUT_BROKEN)

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        self._tell(bytes([number]))

    def _tell(self, reason: bytes) -> None:
        with contextlib.suppress(OSError):  # the pipe is full: it was told before
            os.write(self._wake, reason)

    def _watch(self, wake: int) -> None:
        reason = os.read(wake, 1)
        if self._stop is None:
            os._exit(0)
        if reason != _INPUT_ENDED:
            self._stop()
        time.sleep(EXIT_WITHIN_S)
        os._exit(0)


def _run(reader: "LineReader", stdout: int, ending: Ending, app: str) -> None:
    import asyncio
    import logging

    from telegram_channel import log

    log.start()
    status = 0
    try:
        asyncio.new_event_loop().run_until_complete(_session(reader, stdout, ending, app))
    except Exception:
        logging.getLogger(__name__).exception("The server failed.")
        status = 1
    log.flush(LOG_WITHIN_S)
    os._exit(status)


async def _session(reader: "LineReader", stdout: int, ending: Ending, app: str) -> None:
    server = load_server()

    import asyncio
    import secrets

    from telegram_channel import __version__
    from telegram_channel.claude.late import LateBridge
    from telegram_channel.claude.pipe import LineWriter
    from telegram_channel.core.ids import SessionId

    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    ending.loop_runs(lambda: loop.call_soon_threadsafe(stop.set))
    bridges: list[LateBridge] = []

    def load_app() -> "App":
        return cast("App", importlib.import_module(app))

    def attach(session: "Session") -> "SessionListener":
        bridges.append(LateBridge(session, load_app, stop, _collect_garbage_again))
        return bridges[0]

    await server.serve(
        reader,
        LineWriter(stdout, ending.output_broken),
        attach,
        session=SessionId(os.environ.get("CLAUDE_CODE_SESSION_ID") or secrets.token_hex(8)),
        version=__version__,
        instructions=(Path(__file__).parents[1] / "bridge" / "instructions.md").read_text("utf-8"),
        stop=stop,
    )
    await bridges[0].left(LEAVE_WITHIN_S)


def load_server(lean: "Callable[[], AbstractContextManager[None]] | None" = None) -> Any:
    """The module `claude.server`, with as little of the SDK as it takes; if that fails, with all of it.

    `lean` is `claude.lean.lean_sdk` unless another way is given.
    """
    from telegram_channel.claude.lean import lean_sdk

    try:
        with (lean or lean_sdk)():
            return importlib.import_module(SERVER)
    except Exception as fault:
        import logging

        logging.getLogger(__name__).warning("Starting slowly: the SDK is not as expected (%r).", fault)
        return importlib.import_module(SERVER)


def _collect_garbage_again() -> None:
    gc.freeze()
    gc.enable()
