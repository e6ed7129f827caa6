"""The inbox in SQLite: a batch is stored whole or not at all, and an update is stored once, by equality of its id."""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Any, TypeVar

from telegram_channel.core.ids import BotId, ChatId, EntryId, MessageId, SessionId, UpdateId
from telegram_channel.core.inbox import (
    Counts,
    DeliveryState,
    Fetch,
    FetchState,
    InboxEntry,
    Intake,
    Move,
    QuarantinedUpdate,
)
from telegram_channel.core.routing import NOBODY, Why
from telegram_channel.storage.codec import FETCH, INBOUND, QUARANTINED, time_text
from telegram_channel.storage.shapes import TIME, CodecError
from telegram_channel.storage.sqlite_worker import Database

Stored = TypeVar("Stored", InboxEntry, QuarantinedUpdate)

_MOST_VARIABLES = 500
"""Ids in one statement; SQLite builds of the past take 999 variables (https://sqlite.org/limits.html)."""
_ENTRY = (
    "SELECT entry, update_id, chat, message, body, stored_at, state, session, emitted_at,"
    " redelivered, noticed, acknowledged, fetch, why FROM inbox WHERE bot = ?"
)
SELECTIONS = {
    "due": f"{_ENTRY} AND state = 'stored' ORDER BY entry LIMIT ?",
    "due_of_session": f"{_ENTRY} AND session = ? AND state = 'stored' ORDER BY entry LIMIT ?",
    "undirected": f"{_ENTRY} AND session IS NULL AND state = 'stored' ORDER BY entry LIMIT ?",
    "unproven": f"{_ENTRY} AND state = 'emitted' ORDER BY entry",
    "unproven_of_session": f"{_ENTRY} AND session = ? AND state = 'emitted' ORDER BY entry",
    # The unary plus keeps SQLite from walking through everything the chat ever said.
    "unanswered": f"{_ENTRY} AND state IN ('emitted', 'read') AND +chat = ? ORDER BY entry",
    "awaiting": f"{_ENTRY} AND state IN ('emitted', 'read') AND emitted_at >= ? ORDER BY entry",
    "to_fetch": f"{_ENTRY} AND wanted = 1 ORDER BY entry LIMIT ?",
    "unacknowledged": f"{_ENTRY} AND acknowledged = 0 ORDER BY entry LIMIT ?",
    "find": f"{_ENTRY} AND chat = ? AND message = ? ORDER BY entry DESC LIMIT 1",
}
"""Every way to look for entries. None may read the whole table: it is asked after every change."""
_FINAL = tuple(state.value for state in DeliveryState if state.is_final)


class SqliteInbox:
    """`ports.Inbox` of one bot."""

    def __init__(self, database: Database, bot: BotId, now: Callable[[], datetime]) -> None:
        self._database = database
        self._bot = bot
        self._now = now

    async def cursor(self) -> UpdateId | None:
        """The last update that was stored, None before the first."""
        return await self._database.read(self._cursor)

    async def unseen(self, updates: Sequence[UpdateId]) -> frozenset[UpdateId]:
        """Those of `updates` that were never ingested."""
        return await self._database.read(lambda connection: self._unseen(connection, updates))

    async def ingest(self, intake: Intake, cursor: UpdateId | None) -> None:
        """Store what was not seen before and move the cursor, in one durable step."""
        entries = _first_copies(intake.entries)
        quarantined = _first_copies(intake.quarantined)
        everything = [*intake.seen, *(one.update for one in entries), *(one.update for one in quarantined)]

        def store(connection: sqlite3.Connection) -> None:
            now = time_text(self._now())
            new = self._unseen(connection, everything)
            connection.executemany(
                "INSERT INTO seen (bot, update_id, at) VALUES (?, ?, ?)", [(self._bot, one, now) for one in new]
            )
            self._insert_entries(connection, [one for one in entries if one.update in new])
            connection.executemany(
                "INSERT INTO quarantined (bot, at, body) VALUES (?, ?, ?)",
                [(self._bot, time_text(one.at), QUARANTINED.encode(one)) for one in quarantined if one.update in new],
            )
            if cursor is not None and cursor != self._cursor(connection):
                connection.execute(
                    "INSERT OR REPLACE INTO cursors (bot, update_id, moved_at) VALUES (?, ?, ?)",
                    (self._bot, cursor, now),
                )

        await self._database.write(store)

    async def due(self, limit: int = 200, session: SessionId | None = None) -> tuple[InboxEntry, ...]:
        """Entries in STORED, in the order they were received; with `session`, only those directed to it."""
        if session is None:
            return await self._select("due", max(limit, 0))
        return await self._select("due_of_session", session, max(limit, 0))

    async def undirected(self, limit: int = 200) -> tuple[InboxEntry, ...]:
        """Entries in STORED that are directed to no session, in the order they were received."""
        return await self._select("undirected", max(limit, 0))

    async def unproven(self, session: SessionId | None = None) -> tuple[InboxEntry, ...]:
        """Entries in EMITTED, in the order they were received; with `session`, only those it was given."""
        if session is None:
            return await self._select("unproven")
        return await self._select("unproven_of_session", session)

    async def unanswered(self, chat: ChatId) -> tuple[InboxEntry, ...]:
        """Entries of a chat in EMITTED or READ, in the order they were received."""
        return await self._select("unanswered", chat)

    async def awaiting(self, since: datetime) -> tuple[InboxEntry, ...]:
        """Entries in EMITTED or READ that were emitted at or after `since`, in the order received."""
        return await self._select("awaiting", time_text(since))

    async def to_fetch(self, limit: int = 50) -> tuple[InboxEntry, ...]:
        """Entries that wait for a download, in the order they were received."""
        return await self._select("to_fetch", max(limit, 0))

    async def unacknowledged(self, limit: int = 50) -> tuple[InboxEntry, ...]:
        """Entries without 👀 in the chat, in the order they were received."""
        return await self._select("unacknowledged", max(limit, 0))

    async def advance(self, moves: Sequence[Move], *, durable: bool = True) -> int:
        """Apply moves in one step; returns how many entries were as a move wants them."""
        steps = [(move, *_assignments(move)) for move in moves if move.entries and move.only_from]
        if not any(assignments for _move, assignments, _values in steps):
            return 0

        def apply(connection: sqlite3.Connection) -> int:
            touched: set[EntryId] = set()
            for move, assignments, values in steps:
                if not assignments:
                    continue
                wanted, held = _conditions(move)
                statement = (
                    f"UPDATE inbox SET {assignments}"  # noqa: S608 - names from this file
                    f" WHERE entry = ? AND bot = ?{wanted}"
                )
                for entry in move.entries:
                    done = connection.execute(statement, (*values, entry, self._bot, *held))
                    if done.rowcount:
                        touched.add(entry)
            return len(touched)

        return await self._database.write(apply, durable=durable)

    async def find(self, chat: ChatId, message: MessageId) -> InboxEntry | None:
        """The newest entry of this message of the chat."""
        found = await self._select("find", chat, message)
        return found[0] if found else None

    async def counts(self) -> Counts:
        """How many entries are in which state."""

        def count(connection: sqlite3.Connection) -> Counts:
            grouped = connection.execute(
                "SELECT state, count(*) FROM inbox WHERE bot = ? GROUP BY state", (self._bot,)
            ).fetchall()
            by_state = {_state(state): number for state, number in grouped}
            [unreadable] = connection.execute(
                "SELECT count(*) FROM quarantined WHERE bot = ?", (self._bot,)
            ).fetchone()
            if unreadable:
                known = by_state.get(DeliveryState.QUARANTINED, 0)
                by_state[DeliveryState.QUARANTINED] = known + unreadable
            return Counts(MappingProxyType(by_state))

        return await self._database.read(count)

    async def quarantined(self, limit: int = 20) -> tuple[QuarantinedUpdate, ...]:
        """The updates nobody understood, newest first."""

        def newest(connection: sqlite3.Connection) -> tuple[QuarantinedUpdate, ...]:
            found = connection.execute(
                "SELECT body FROM quarantined WHERE bot = ? ORDER BY row DESC LIMIT ?", (self._bot, max(limit, 0))
            )
            return tuple(QUARANTINED.decode(row[0]) for row in found)

        return await self._database.read(newest)

    async def prune(self, before: datetime) -> int:
        """Forget final entries, quarantined updates and seen ids from before; returns how many of all of them."""
        limit = time_text(before)

        def forget(connection: sqlite3.Connection) -> int:
            entries = connection.execute(
                f"DELETE FROM inbox WHERE bot = ? AND state IN ({_marks(_FINAL)}) AND stored_at < ?",  # noqa: S608 - marks only
                (self._bot, *_FINAL, limit),
            )
            updates = connection.execute("DELETE FROM quarantined WHERE bot = ? AND at < ?", (self._bot, limit))
            ids = connection.execute("DELETE FROM seen WHERE bot = ? AND at < ?", (self._bot, limit))
            return entries.rowcount + updates.rowcount + ids.rowcount

        return await self._database.write(forget)

    def _cursor(self, connection: sqlite3.Connection) -> UpdateId | None:
        row = connection.execute("SELECT update_id FROM cursors WHERE bot = ?", (self._bot,)).fetchone()
        if row is None:
            return None
        if type(row[0]) is not int:
            raise CodecError("must be int", ("cursor",))
        return UpdateId(row[0])

    def _unseen(self, connection: sqlite3.Connection, updates: Sequence[UpdateId]) -> frozenset[UpdateId]:
        distinct = list(dict.fromkeys(updates))
        seen: set[UpdateId] = set()
        for start in range(0, len(distinct), _MOST_VARIABLES):
            part = distinct[start : start + _MOST_VARIABLES]
            seen.update(
                row[0]
                for row in connection.execute(
                    f"SELECT update_id FROM seen WHERE bot = ? AND update_id IN ({_marks(part)})",  # noqa: S608 - marks only
                    (self._bot, *part),
                )
            )
        return frozenset(distinct) - seen

    def _insert_entries(self, connection: sqlite3.Connection, entries: Sequence[InboxEntry]) -> None:
        connection.executemany(
            "INSERT INTO inbox (bot, update_id, chat, message, body, stored_at, state, session, emitted_at,"
            " redelivered, noticed, acknowledged, wanted, fetch, why)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    self._bot,
                    one.update,
                    one.chat,
                    one.message,
                    INBOUND.encode(one.inbound),
                    time_text(one.stored_at),
                    one.state.value,
                    one.session or None,
                    one.emitted_at and time_text(one.emitted_at),
                    one.redelivered,
                    one.noticed,
                    one.acknowledged,
                    _is_wanted(one.fetch),
                    _fetch_text(one.fetch),
                    None if one.session == NOBODY else one.why and one.why.value,
                )
                for one in entries
            ],
        )

    async def _select(self, selection: str, *values: Any) -> tuple[InboxEntry, ...]:
        def select(connection: sqlite3.Connection) -> tuple[InboxEntry, ...]:
            return tuple(_entry(row) for row in connection.execute(SELECTIONS[selection], (self._bot, *values)))

        return await self._database.read(select)


def _first_copies(updates: Iterable[Stored]) -> list[Stored]:
    """The first of each update id, in order: Telegram may repeat one even within a batch."""
    first: dict[UpdateId, Stored] = {}
    for one in updates:
        first.setdefault(one.update, one)
    return list(first.values())


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))


def _conditions(move: Move) -> tuple[str, tuple[Any, ...]]:
    """The part of a move that says which entries are still as it wants them, and its values."""
    states = tuple(state.value for state in move.only_from)
    wanted = f" AND state IN ({_marks(states)})"
    if move.held_by is None:
        return wanted, states
    return f"{wanted} AND session IS ?", (*states, move.held_by or None)


def _assignments(move: Move) -> tuple[str, tuple[Any, ...]]:
    """The SET part of a move: None leaves a column as it is, and NOBODY empties two."""
    columns = {
        "state": move.state and move.state.value,
        "session": move.session,
        "emitted_at": move.emitted_at and time_text(move.emitted_at),
        "redelivered": move.redelivered,
        "noticed": move.noticed,
        "acknowledged": move.acknowledged,
        "wanted": move.fetch and _is_wanted(move.fetch),
        "fetch": move.fetch and _fetch_text(move.fetch),
        "why": move.why and move.why.value,
    }
    given: dict[str, Any] = {name: value for name, value in columns.items() if value is not None}
    if move.session == NOBODY:
        given |= {"session": None, "why": None}
    return ", ".join(f"{name} = ?" for name in given), tuple(given.values())


def _is_wanted(fetch: Fetch) -> bool:
    return fetch.state is FetchState.WANTED


# Nearly every message has nothing to fetch, so nearly every document is the same.
_fetch_text = lru_cache(maxsize=64)(FETCH.encode)
_fetch = lru_cache(maxsize=64)(FETCH.decode)

# What waits for an answer is read again with every change, and never changes itself. By its text, not by
# its position: a restored file may have other messages at the same positions.
_inbound = lru_cache(maxsize=2048)(INBOUND.decode)


def _entry(row: tuple[Any, ...]) -> InboxEntry:
    try:
        return InboxEntry(
            entry=EntryId(row[0]),
            update=UpdateId(row[1]),
            chat=ChatId(_text(row[2])),
            message=MessageId(_text(row[3])),
            inbound=_inbound(row[4]),
            stored_at=TIME.decode(row[5]),
            state=_state(row[6]),
            session=None if row[7] is None else SessionId(_text(row[7])),
            emitted_at=None if row[8] is None else TIME.decode(row[8]),
            redelivered=_flag(row[9]),
            noticed=_flag(row[10]),
            acknowledged=_flag(row[11]),
            fetch=_fetch(row[12]),
            why=None if row[13] is None else _why(row[13]),
        )
    except CodecError as error:
        raise type(error)(error.expected, (f"inbox entry {row[0]}", *error.where)) from None


def _state(value: object) -> DeliveryState:
    if not isinstance(value, str) or value not in _STATES:
        raise CodecError("must be a known DeliveryState", ("state",))
    return _STATES[value]


_STATES = {state.value: state for state in DeliveryState}


def _why(value: object) -> Why:
    if not isinstance(value, str) or value not in _REASONS:
        raise CodecError("must be a known Why", ("why",))
    return _REASONS[value]


_REASONS = {why.value: why for why in Why}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise CodecError("must be str")
    return value


def _flag(value: object) -> bool:
    if value not in (0, 1):
        raise CodecError("must be 0 or 1")
    return bool(value)
