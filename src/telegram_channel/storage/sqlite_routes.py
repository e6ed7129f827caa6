"""Which sessions chats, topics and messages belong to, in SQLite: of two processes that want a topic, one gets it."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime

from telegram_channel.core.ids import BotId, ChatId, MessageId, SessionId, ThreadId
from telegram_channel.core.routing import Question, TopicBinding
from telegram_channel.storage import topics
from telegram_channel.storage.codec import CHOICE, QUESTION, TOPIC, time_text
from telegram_channel.storage.shapes import CodecError
from telegram_channel.storage.sqlite_worker import Database

LOOKUPS = {
    "chosen": "SELECT body FROM choices WHERE bot = ? AND chat = ?",
    "author": "SELECT session FROM authors WHERE bot = ? AND chat = ? AND message = ?",
    "topic": "SELECT body FROM topics WHERE bot = ? AND chat = ? AND thread = ?",
    "topics_of_chat": "SELECT body FROM topics WHERE bot = ? AND chat = ? ORDER BY row",
    "question": "SELECT body FROM questions WHERE bot = ? AND chat = ? AND thread = ?",
}
"""Asked for messages as they arrive and for sessions as they start, so none may read a whole table."""

_NOTE = """
    INSERT INTO authors (bot, chat, message, session, at) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (bot, chat, message) DO UPDATE SET session = excluded.session, at = excluded.at
    WHERE session <> excluded.session
"""


class SqliteRouteBook:
    """`ports.RouteBook` of one bot."""

    def __init__(self, database: Database, bot: BotId) -> None:
        self._database = database
        self._bot = bot

    async def chosen(self, chat: ChatId) -> SessionId | None:
        """The session a chat has chosen."""
        return await self._database.read(lambda connection: self._chosen(connection, chat))

    async def choose(self, chat: ChatId, session: SessionId | None) -> None:
        """Remember a chat's choice; None takes it back. The same choice writes nothing."""

        def put(connection: sqlite3.Connection) -> None:
            if session is None:
                connection.execute("DELETE FROM choices WHERE bot = ? AND chat = ?", (self._bot, chat))
            elif self._chosen(connection, chat) != session:
                connection.execute(
                    "INSERT OR REPLACE INTO choices (bot, chat, body) VALUES (?, ?, ?)",
                    (self._bot, chat, CHOICE.encode(session)),
                )

        await self._database.write(put)

    async def bindings(self) -> tuple[TopicBinding, ...]:
        """Every topic that belongs to a project, oldest first: in the order in which they were first bound."""

        def everything(connection: sqlite3.Connection) -> tuple[TopicBinding, ...]:
            rows = connection.execute("SELECT body FROM topics WHERE bot = ? ORDER BY row", (self._bot,))
            return tuple(TOPIC.decode(row[0]) for row in rows)

        return await self._database.read(everything)

    async def bind(self, binding: TopicBinding) -> None:
        """Add or replace the binding of a topic, which keeps its place. The same binding writes nothing."""
        await self._database.write(lambda connection: self._bind(connection, binding))

    async def take_topic(self, chat: ChatId, project: str, session: SessionId) -> TopicBinding | None:
        """Let a session have a topic of its project in this chat that no session has; its own, if it has one."""

        def take(connection: sqlite3.Connection) -> TopicBinding | None:
            rows = connection.execute(LOOKUPS["topics_of_chat"], (self._bot, chat)).fetchall()
            found = topics.taken((TOPIC.decode(row[0]) for row in rows), chat, project, session)
            if found is not None:
                self._bind(connection, found)
            return found

        return await self._database.write(take)

    async def unbind(self, chat: ChatId, thread: ThreadId) -> None:
        """Forget a topic that is gone; writes nothing when it is not known."""

        def forget(connection: sqlite3.Connection) -> None:
            connection.execute(
                "DELETE FROM topics WHERE bot = ? AND chat = ? AND thread = ?", (self._bot, chat, thread)
            )

        await self._database.write(forget)

    async def note_sent(self, session: SessionId, chat: ChatId, messages: Sequence[MessageId], at: datetime) -> None:
        """Remember whose messages of the bot these are; of several, the last one told."""
        rows = [(self._bot, chat, message, session, time_text(at)) for message in messages]
        if rows:
            await self._database.write(lambda connection: _note(connection, rows), durable=False)

    async def author(self, chat: ChatId, message: MessageId) -> SessionId | None:
        """Whose message of the bot this is, as far as it is remembered."""

        def look(connection: sqlite3.Connection) -> SessionId | None:
            row = connection.execute(LOOKUPS["author"], (self._bot, chat, message)).fetchone()
            if row is None:
                return None
            if not isinstance(row[0], str):
                raise CodecError("must be str", ("author",))
            return SessionId(row[0])

        return await self._database.read(look)

    async def ask(self, question: Question) -> bool:
        """Remember a question; False when one stands for the same chat and thread already."""

        def put(connection: sqlite3.Connection) -> bool:
            done = connection.execute(
                "INSERT INTO questions (bot, chat, thread, body) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (self._bot, *topics.place_of(question), QUESTION.encode(question)),
            )
            return done.rowcount == 1

        return await self._database.write(put)

    async def questions(self) -> tuple[Question, ...]:
        """Every question that stands, oldest first."""

        def everything(connection: sqlite3.Connection) -> tuple[Question, ...]:
            rows = connection.execute("SELECT body FROM questions WHERE bot = ? ORDER BY row", (self._bot,))
            return topics.oldest_first(QUESTION.decode(row[0]) for row in rows)

        return await self._database.read(everything)

    async def settle_question(self, chat: ChatId, thread: ThreadId | None) -> Question | None:
        """End a question; returns it, None when there was none."""
        place = (self._bot, chat, thread or topics.WHOLE_CHAT)

        def look(connection: sqlite3.Connection) -> Question | None:
            row = connection.execute(LOOKUPS["question"], place).fetchone()
            return None if row is None else QUESTION.decode(row[0])

        def end(connection: sqlite3.Connection) -> Question | None:
            found = look(connection)
            connection.execute("DELETE FROM questions WHERE bot = ? AND chat = ? AND thread = ?", place)
            return found

        # Mostly nothing was asked, and that needs no lock.
        return None if await self._database.read(look) is None else await self._database.write(end)

    async def prune(self, before: datetime) -> int:
        """Forget whose messages those sent before are; returns how many."""

        def forget(connection: sqlite3.Connection) -> int:
            return connection.execute(
                "DELETE FROM authors WHERE bot = ? AND at < ?", (self._bot, time_text(before))
            ).rowcount

        return await self._database.write(forget)

    def _chosen(self, connection: sqlite3.Connection, chat: ChatId) -> SessionId | None:
        row = connection.execute(LOOKUPS["chosen"], (self._bot, chat)).fetchone()
        return None if row is None else CHOICE.decode(row[0])

    def _bind(self, connection: sqlite3.Connection, binding: TopicBinding) -> None:
        place = (self._bot, binding.chat, binding.thread)
        row = connection.execute(LOOKUPS["topic"], place).fetchone()
        if row is None or TOPIC.decode(row[0]) != binding:
            connection.execute(
                "INSERT INTO topics (bot, chat, thread, body) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (bot, chat, thread) DO UPDATE SET body = excluded.body",
                (*place, TOPIC.encode(binding)),
            )


def _note(connection: sqlite3.Connection, rows: Sequence[tuple[str, ...]]) -> None:
    connection.executemany(_NOTE, rows)
