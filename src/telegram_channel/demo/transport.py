"""The emulator without a socket: an httpx transport that hands every request straight to it.

For a bot library that uses httpx: the requests are real, the server is in the same process, and both the
clock and the sleeping are the caller's.
"""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, Final

import httpx

from telegram_channel.demo.botapi import BotApi
from telegram_channel.demo.botapi_faults import Faults
from telegram_channel.demo.botapi_shell import Dropped, Exchange, Now, Sleep, Unreachable
from telegram_channel.demo.botapi_wire import NOT_FOUND, Answer, FilePath, MethodPath, read_path

IN_PROCESS: Final = "http://telegram.invalid"
"""A base for addresses; nothing ever resolves it."""


class InProcessTransport(httpx.AsyncBaseTransport):
    """Answers requests from a `BotApi`, faults included; a read timeout of the request is kept.

    With a sleep of the caller's own, timeouts and long polls pass as fast as that sleep does.
    """

    def __init__(
        self, api: BotApi, faults: Faults | None = None, now: Now = time.time, sleep: Sleep = asyncio.sleep
    ) -> None:
        self.faults = faults or Faults()
        self._exchange = Exchange(api, self.faults, now, sleep)
        self._sleep = sleep
        self.requests = 0
        """How many requests came."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One request, one response.

        Raises:
            httpx.ConnectError: a fault says there is no connection.
            httpx.RemoteProtocolError: a fault ends the connection.
            httpx.ReadTimeout: the answer takes longer than the request allows.
        """
        self.requests += 1
        target = read_path(request.url.raw_path.partition(b"?")[0].decode("ascii"))
        if not isinstance(target, MethodPath | FilePath):
            return _response(NOT_FOUND)
        body = await request.aread()
        kind = request.headers.get("content-type", "")
        query = request.url.query.decode("ascii")
        try:
            return _response(await self._in_time(request, self._exchange.answer(target, query, kind, body)))
        except Unreachable:
            raise httpx.ConnectError("All connection attempts failed", request=request) from None
        except Dropped:
            raise httpx.RemoteProtocolError(
                "Server disconnected without sending a response.", request=request
            ) from None

    async def _in_time(self, request: httpx.Request, answering: Coroutine[Any, Any, Answer]) -> Answer:
        allowed = request.extensions.get("timeout", {}).get("read")
        if allowed is None:
            return await answering
        task = asyncio.ensure_future(answering)
        alarm = asyncio.ensure_future(self._sleep(allowed))
        try:
            await asyncio.wait({task, alarm}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise httpx.ReadTimeout("", request=request)
            return task.result()
        finally:
            task.cancel()
            alarm.cancel()


def _response(answer: Answer) -> httpx.Response:
    return httpx.Response(answer.status, headers={"content-type": answer.content_type}, content=answer.body)
