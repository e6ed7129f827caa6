"""The inbox in memory, held to the same contract as the one in SQLite."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from telegram_channel.core.ids import ChatId, EntryId, MessageId, SessionId, UpdateId
from telegram_channel.core.inbox import (
    Counts,
    DeliveryState,
    FetchState,
    InboxEntry,
    Intake,
    Move,
    QuarantinedUpdate,
)
from telegram_channel.core.routing import NOBODY
from telegram_channel.storage.memory_tables import Part


class MemoryInbox(Part):
    """`ports.Inbox` in memory."""

    async def cursor(self) -> UpdateId | None:
        """The last update that was stored, None before the first."""
        return self._tables.cursor

    async def unseen(self, updates: Sequence[UpdateId]) -> frozenset[UpdateId]:
        """Those of `updates` that were never ingested."""
        return frozenset(updates) - self._tables.seen.keys()

    async def ingest(self, intake: Intake, cursor: UpdateId | None) -> None:
        """Store what was not seen before and move the cursor."""
        tables, now = self._tables, self._store.now()
        known = set(tables.seen)
        arrived = [
            *intake.seen,
            *(entry.update for entry in intake.entries),
            *(update.update for update in intake.quarantined),
        ]
        new_cursor = cursor is not None and cursor != tables.cursor
        if not new_cursor and known.issuperset(arrived):
            return
        for entry in intake.entries:
            if entry.update not in known:
                known.add(entry.update)
                self._store.database.last_entry += 1
                position = EntryId(self._store.database.last_entry)
                tables.inbox[position] = _directed(replace(entry, entry=position))
        known = set(tables.seen)
        for update in intake.quarantined:
            if update.update not in known:
                known.add(update.update)
                tables.quarantined.append(update)
        for update_id in arrived:
            tables.seen.setdefault(update_id, now)
        if cursor is not None:
            tables.cursor = cursor
        self._store.changed()

    async def due(self, limit: int = 200, session: SessionId | None = None) -> tuple[InboxEntry, ...]:
        """Entries in STORED, in the order they were received; with `session`, only those directed to it."""
        return self._of(DeliveryState.STORED, session)[: max(limit, 0)]

    async def undirected(self, limit: int = 200) -> tuple[InboxEntry, ...]:
        """Entries in STORED that are directed to no session, in the order they were received."""
        stored = self._of(DeliveryState.STORED, None)
        return tuple(entry for entry in stored if entry.session is None)[: max(limit, 0)]

    async def unproven(self, session: SessionId | None = None) -> tuple[InboxEntry, ...]:
        """Entries in EMITTED, in the order they were received; with `session`, only those it was given."""
        return self._of(DeliveryState.EMITTED, session)

    async def unanswered(self, chat: ChatId) -> tuple[InboxEntry, ...]:
        """Entries of a chat in EMITTED or READ, in the order they were received."""
        return self._where(lambda entry: entry.chat == chat and entry.state in _WAITING)

    async def awaiting(self, since: datetime) -> tuple[InboxEntry, ...]:
        """Entries in EMITTED or READ that were emitted at or after `since`, in the order received."""
        return self._where(
            lambda entry: entry.state in _WAITING and entry.emitted_at is not None and entry.emitted_at >= since
        )

    async def to_fetch(self, limit: int = 50) -> tuple[InboxEntry, ...]:
        """Entries that wait for a download, in the order they were received."""
        return self._where(lambda entry: entry.fetch.state is FetchState.WANTED)[: max(limit, 0)]

    async def unacknowledged(self, limit: int = 50) -> tuple[InboxEntry, ...]:
        """Entries without 👀 in the chat, in the order they were received."""
        return self._where(lambda entry: not entry.acknowledged)[: max(limit, 0)]

    async def advance(self, moves: Sequence[Move], *, durable: bool = True) -> int:  # noqa: ARG002 - no disk here
        """Apply moves; returns how many entries were as a move wants them."""
        tables, touched = self._tables, set()
        for move in moves:
            given = {name: value for name in _MOVED if (value := getattr(move, name)) is not None}
            for position in move.entries if given else ():
                entry = tables.inbox.get(position)
                if entry is not None and _is_meant(move, entry):
                    tables.inbox[position] = _directed(replace(entry, **given))
                    touched.add(position)
        if touched:
            self._store.changed()
        return len(touched)

    async def find(self, chat: ChatId, message: MessageId) -> InboxEntry | None:
        """The newest entry of this message of the chat."""
        found = self._where(lambda entry: (entry.chat, entry.message) == (chat, message))
        return found[-1] if found else None

    async def counts(self) -> Counts:
        """How many entries are in which state."""
        by_state: dict[DeliveryState, int] = {}
        unreadable = [DeliveryState.QUARANTINED] * len(self._tables.quarantined)
        for state in [*(entry.state for entry in self._tables.inbox.values()), *unreadable]:
            by_state[state] = by_state.get(state, 0) + 1
        return Counts(MappingProxyType(by_state))

    async def quarantined(self, limit: int = 20) -> tuple[QuarantinedUpdate, ...]:
        """The updates nobody understood, newest first."""
        return tuple(self._tables.quarantined[::-1][: max(limit, 0)])

    async def prune(self, before: datetime) -> int:
        """Forget final entries, quarantined updates and seen ids from before; returns how many of all of them."""
        tables = self._tables
        entries = [one.entry for one in self._where(lambda one: one.state.is_final and one.stored_at < before)]
        kept = [update for update in tables.quarantined if update.at >= before]
        ids = [update for update, at in tables.seen.items() if at < before]
        gone = len(entries) + len(tables.quarantined) - len(kept) + len(ids)
        for position in entries:
            del tables.inbox[position]
        for update_id in ids:
            del tables.seen[update_id]
        tables.quarantined = kept
        if gone:
            self._store.changed()
        return gone

    def _of(self, state: DeliveryState, session: SessionId | None) -> tuple[InboxEntry, ...]:
        return self._where(lambda entry: entry.state is state and (session is None or entry.session == session))

    def _where(self, condition: Callable[[InboxEntry], bool]) -> tuple[InboxEntry, ...]:
        return tuple(entry for entry in self._tables.inbox.values() if condition(entry))


_MOVED = ("state", "session", "emitted_at", "redelivered", "noticed", "acknowledged", "fetch", "why")
"""The fields of a move that are fields of an entry."""
_WAITING = (DeliveryState.EMITTED, DeliveryState.READ)


def _is_meant(move: Move, entry: InboxEntry) -> bool:
    """Whether an entry is still as the move wants it."""
    held = move.held_by is None or (entry.session or NOBODY) == move.held_by
    return held and entry.state in move.only_from


def _directed(entry: InboxEntry) -> InboxEntry:
    """An entry for nobody is for nobody in one way only, and for no reason."""
    return replace(entry, session=None, why=None) if entry.session == NOBODY else entry
