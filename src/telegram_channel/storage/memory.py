"""The same store without a disk: what the tests of the flows run on, held to the same contract.

Several `MemoryStore`s on one `MemoryDatabase` are several processes on one file. With `fault` set, every
call raises it, as a full disk or a broken file would make a real store do.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from telegram_channel.core.access import AccessState
from telegram_channel.core.audit import AuditRow
from telegram_channel.core.health import HealthReport
from telegram_channel.core.ids import BotId, ChatId, SessionId
from telegram_channel.core.succession import MOST_ENDED, Begun, Ended, heir_of, takes_over
from telegram_channel.errors import StateError, StateUnwritable
from telegram_channel.ports import Change, EndedSession, SessionRecord, Store
from telegram_channel.storage.changes import ChangeFeed
from telegram_channel.storage.memory_inbox import MemoryInbox
from telegram_channel.storage.memory_orders import MemoryOrderBook, MemoryWishBook
from telegram_channel.storage.memory_pace import MemoryPace
from telegram_channel.storage.memory_prompts import MemoryPromptBook
from telegram_channel.storage.memory_routes import MemoryRouteBook
from telegram_channel.storage.memory_tables import MemoryDatabase, Part, Tables

__all__ = ["MemoryDatabase", "MemoryStore", "known_bots", "open_store"]

T = TypeVar("T")
UNCLAIMED = BotId("")


def _wall_clock() -> datetime:
    return datetime.now(UTC)


class MemoryStore:
    """`ports.Store` in memory."""

    def __init__(
        self, bot: BotId, database: MemoryDatabase | None = None, now: Callable[[], datetime] = _wall_clock
    ) -> None:
        self.bot = bot
        self.database = MemoryDatabase() if database is None else database
        self.now = now
        self.fault: StateError | None = None
        self._closed = False
        self._feed = ChangeFeed()
        self.database.feeds.append(self._feed)
        self.access = MemoryAccessBook(self)
        self.inbox = MemoryInbox(self)
        self.prompts = MemoryPromptBook(self)
        self.audit = MemoryAuditTrail(self)
        self.sessions = MemorySessions(self)
        self.health = MemoryHealthBoard(self)
        self.orders = MemoryOrderBook(self)
        self.wishes = MemoryWishBook(self)
        self.routes = MemoryRouteBook(self)
        self.closed_chats = MemoryClosedChats(self)
        self.pace = MemoryPace(self)

    @property
    def tables(self) -> Tables:
        """What every call goes through: the bot's tables, unless there is a fault."""
        if self._closed:
            raise StateUnwritable("The store was closed.", "The server is stopping.")
        if self.fault is not None:
            raise self.fault
        return self.database.of(self.bot)

    def changed(self) -> None:
        """What every call that wrote something ends with."""
        for feed in self.database.feeds:
            feed.bump()

    async def wait_for_change(self, seen: int, timeout_s: float) -> int:
        """Return the version as soon as it is not `seen`, or after `timeout_s` whatever it is."""
        version = await self._feed.wait(seen, timeout_s)
        if self._closed:
            raise StateUnwritable("The store was closed.", "The server is stopping.")
        return version

    async def close(self) -> None:
        """Refuse everything from now on; safe to call twice."""
        if not self._closed:
            self._closed = True
            self.database.feeds.remove(self._feed)
            self._feed.close()


class MemoryAccessBook(Part):
    """`ports.AccessBook` in memory."""

    @property
    def _unclaimed(self) -> Tables:
        return self._store.database.of(UNCLAIMED)

    async def read(self) -> AccessState:
        """The bot's own book, else the unclaimed one, else the empty one."""
        return self._tables.book or self._unclaimed.book or AccessState()

    async def transact(self, change: Change[T]) -> T:
        """Apply the change and its audit rows at once.

        A change that writes is run twice, as it may be in any store: one that is not pure shows.
        """
        before = await self.read()
        state, result, rows = change(before)
        if state == before and not rows:
            return result
        state, result, rows = change(before)
        if state != before or (self._tables.book is None and self._unclaimed.book is not None):
            self._keep(state)
        self._tables.audit.extend(rows)
        self._store.changed()
        return result

    async def claim(self) -> bool:
        """Take over the unclaimed book; False when there is none, or the bot has its own."""
        if self._tables.book is not None or self._unclaimed.book is None:
            return False
        self._keep(self._unclaimed.book)
        self._store.changed()
        return True

    def _keep(self, state: AccessState) -> None:
        own, unclaimed = self._tables, self._unclaimed
        if own.book is None and own is not unclaimed and unclaimed.book is not None:
            own.audit.extend(unclaimed.audit)
            unclaimed.book = None
            unclaimed.audit.clear()
        own.book = state


class MemoryAuditTrail(Part):
    """`ports.AuditTrail` in memory."""

    async def rows(self, limit: int = 100) -> tuple[AuditRow, ...]:
        """The newest rows, oldest of them first."""
        return tuple(self._tables.audit[-limit:]) if limit > 0 else ()


class MemorySessions(Part):
    """`ports.Sessions` in memory."""

    async def register(self, record: SessionRecord) -> None:
        """Add or replace this process; a session that was never there before may be an heir."""
        tables = self._tables
        known = tables.began.get(record.session)
        began_at = tables.began[record.session] = min(known or record.started_at, record.started_at)
        tables.sessions[record.session, record.pid] = record
        if record.receives:
            tables.ended.pop(record.session, None)
            if known is None:
                self._inherit(Begun(record.session, record.project, began_at))
        self._store.changed()

    def _inherit(self, new: Begun) -> None:
        """Let a session that begins take over from whoever has ended without an heir."""
        for name, gone in self._tables.ended.items():
            if gone.heir is None and takes_over(new, _end_of(gone.record)):
                self._tables.ended[name] = replace(gone, heir=new.session)
                self._hand_choices_over(name, new.session)

    def _begun(self, record: SessionRecord) -> Begun:
        return Begun(record.session, record.project, self._tables.began.get(record.session, record.started_at))

    def _hand_choices_over(self, gone: SessionId, heir: SessionId) -> None:
        choices = self._tables.choices
        choices.update({chat: heir for chat, session in choices.items() if session == gone})

    async def heartbeat(self, session: SessionId, pid: int, at: datetime) -> None:
        """Say that the process is alive; nothing happens when it is not registered."""
        record = self._tables.sessions.get((session, pid))
        if record is not None:
            await self.register(replace(record, last_seen_at=at))

    async def leave(self, session: SessionId, pid: int, at: datetime) -> None:
        """Take the process off the list; the last one of a session that took messages ends it."""
        tables = self._tables
        leaving = tables.sessions.pop((session, pid), None)
        if leaving is None:
            return
        left = [one for one in tables.sessions.values() if one.receives]
        if leaving.receives and all(one.session != session for one in left):
            self._end(replace(leaving, last_seen_at=at), left)
        known = {*tables.ended, *(one.session for one in tables.sessions.values())}
        tables.began = {one: began_at for one, began_at in tables.began.items() if one in known}
        self._store.changed()

    def _end(self, record: SessionRecord, living: Iterable[SessionRecord]) -> None:
        """Remember a session that has ended and who takes over, and no more of them than there may be."""
        ended = self._tables.ended
        heir = heir_of(_end_of(record), map(self._begun, living))
        ended.pop(record.session, None)
        ended[record.session] = EndedSession(record, heir)
        if heir is not None:
            self._hand_choices_over(record.session, heir)
        while len(ended) > MOST_ENDED:
            del ended[next(iter(ended))]

    async def list(self) -> tuple[SessionRecord, ...]:
        """Everybody registered, oldest first."""
        records = self._tables.sessions.values()
        return tuple(sorted(records, key=lambda record: (record.started_at, record.session, record.pid)))

    async def ended(self) -> tuple[EndedSession, ...]:
        """The sessions that took messages and left last, in the order in which they did."""
        return tuple(self._tables.ended.values())


def _end_of(record: SessionRecord) -> Ended:
    return Ended(record.session, record.project, record.last_seen_at)


class MemoryHealthBoard(Part):
    """`ports.HealthBoard` in memory."""

    async def publish(self, report: HealthReport) -> None:
        """Replace the report."""
        self._tables.health = report
        self._store.changed()

    async def latest(self) -> HealthReport | None:
        """The newest report of any process."""
        return self._tables.health


class MemoryClosedChats(Part):
    """`ports.ClosedChats` in memory."""

    async def close(self, chat: ChatId, reason: str) -> None:
        """Remember that the platform refused this chat; the newest reason counts."""
        if self._tables.closed_chats.get(chat) != reason:
            self._tables.closed_chats[chat] = reason
            self._store.changed()

    async def reopen(self, chat: ChatId) -> None:
        """Somebody wrote from there; writes nothing when it was not closed."""
        if self._tables.closed_chats.pop(chat, None) is not None:
            self._store.changed()

    async def reason(self, chat: ChatId) -> str | None:
        """Why the chat is closed, None when it is open."""
        return self._tables.closed_chats.get(chat)


async def open_store(location: str, bot: BotId, now: Callable[[], datetime]) -> Store:  # noqa: ARG001 - shape of a backend
    """A store of its own, empty, and gone with the process."""
    return MemoryStore(bot, now=now)


def known_bots(location: str) -> tuple[BotId, ...]:  # noqa: ARG001 - shape of a backend
    """Nobody: another process's memory is not ours to see."""
    return ()
