"""Who is alive, who has ended, and who has taken over from whom: decided in the step that changes who is there."""

import sqlite3
from dataclasses import replace
from datetime import datetime

from telegram_channel.core.ids import BotId, SessionId
from telegram_channel.core.succession import MOST_ENDED, Begun, Ended, heir_of, takes_over
from telegram_channel.ports import EndedSession, SessionRecord
from telegram_channel.storage.codec import CHOICE, MOMENT, SESSION, time_text
from telegram_channel.storage.sqlite_worker import Database


class SqliteSessions:
    """`ports.Sessions` of one bot."""

    def __init__(self, database: Database, bot: BotId) -> None:
        self._database = database
        self._bot = bot

    async def register(self, record: SessionRecord) -> None:
        """Add or replace this process; a session that was never there before may be an heir."""

        def add(connection: sqlite3.Connection) -> None:
            known = self._began_at(connection, record.session)
            began_at = min(known or record.started_at, record.started_at)
            self._put(connection, record, began_at)
            if record.receives:
                self._forget_end(connection, record.session)
                if known is None:
                    self._inherit(connection, Begun(record.session, record.project, began_at))

        await self._database.write(add)

    async def heartbeat(self, session: SessionId, pid: int, at: datetime) -> None:
        """Say that the process is alive; nothing happens when it is not registered."""

        def beat(connection: sqlite3.Connection) -> None:
            row = connection.execute(
                "SELECT body FROM sessions WHERE bot = ? AND session = ? AND pid = ?", (self._bot, session, pid)
            ).fetchone()
            if row is not None:
                record = replace(SESSION.decode(row[0]), last_seen_at=at)
                self._put(connection, record, self._began_at(connection, session) or record.started_at)

        await self._database.write(beat)

    async def leave(self, session: SessionId, pid: int, at: datetime) -> None:
        """Take the process off the list; the last one of a session that took messages ends it."""

        def take_off(connection: sqlite3.Connection) -> None:
            of_session = [one for one in self._listed(connection) if one.session == session]
            leaving = next((one for one in of_session if one.pid == pid), None)
            if leaving is None:
                return
            began_at = self._began_at(connection, session) or leaving.started_at
            connection.execute(
                "DELETE FROM sessions WHERE bot = ? AND session = ? AND pid = ?", (self._bot, session, pid)
            )
            if leaving.receives and not any(one.receives for one in of_session if one.pid != pid):
                self._end(connection, replace(leaving, last_seen_at=at), began_at)

        await self._database.write(take_off)

    async def list(self) -> tuple[SessionRecord, ...]:
        """Everybody registered, oldest first."""
        return await self._database.read(self._listed)

    async def ended(self) -> tuple[EndedSession, ...]:
        """The sessions that took messages and left last, in the order in which they did."""

        def gone(connection: sqlite3.Connection) -> tuple[EndedSession, ...]:
            rows = connection.execute(
                "SELECT body, heir FROM ended_sessions WHERE bot = ? ORDER BY row", (self._bot,)
            )
            return tuple(EndedSession(SESSION.decode(body), heir) for body, heir in rows)

        return await self._database.read(gone)

    def _listed(self, connection: sqlite3.Connection) -> tuple[SessionRecord, ...]:
        rows = connection.execute("SELECT body FROM sessions WHERE bot = ?", (self._bot,))
        records = [SESSION.decode(row[0]) for row in rows]
        return tuple(sorted(records, key=lambda record: (record.started_at, record.session, record.pid)))

    def _began_at(self, connection: sqlite3.Connection, session: SessionId) -> datetime | None:
        """When the first process of a session was started, None when it is not known at all."""
        times = [
            SESSION.decode(body).started_at if began_at is None else MOMENT.decode(began_at)
            for table in ("sessions", "ended_sessions")
            for began_at, body in connection.execute(
                f"SELECT began_at, body FROM {table} WHERE bot = ? AND session = ?",  # noqa: S608 - names from this file
                (self._bot, session),
            )
        ]
        return min(times, default=None)

    def _inherit(self, connection: sqlite3.Connection, new: Begun) -> None:
        """Let a session that begins take over from whoever has ended without an heir."""
        rows = connection.execute(
            "SELECT body FROM ended_sessions WHERE bot = ? AND heir IS NULL", (self._bot,)
        ).fetchall()
        for (body,) in rows:
            record = SESSION.decode(body)
            if takes_over(new, Ended(record.session, record.project, record.last_seen_at)):
                connection.execute(
                    "UPDATE ended_sessions SET heir = ? WHERE bot = ? AND session = ?",
                    (new.session, self._bot, record.session),
                )
                self._hand_choices_over(connection, record.session, new.session)

    def _end(self, connection: sqlite3.Connection, record: SessionRecord, began_at: datetime) -> None:
        """Remember a session that has ended and who takes over, and no more of them than there may be."""
        others = [one for one in self._listed(connection) if one.receives and one.session != record.session]
        living = [
            Begun(one.session, one.project, self._began_at(connection, one.session) or one.started_at)
            for one in others
            if one.project == record.project
        ]
        heir = heir_of(Ended(record.session, record.project, record.last_seen_at), living)
        self._forget_end(connection, record.session)
        connection.execute(
            "INSERT INTO ended_sessions (bot, session, began_at, heir, body) VALUES (?, ?, ?, ?, ?)",
            (self._bot, record.session, MOMENT.encode(began_at), heir, SESSION.encode(record)),
        )
        if heir is not None:
            self._hand_choices_over(connection, record.session, heir)
        connection.execute(
            "DELETE FROM ended_sessions WHERE bot = ? AND row NOT IN"
            " (SELECT row FROM ended_sessions WHERE bot = ? ORDER BY row DESC LIMIT ?)",
            (self._bot, self._bot, MOST_ENDED),
        )

    def _hand_choices_over(self, connection: sqlite3.Connection, gone: SessionId, heir: SessionId) -> None:
        connection.execute(
            "UPDATE choices SET body = ? WHERE bot = ? AND body = ?",
            (CHOICE.encode(heir), self._bot, CHOICE.encode(gone)),
        )

    def _forget_end(self, connection: sqlite3.Connection, session: SessionId) -> None:
        connection.execute("DELETE FROM ended_sessions WHERE bot = ? AND session = ?", (self._bot, session))

    def _put(self, connection: sqlite3.Connection, record: SessionRecord, began_at: datetime) -> None:
        connection.execute(
            "INSERT OR REPLACE INTO sessions (bot, session, pid, last_seen_at, began_at, body)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                *(self._bot, record.session, record.pid, time_text(record.last_seen_at)),
                *(MOMENT.encode(began_at), SESSION.encode(record)),
            ),
        )
