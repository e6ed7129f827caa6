"""Which sessions chats, topics and messages belong to, in memory, held to the same contract as in SQLite."""

from collections.abc import Sequence
from datetime import datetime

from telegram_channel.core.ids import ChatId, MessageId, SessionId, ThreadId
from telegram_channel.core.routing import Question, TopicBinding
from telegram_channel.storage import topics
from telegram_channel.storage.memory_tables import Part


class MemoryRouteBook(Part):
    """`ports.RouteBook` in memory."""

    async def chosen(self, chat: ChatId) -> SessionId | None:
        """The session a chat has chosen."""
        return self._tables.choices.get(chat)

    async def choose(self, chat: ChatId, session: SessionId | None) -> None:
        """Remember a chat's choice; None takes it back. The same choice writes nothing."""
        choices = self._tables.choices
        if choices.get(chat) == session:
            return
        if session is None:
            del choices[chat]
        else:
            choices[chat] = session
        self._store.changed()

    async def bindings(self) -> tuple[TopicBinding, ...]:
        """Every topic that belongs to a project, oldest first: in the order in which they were first bound."""
        return tuple(self._tables.topics.values())

    async def bind(self, binding: TopicBinding) -> None:
        """Add or replace the binding of a topic, which keeps its place. The same binding writes nothing."""
        bound, key = self._tables.topics, (binding.chat, binding.thread)
        if bound.get(key) != binding:
            bound[key] = binding
            self._store.changed()

    async def take_topic(self, chat: ChatId, project: str, session: SessionId) -> TopicBinding | None:
        """Let a session have a topic of its project in this chat that no session has; its own, if it has one."""
        found = topics.taken(self._tables.topics.values(), chat, project, session)
        if found is not None:
            await self.bind(found)
        return found

    async def unbind(self, chat: ChatId, thread: ThreadId) -> None:
        """Forget a topic that is gone; writes nothing when it is not known."""
        if self._tables.topics.pop((chat, thread), None) is not None:
            self._store.changed()

    async def note_sent(self, session: SessionId, chat: ChatId, messages: Sequence[MessageId], at: datetime) -> None:
        """Remember whose messages of the bot these are; of several, the last one told."""
        authors = self._tables.authors
        new = [one for one in messages if authors.get((chat, one), (None, at))[0] != session]
        for message in new:
            authors[chat, message] = (session, at)
        if new:
            self._store.changed()

    async def author(self, chat: ChatId, message: MessageId) -> SessionId | None:
        """Whose message of the bot this is, as far as it is remembered."""
        found = self._tables.authors.get((chat, message))
        return None if found is None else found[0]

    async def ask(self, question: Question) -> bool:
        """Remember a question; False when one stands for the same chat and thread already."""
        questions, key = self._tables.questions, topics.place_of(question)
        if key in questions:
            return False
        questions[key] = question
        self._store.changed()
        return True

    async def questions(self) -> tuple[Question, ...]:
        """Every question that stands, oldest first."""
        return topics.oldest_first(self._tables.questions.values())

    async def settle_question(self, chat: ChatId, thread: ThreadId | None) -> Question | None:
        """End a question; returns it, None when there was none."""
        found = self._tables.questions.pop((chat, thread or topics.WHOLE_CHAT), None)
        if found is not None:
            self._store.changed()
        return found

    async def prune(self, before: datetime) -> int:
        """Forget whose messages those sent before are; returns how many."""
        authors = self._tables.authors
        gone = [key for key, (_session, at) in authors.items() if at < before]
        for key in gone:
            del authors[key]
        if gone:
            self._store.changed()
        return len(gone)
