"""The two pipes as the SDK wants them: streams of messages. Imported by `server` alone.

What is no message is skipped, because junk ends no session; what was asked before the end of input is
answered, as far as that takes no time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Self

import anyio
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCError, JSONRPCMessage, JSONRPCNotification, JSONRPCRequest, JSONRPCResponse, RequestId
from mcp_types.jsonrpc import jsonrpc_message_adapter

from telegram_channel.claude import wire
from telegram_channel.claude.pipe import LineReader, LineWriter, PipeBroken

if TYPE_CHECKING:
    from types import TracebackType

ANSWER_S = 0.02
"""How long the end of input waits for calls that are under way."""

logger = logging.getLogger(__name__)


class _Stream:
    """The parts of the SDK's stream protocols that are the same for both directions."""

    def close(self) -> None:
        """Nothing to do here."""

    async def aclose(self) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _understood(line: bytes) -> JSONRPCMessage | None:
    try:
        return jsonrpc_message_adapter.validate_json(line, by_name=False)
    except ValueError:
        return None


class Inbound(_Stream):
    """Lines as messages of the SDK. What is no message is skipped: junk ends no session."""

    def __init__(self, reader: LineReader, outbound: Outbound) -> None:
        self._reader = reader
        self._outbound = outbound

    async def receive(self) -> SessionMessage | Exception:
        """The next message."""
        while (line := await self._reader.line()) is not None:
            # A flood of input leaves the loop some air, and calls start in the order they were sent.
            await asyncio.sleep(0)
            message = _understood(line) or _understood(wire.paired(line))
            if message is None:
                logger.warning("Skipped %d bytes on stdin that are no JSON-RPC message.", len(line))
                continue
            self._note(message)
            return SessionMessage(message)
        await self._outbound.answered(ANSWER_S)
        # What is still under way would be answered with an error, which takes the SDK up to a second when
        # the client does not read: nobody waits for that any more.
        self._outbound.close()
        raise anyio.EndOfStream

    def _note(self, message: JSONRPCMessage) -> None:
        """Keep count of what still has to be answered; a cancelled request has not."""
        match message:
            case JSONRPCRequest():
                self._outbound.owes(message.id)
            case JSONRPCNotification(
                method="notifications/cancelled", params={"requestId": str() | int() as request}
            ):
                self._outbound.owes_no_more(request)
            case _:
                pass

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None


class Outbound(_Stream):
    """Messages of the SDK as lines."""

    def __init__(self, writer: LineWriter) -> None:
        self._writer = writer
        self._closed = False
        self._owed: set[RequestId | None] = set()
        self._paid = asyncio.Event()

    def close(self) -> None:
        """Refuse everything from now on."""
        self._closed = True

    @property
    def is_open(self) -> bool:
        """Whether what is sent still goes anywhere."""
        return not (self._closed or self._writer.is_broken)

    def owes(self, request: RequestId) -> None:
        """Remember that a request waits for its answer."""
        self._owed.add(request)
        self._paid.clear()

    def owes_no_more(self, request: RequestId | None) -> None:
        """Forget a request that was answered or cancelled."""
        self._owed.discard(request)
        if not self._owed:
            self._paid.set()

    async def answered(self, timeout_s: float) -> None:
        """Return once every request has its answer, after `timeout_s` at most."""
        if self._owed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._paid.wait()

    async def drained(self) -> None:
        """Return once everything queued so far is in the pipe; never when the client is gone first."""
        await self._writer.drained()

    async def send(self, item: SessionMessage, /) -> None:
        """Queue a message; waits while the queue is full."""
        if self._closed:
            raise anyio.ClosedResourceError
        line = item.message.model_dump_json(by_alias=True, exclude_unset=True)
        try:
            await self._writer.write(line.encode() + b"\n")
        except PipeBroken:
            raise anyio.BrokenResourceError from None
        if isinstance(item.message, JSONRPCResponse | JSONRPCError):
            self.owes_no_more(item.message.id)
