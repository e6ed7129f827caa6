"""The emulator over real HTTP, on this machine only: `/bot<token>/<method>`, `/file/bot<token>/<path>`, `/control/…`.

A small HTTP/1.1 server of its own (keep-alive, Content-Length, `100 Continue`): a call that needs no waiting
is answered in the same step in which its last byte arrived, and closing takes no time whatever is waiting.

`python -m telegram_channel.demo.http --port 8081` serves until SIGTERM or until its standard input ends.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from typing import Final, Self

from telegram_channel.demo.botapi import BotApi
from telegram_channel.demo.botapi_checks import MOST_UPLOAD_BYTES
from telegram_channel.demo.botapi_control import CHANGING, Control
from telegram_channel.demo.botapi_faults import Faults
from telegram_channel.demo.botapi_shell import Dropped, Exchange, Now
from telegram_channel.demo.botapi_wire import (
    NOT_FOUND,
    TOO_LARGE,
    Answer,
    ControlPath,
    FilePath,
    MethodPath,
    OtherPath,
    Refused,
    answer_refused,
    read_fields,
    read_path,
)

HOST: Final = "127.0.0.1"
MOST_HEAD_BYTES: Final = 64 * 1024
MOST_BODY_BYTES: Final = MOST_UPLOAD_BYTES + (1 << 20)
LONGEST_WAIT_S: Final = 60.0
DEMO_TOKEN: Final = "100000001:demo-only-not-a-secret"  # noqa: S105 - valid nowhere but here
_REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    411: "Length Required",
    413: "Request Entity Too Large",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    502: "Bad Gateway",
}


class Emulator:
    """A running server: `async with Emulator(api) as emulator: emulator.base_url`."""

    def __init__(self, api: BotApi, *, port: int = 0, faults: Faults | None = None, now: Now = time.time) -> None:
        self.api = api
        self.faults = faults or Faults()
        self.exchange = Exchange(api, self.faults, now)
        self.control = Control(api, self.faults, now)
        self.connections: set[_Connection] = set()
        self.is_deserted = asyncio.Event()
        """Set when the last connection is gone."""
        self._wanted_port = port
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), HOST, self._wanted_port)

    async def stop(self) -> None:
        """Stop listening and end every connection, waiting ones included, at once."""
        if self._server is None:
            return
        self._server.close()
        tasks = [connection.end() for connection in tuple(self.connections)]
        await asyncio.gather(*(task for task in tasks if task), return_exceptions=True)
        if self.connections:
            self.is_deserted = asyncio.Event()
            await self.is_deserted.wait()  # each leaves in the loop's next round
        self._server = None

    @property
    def port(self) -> int:
        """Where it listens."""
        if self._server is None:
            raise RuntimeError("the emulator is not running")
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def base_url(self) -> str:
        """For TELEGRAM_API_BASE."""
        return f"http://{HOST}:{self.port}"


class _Connection(asyncio.Protocol):
    """One connection: requests in, answers out, one at a time, in order."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._task: asyncio.Task[None] | None = None
        self._was_told_to_continue = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a stream is needed")
        self._transport = transport
        self._emulator.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio calls it so
        self._emulator.connections.discard(self)
        if not self._emulator.connections:
            self._emulator.is_deserted.set()
        self.end()

    def end(self) -> "asyncio.Task[None] | None":
        """Hang up; the task that was working on an answer, if any."""
        if self._transport:
            self._transport.abort()
            self._transport = None
        if self._task:
            self._task.cancel()
        return self._task

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._work()

    def _work(self) -> None:
        """Answer what is complete in the buffer, until something must be waited for."""
        while self._transport and not self._transport.is_closing() and self._task is None:
            try:
                request = self._take_request()
            except Refused as refused:
                self._write(answer_refused(refused.status, refused.description), last=True)
                return
            if request is None:
                return
            answer = self._answer_at_once(request)
            if answer:
                self._write(answer, last=request.is_last)
            else:
                self._task = asyncio.ensure_future(self._answer_later(request))

    def _take_request(self) -> "_Request | None":
        """The first complete request of the buffer. Raises Refused for one that cannot be answered."""
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MOST_HEAD_BYTES:
                raise Refused(431, "Request Header Fields Too Large")
            return None
        request = _Request(bytes(self._buffer[:end]))
        if len(self._buffer) < end + 4 + request.length:
            if request.headers.get("expect", "").lower() == "100-continue" and not self._was_told_to_continue:
                self._was_told_to_continue = True
                self._send(b"HTTP/1.1 100 Continue\r\n\r\n")
            return None
        self._was_told_to_continue = False
        request.body = bytes(self._buffer[end + 4 : end + 4 + request.length])
        del self._buffer[: end + 4 + request.length]
        return request

    def _answer_at_once(self, request: "_Request") -> Answer | None:
        target = read_path(request.path)
        match target:
            case MethodPath() | FilePath():
                return self._emulator.exchange.at_once(target, request.query, request.kind, request.body)
            case ControlPath():
                return self._answer_control(target, request)
            case OtherPath():
                return NOT_FOUND

    def _answer_control(self, target: ControlPath, request: "_Request") -> Answer | None:
        """Programs on this machine may control the emulator; web pages, whatever their name, may not."""
        host = request.headers.get("host", "").rpartition(":")[0]
        origin = request.headers.get("origin", "")
        if host not in {HOST, "localhost"} or origin not in {"", f"http://{request.headers.get('host')}"}:
            return answer_refused(403, "Forbidden: only programs on this machine")
        if (
            request.method != "POST"
            and target.name in CHANGING
            and (request.query or target.name not in {"people", "fault"})
        ):
            return answer_refused(405, "Method Not Allowed: use POST")
        try:
            fields = read_fields(request.query, request.kind, request.body)
        except Refused as refused:
            return answer_refused(refused.status, refused.description)
        if target.name == "sent" and fields.values.get("wait"):
            return None
        return self._emulator.control.answer(target.name, fields)

    async def _answer_later(self, request: "_Request") -> None:
        target = read_path(request.path)
        try:
            if isinstance(target, MethodPath | FilePath):
                answer = await self._emulator.exchange.answer(target, request.query, request.kind, request.body)
            else:
                answer = await self._wait_for_acts(request)
        except Dropped:
            if self._transport:
                self._transport.abort()
            return
        self._task = None
        self._write(answer, last=request.is_last)
        self._work()

    async def _wait_for_acts(self, request: "_Request") -> Answer:
        """`/control/sent?after=N&wait=S`: as soon as there is anything after N, at the latest after S seconds."""
        fields = read_fields(request.query, request.kind, request.body)
        changed = asyncio.Event()
        listeners = self._emulator.api.world.listeners
        listeners.append(changed.set)
        try:
            with contextlib.suppress(TimeoutError, ValueError):
                async with asyncio.timeout(min(float(fields.values["wait"]), LONGEST_WAIT_S)):
                    while not self._emulator.control.answer("sent", fields).result:
                        changed.clear()
                        await changed.wait()
            return self._emulator.control.answer("sent", fields)
        finally:
            listeners.remove(changed.set)

    def _write(self, answer: Answer, *, last: bool) -> None:
        head = (
            f"HTTP/1.1 {answer.status} {_REASONS.get(answer.status, 'Unknown')}\r\n"
            f"Content-Type: {answer.content_type}\r\nContent-Length: {len(answer.body)}\r\n\r\n"
        )
        self._send(head.encode("latin-1") + answer.body)
        if last and self._transport:
            self._transport.close()

    def _send(self, data: bytes) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(data)


class _Request:
    """The head of a request, read; the body is added when it is there."""

    def __init__(self, head: bytes) -> None:
        first, *lines = head.decode("latin-1").split("\r\n")
        parts = first.split(" ")
        if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
            raise Refused(400, "Bad Request: not HTTP/1.1")
        self.method = parts[0].upper()
        self.path, _, self.query = parts[1].partition("?")
        self.headers: Mapping[str, str] = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
        }
        if "transfer-encoding" in self.headers:
            raise Refused(411, "Length Required")
        length = self.headers.get("content-length", "0")
        if not length.isdecimal():
            raise Refused(400, "Bad Request: wrong Content-Length")
        self.length = int(length)
        if self.length > MOST_BODY_BYTES:
            raise Refused(TOO_LARGE.status, TOO_LARGE.description)
        self.body = b""
        self.is_last = parts[2] == "HTTP/1.0" or self.headers.get("connection", "").lower() == "close"

    @property
    def kind(self) -> str:
        """The content type."""
        return self.headers.get("content-type", "")


async def serve(port: int, token: str, people: list[str]) -> None:
    """Run until SIGTERM, SIGINT or the end of standard input; one line on stdout says that it is ready."""
    api = BotApi()
    bot = api.add_bot(token)
    for name in people:
        api.add_person(name, username=name.lower())
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):  # Windows: the end of stdin remains
            loop.add_signal_handler(number, stop.set)

    def watch_stdin() -> None:
        # os.read and not sys.stdin: a thread inside a buffered read would hold up the interpreter's end.
        with contextlib.suppress(OSError):
            while os.read(0, 4096):
                pass
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(stop.set)

    async with Emulator(api, port=port) as emulator:
        ready = {"base_url": emulator.base_url, "token": token, "bot": bot.id}
        sys.stdout.write(json.dumps(ready | {"people": [one.view() for one in api.world.people.values()]}) + "\n")
        sys.stdout.flush()
        threading.Thread(target=watch_stdin, daemon=True).start()
        await stop.wait()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m telegram_channel.demo.http", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes any free one (default)")
    parser.add_argument("--token", default=DEMO_TOKEN, help="the bot's token; its id is the number in front")
    parser.add_argument("--person", action="append", help="a first name; may be given again (default: Ada)")
    chosen = parser.parse_args()
    asyncio.run(serve(chosen.port, chosen.token, chosen.person or ["Ada"]))


if __name__ == "__main__":
    main()
