"""One `serve` process, this end of its pipes, and the moment at which everything came out of them.

A thread does nothing but read: the time of a line is taken when the `read` that completed it returned,
before anything is decoded.
"""

import array
import fcntl
import json
import os
import subprocess
import sys
import termios
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from bench.figures import NotMeasured
from bench.telegram import PATIENCE_S

SERVE: Sequence[str] = (sys.executable, "-m", "telegram_channel", "serve")
EVENT = "notifications/claude/channel"
REQUEST = "notifications/claude/channel/permission_request"
VERDICT = "notifications/claude/channel/permission"
_INFO = {"name": "claude-code", "version": "2.1.328"}
_ENVELOPE = "io.modelcontextprotocol/"
_DISCOVER = {
    "_meta": {
        f"{_ENVELOPE}protocolVersion": "2026-07-28",
        f"{_ENVELOPE}clientInfo": _INFO,
        f"{_ENVELOPE}clientCapabilities": {},
    }
}
_INITIALIZE = {"protocolVersion": "2025-11-25", "clientInfo": _INFO, "capabilities": {"roots": {"listChanged": True}}}
_READ_BYTES = 1 << 16

now_s = time.perf_counter
"""The clock of everything that is stamped here."""


@dataclass(frozen=True, slots=True)
class Received:
    """One message of the server and when it had arrived (`now_s`)."""

    at: float
    message: dict[str, Any]

    @property
    def text(self) -> str | None:
        """The content of an event; None for anything else."""
        return self.message["params"]["content"] if self.message.get("method") == EVENT else None

    @property
    def redelivered(self) -> bool:
        """Whether the event says that it may have been given before."""
        return bool(self.message["params"]["meta"].get("redelivered") == "true")


def _line(**message: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n"


class Client:
    """A server process from its start to its end, as a context."""

    def __init__(self, environment: Mapping[str, str], log: Path, command: Sequence[str] = SERVE) -> None:
        """Starts the process; `log` takes its stderr."""
        self._log = log
        self._arrived = threading.Condition()
        self._chunks: deque[tuple[float, bytes]] = deque()
        self._rest = b""
        self._lines = 0
        self._ended = False
        self._may_read = threading.Event()
        self._may_read.set()
        self._next_id = 0
        self.asked_at = 0.0
        """The moment before the newest request was written, in one write (`now_s`)."""
        self.received: list[Received] = []
        with log.open("ab") as errors:
            self.started_at = now_s()
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=environment, bufsize=0
            )
        assert self.process.stdin
        assert self.process.stdout
        self._stdin, self._stdout = self.process.stdin, self.process.stdout
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._stdin.close()
        self._stdout.close()

    # What the client says

    def initialize(self, *, discover: bool = True) -> Received:
        """Ask as clients from 2.1.300 on do (`server/discover` first); returns the answer to `initialize`."""
        if discover:
            self.request("server/discover", _DISCOVER)
        return self.request("initialize", _INITIALIZE)

    def shake_hands(self) -> None:
        """Complete the handshake and list the tools."""
        self.initialize()
        self.send(method="notifications/initialized")
        self.request("tools/list", {})

    def call(self, tool: str, **arguments: object) -> int:
        """Call a tool; returns the id of the call."""
        return self.ask("tools/call", {"name": tool, "arguments": arguments})

    def ask_permission(self, request_id: str) -> None:
        """Relay a permission dialog."""
        self.send(
            method=REQUEST,
            params={
                "request_id": request_id,
                "tool_name": "Bash",
                "description": "Run the tests",
                "input_preview": '{"command": "pytest -q"}',
            },
        )

    def request(self, method: str, params: Mapping[str, object]) -> Received:
        """Send a request and wait for its answer."""
        return self.answer(self.ask(method, params))

    def ask(self, method: str, params: Mapping[str, object]) -> int:
        """Send a request; returns its id."""
        self._next_id += 1
        line = _line(id=self._next_id, method=method, params=params)
        self.asked_at = now_s()
        os.write(self._stdin.fileno(), line)
        return self._next_id

    def send(self, **message: object) -> None:
        """Write one message, in one write."""
        os.write(self._stdin.fileno(), _line(**message))

    def hang_up(self) -> None:
        """Close the server's stdin."""
        self._stdin.close()

    # What the server says

    def answer(self, number: int) -> Received:
        """The answer to a request."""
        return self.first(lambda one: one.message.get("id") == number and "method" not in one.message, f"#{number}")

    def event(self, text: str) -> Received:
        """The first event with exactly this content."""
        return self.first(lambda one: one.text == text, f"the event {text!r}")

    def verdict(self, request_id: str) -> Received:
        """The first verdict on a request."""
        return self.first(
            lambda one: one.message.get("method") == VERDICT and one.message["params"]["request_id"] == request_id,
            f"the verdict on {request_id}",
        )

    def first(self, matches: Callable[[Received], bool], what: str, patience_s: float = PATIENCE_S) -> Received:
        """Wait for the first message that matches.

        Raises:
            NotMeasured: it did not come.
        """
        looked_at = 0
        deadline = time.monotonic() + patience_s
        while True:
            self.decode()
            for one in self.received[looked_at:]:
                if matches(one):
                    return one
            looked_at = len(self.received)
            with self._arrived:
                if not self._chunks and (
                    self._ended or not self._arrived.wait(timeout=max(0.0, deadline - time.monotonic()))
                ):
                    raise NotMeasured(f"{what} did not come: {self._last_words()}")

    def until_lines(self, count: int, patience_s: float = PATIENCE_S) -> None:
        """Wait until the server has written so many lines in all; costs nothing while it writes."""
        deadline = time.monotonic() + patience_s
        while self._lines < count:
            if self._ended or time.monotonic() > deadline:
                raise NotMeasured(f"{self._lines} of {count} lines came: {self._last_words()}")
            time.sleep(0.02)

    @property
    def lines(self) -> int:
        """How many lines the server has written so far."""
        return self._lines

    @property
    def events(self) -> list[Received]:
        """Every event so far, in order."""
        self.decode()
        return [one for one in self.received if one.text is not None]

    def decode(self) -> None:
        """Turn what has arrived into messages."""
        while self._chunks:
            at, chunk = self._chunks.popleft()
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            self.received.extend(Received(at, json.loads(line)) for line in lines)

    # A client that does not read

    def stop_reading(self) -> None:
        """Leave the pipe alone; the reading thread takes one more chunk, then stops."""
        self._may_read.clear()

    def unread_bytes(self) -> int:
        """How much waits in the pipe."""
        waiting = array.array("i", [0])
        fcntl.ioctl(self._stdout.fileno(), termios.FIONREAD, waiting)
        return waiting[0]

    # The end

    def signal(self, number: int) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def gone_at(self, patience_s: float = 5.0) -> float:
        """Wait for the end of the process; returns when the kernel reported it (`now_s`).

        Raises:
            NotMeasured: it had to be killed.
        """
        watchdog = threading.Timer(patience_s, self.process.kill)
        watchdog.start()
        os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOWAIT)
        at = now_s()
        watchdog.cancel()
        if self.process.wait() < 0:
            raise NotMeasured(f"the server was ended by signal {-self.process.returncode}: {self._last_words()}")
        return at

    def kill(self) -> None:
        """kill -9; what is left in the pipe is still read."""
        self.process.kill()
        self.process.wait()
        self._may_read.set()
        self._reader.join(PATIENCE_S)

    def _read(self) -> None:
        descriptor = self._stdout.fileno()
        while True:
            self._may_read.wait()
            chunk = os.read(descriptor, _READ_BYTES)
            at = now_s()
            with self._arrived:
                if chunk:
                    self._chunks.append((at, chunk))
                    self._lines += chunk.count(b"\n")
                else:
                    self._ended = True
                self._arrived.notify()
            if not chunk:
                return

    def _last_words(self) -> str:
        words = self._log.read_text("utf-8", "replace").strip()[-600:]
        return " | ".join(words.splitlines()) or "nothing on stderr"
