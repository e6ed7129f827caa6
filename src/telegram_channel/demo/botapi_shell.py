"""The waiting that the sans-IO server leaves to its shells: long polls, held answers, faults.

Both shells serve every request through one `Exchange`, so that time and trouble are the same in both.
"""

import asyncio
from collections.abc import Awaitable, Callable

from telegram_channel.demo.botapi import BotApi
from telegram_channel.demo.botapi_faults import DOWNLOADS, Fault, Faults, Trouble
from telegram_channel.demo.botapi_updates import LongPoll
from telegram_channel.demo.botapi_wire import (
    Answer,
    FilePath,
    MethodPath,
    Refused,
    answer_refused,
    read_fields,
)

Now = Callable[[], float]
"""Seconds since the epoch."""
Sleep = Callable[[float], Awaitable[None]]


class Dropped(Exception):
    """The connection ends without an answer."""


class Unreachable(Dropped):
    """There never was a connection."""


class Exchange:
    """Turns requests into answers, at the right time."""

    def __init__(self, api: BotApi, faults: Faults, now: Now, sleep: Sleep = asyncio.sleep) -> None:
        self.api = api
        self.faults = faults
        self._now = now
        self._sleep = sleep

    def at_once(self, target: MethodPath | FilePath, query: str, kind: str, body: bytes) -> Answer | None:
        """The answer, when there is no reason to wait and no fault; otherwise None and nothing has happened."""
        method = DOWNLOADS if isinstance(target, FilePath) else target.method
        if method.lower() == "getupdates" or any(fault.fits(method) for fault in self.faults.rules):
            return None
        answer = self._carry_out(target, query, kind, body)
        return answer if isinstance(answer, Answer) else None

    async def answer(self, target: MethodPath | FilePath, query: str, kind: str, body: bytes) -> Answer:
        """The answer, whenever it is due.

        Raises:
            Dropped: a fault ends the connection instead.
        """
        fault = self.faults.take(DOWNLOADS if isinstance(target, FilePath) else target.method)
        if fault and not fault.after and (spoiled := await self._suffer(fault)):
            return spoiled
        outcome = self._carry_out(target, query, kind, body)
        answer = await self._wait(outcome) if isinstance(outcome, LongPoll) else outcome
        if fault and fault.after and (spoiled := await self._suffer(fault)):
            return spoiled
        if answer.hold_until is not None:
            await self._sleep(max(0.0, answer.hold_until - self._now()))
        return answer

    def _carry_out(self, target: MethodPath | FilePath, query: str, kind: str, body: bytes) -> Answer | LongPoll:
        if isinstance(target, FilePath):
            return self.api.file(target.token, target.path)
        try:
            fields = read_fields(query, kind, body)
        except Refused as refused:
            return answer_refused(refused.status, refused.description)
        return self.api.call(target.token, target.method, fields.values, fields.files, now=self._now())

    async def _suffer(self, fault: Fault) -> Answer | None:
        """What the fault answers; None when the call goes on after it."""
        match fault.trouble:
            case Trouble.HANG:
                released = asyncio.Event()
                self.faults.on_clear(released.set)
                await released.wait()
            case Trouble.SLOW:
                await self._sleep(fault.seconds)
            case Trouble.DROP:
                raise Dropped
            case Trouble.UNREACHABLE:
                raise Unreachable
            case _:
                return fault.answer()
        return None

    async def _wait(self, poll: LongPoll) -> Answer:
        """Sleep until the poll is ready or its time is up; a caller who leaves gives up the poll."""
        try:
            while True:
                outcome = self.api.finish(poll, self._now())
                if isinstance(outcome, Answer):
                    return outcome
                await self._until_ready(poll)
        finally:
            self.api.abandon(poll)

    async def _until_ready(self, poll: LongPoll) -> None:
        ready = asyncio.Event()
        poll.on_ready = ready.set
        if poll.is_ready:
            return
        alarm = asyncio.ensure_future(self._sleep(max(0.0, poll.deadline - self._now())))
        alarm.add_done_callback(lambda _: ready.set())
        try:
            await ready.wait()
        finally:
            alarm.cancel()
