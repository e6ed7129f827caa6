"""A client of the session side: speaks JSON-RPC over two pipes, in this process, with bounded waits."""

import asyncio
import json
import os
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from telegram_channel.claude.hooks import TOOL
from telegram_channel.claude.pipe import LineReader, LineWriter
from telegram_channel.claude.server import serve
from telegram_channel.core.hooks import HookAnswer, HookCall, NoObjection
from telegram_channel.core.ids import SessionId
from telegram_channel.core.permission import PermissionRequest
from telegram_channel.ports import Session, ToolResult, ToolSpec

LONG_ENOUGH_S = 5.0
CLIENT_INFO = {"name": "claude-code", "version": "2.1.328"}
ENVELOPE = "io.modelcontextprotocol/"
DISCOVER: Mapping[str, Any] = {
    "jsonrpc": "2.0",
    "id": "discover-1",
    "method": "server/discover",
    "params": {
        "_meta": {
            f"{ENVELOPE}protocolVersion": "2026-07-28",
            f"{ENVELOPE}clientInfo": CLIENT_INFO,
            f"{ENVELOPE}clientCapabilities": {"roots": {"listChanged": True}},
        }
    },
}
"""What clients from 2.1.300 on send before anything else."""
INITIALIZED: Mapping[str, Any] = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def initialize(revision: str = "2025-11-25", number: int | str = 1) -> dict[str, Any]:
    """The request that begins the handshake."""
    return {
        "jsonrpc": "2.0",
        "id": number,
        "method": "initialize",
        "params": {
            "protocolVersion": revision,
            "capabilities": {"roots": {"listChanged": True}},
            "clientInfo": CLIENT_INFO,
        },
    }


def request(number: int | str, method: str, **params: Any) -> dict[str, Any]:
    """Any request."""
    return {"jsonrpc": "2.0", "id": number, "method": method, **({"params": params} if params else {})}


def tool_call(number: int | str, name: str, **arguments: Any) -> dict[str, Any]:
    """A call of a tool."""
    return request(number, "tools/call", name=name, arguments=arguments)


def hook_call(number: int | str, event: str, **fields: Any) -> dict[str, Any]:
    """A call of the unlisted tool, as a hook makes it."""
    return tool_call(number, TOOL, event=event, **fields)


def cancelling(number: int | str) -> dict[str, Any]:
    """The client does not wait for an answer any more."""
    return {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": number}}


class RecordingListener:
    """Answers every tool call with its arguments, and remembers what it was told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.requests: asyncio.Queue[PermissionRequest] = asyncio.Queue()
        self.hooks: list[HookCall] = []
        self.objection: HookAnswer = NoObjection()
        self.handshakes = 0
        self.complete = asyncio.Event()
        self.listed: Sequence[ToolSpec] = [
            ToolSpec("reply", "Send a message.", {"type": "object", "properties": {"text": {"type": "string"}}})
        ]

    def tools(self) -> Sequence[ToolSpec]:
        return self.listed

    async def call_tool(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        self.calls.append((name, dict(arguments)))
        return ToolResult(f"{name} {json.dumps(dict(arguments))}")

    async def initialized(self) -> None:
        self.handshakes += 1
        self.complete.set()

    async def permission_requested(self, request: PermissionRequest) -> None:
        self.requests.put_nowait(request)

    async def hook_called(self, call: HookCall) -> HookAnswer:
        self.hooks.append(call)
        return self.objection


class Client:
    """The other side of a server that runs in this event loop."""

    def __init__(self, listener: RecordingListener) -> None:
        self.listener = listener
        self.stop = asyncio.Event()
        self.session: Session | None = None
        self.to_server_read, self._to_server = os.pipe()
        self._from_server, self.from_server_write = os.pipe()
        self._writer = LineWriter(self._to_server)
        self._reader: LineReader | None = None
        self.unread: list[dict[str, Any]] = []

    def attach(self, session: Session) -> RecordingListener:
        """What `serve` is given."""
        self.session = session
        return self.listener

    async def send(self, *messages: Mapping[str, Any]) -> None:
        """Send messages in one write."""
        await self.send_raw(b"".join(json.dumps(message).encode() + b"\n" for message in messages))

    async def send_raw(self, data: bytes) -> None:
        """Send any bytes."""
        async with asyncio.timeout(LONG_ENOUGH_S):
            await self._writer.write(data)
            await self._writer.drained()

    async def receive(self) -> dict[str, Any]:
        """The next message of the server."""
        if self._reader is None:
            self._reader = LineReader(self._from_server)
        async with asyncio.timeout(LONG_ENOUGH_S):
            line = await self._reader.line()
        assert line is not None, "the server closed its end"
        message = json.loads(line)
        assert isinstance(message, dict)
        return message

    async def answer(self, number: int | str) -> dict[str, Any]:
        """The answer to the request with this id; whatever comes before it is kept in `unread`."""
        for message in self.unread:
            if message.get("id") == number:
                self.unread.remove(message)
                return message
        while (message := await self.receive()).get("id") != number:
            self.unread.append(message)
        return message

    async def notification(self, method: str) -> Any:
        """The parameters of the next notification of this kind."""
        while True:
            message = self.unread.pop(0) if self.unread else await self.receive()
            if message.get("method") == method:
                return message["params"]

    async def shake_hands(self) -> dict[str, Any]:
        """Initialize, complete the handshake, and return the server's part of it."""
        await self.send(initialize())
        result = (await self.answer(1))["result"]
        await self.send(INITIALIZED)
        async with asyncio.timeout(LONG_ENOUGH_S):
            await self.listener.complete.wait()
        assert isinstance(result, dict)
        return result

    async def ping(self) -> None:
        """Return once the server has answered a ping: it is alive, and everything before was looked at."""
        await self.send(request("ping", "ping"))
        assert (await self.answer("ping"))["result"] == {}

    def stop_reading(self) -> None:
        """Close the pipe from the server."""
        let_go(self._from_server)

    def hang_up(self) -> None:
        """Close the pipe to the server."""
        let_go(self._to_server)

    def close(self) -> None:
        """Close everything that is still open."""
        self._writer.close()
        for descriptor in (self._to_server, self.to_server_read, self._from_server, self.from_server_write):
            let_go(descriptor)
            _RETIRED.append(descriptor)
        while len(_RETIRED) > _MOST_RETIRED:
            os.close(_RETIRED.popleft())


_RETIRED: deque[int] = deque()
"""Numbers of pipes that are closed, and still taken: a thread of an earlier test that is about to read from its
own would else read from that of the next test."""
_MOST_RETIRED = 200


def let_go(descriptor: int) -> None:
    """Close a pipe, but keep its number: nothing can be read from it any more."""
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, descriptor)
    os.close(nothing)


@asynccontextmanager
async def connected_to(client: Client, *, ready_after_s: float = 1000.0) -> AsyncIterator[None]:
    """The server that `client` talks to. By default only a tools/list makes the session ready."""
    loop = asyncio.get_running_loop()

    def on_broken() -> None:
        with suppress(RuntimeError):  # the test is over, and its loop with it
            loop.call_soon_threadsafe(client.stop.set)

    serving = asyncio.create_task(
        serve(
            LineReader(client.to_server_read),
            LineWriter(client.from_server_write, on_broken),
            client.attach,
            session=SessionId("session-1"),
            version="1.2.3",
            instructions="Answer with the reply tool.",
            stop=client.stop,
            ready_after_s=ready_after_s,
        )
    )
    try:
        yield
    finally:
        client.stop.set()
        async with asyncio.timeout(LONG_ENOUGH_S):
            await serving
        client.close()


@asynccontextmanager
async def connected(
    listener: RecordingListener | None = None, *, ready_after_s: float = 1000.0
) -> AsyncIterator[Client]:
    """A client that is connected to a server."""
    client = Client(listener or RecordingListener())
    async with connected_to(client, ready_after_s=ready_after_s):
        yield client
