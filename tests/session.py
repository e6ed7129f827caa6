"""The one fake of `ports.Session`: keeps what it was given; a test decides when the client reads."""

import asyncio

from telegram_channel.core.events import ChannelEvent
from telegram_channel.core.ids import SessionId
from telegram_channel.core.permission import Behavior
from telegram_channel.ports import Session


class RecordingSession:
    """A `telegram_channel.ports.Session` that a test owns; ready and reading unless told otherwise."""

    def __init__(self, session: str = "session-1") -> None:
        self._id = SessionId(session)
        self.reads = asyncio.Event()
        """Cleared: the client does not take anything out of the pipe."""
        self.reads.set()
        self.is_ready = asyncio.Event()
        self.is_ready.set()
        self.events: list[ChannelEvent] = []
        self.verdicts: list[tuple[str, Behavior]] = []

    @property
    def id(self) -> SessionId:
        return self._id

    @property
    def contents(self) -> list[str]:
        """What the events say, in order."""
        return [event.content for event in self.events]

    async def ready(self) -> None:
        await self.is_ready.wait()

    async def emit(self, event: ChannelEvent) -> None:
        self.events.append(event)

    async def drained(self) -> None:
        await self.reads.wait()

    async def tell_verdict(self, request_id: str, behavior: Behavior) -> None:
        self.verdicts.append((request_id, behavior))


def as_port(session: RecordingSession) -> Session:
    """The same object, as the flows know it: the type checker proves here that it keeps the contract."""
    return session
