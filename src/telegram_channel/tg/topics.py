"""A topic is never opened twice for one wish, and whether a chat can have topics is asked rarely.

Opening a topic cannot be repeated when nobody knows what became of it; renaming, closing and reopening can:
they say what shall be, and Telegram says when it is so already.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from telegram import ChatMember, ChatMemberAdministrator, ChatMemberOwner

from telegram_channel.core.ids import ChatId, ThreadId
from telegram_channel.core.outgoing import BotIdentity, Refused, SendOutcome, Sent, TopicOpened, TopicOutcome
from telegram_channel.errors import BadRequest, ChatError, FloodWait
from telegram_channel.ports import Clock
from telegram_channel.tg import ids
from telegram_channel.tg.connection import Connection
from telegram_channel.tg.limits import TOPIC_NAME_CHARACTERS
from telegram_channel.tg.names import one_line
from telegram_channel.tg.outbox import Kind, Outbox
from telegram_channel.tg.outcomes import failure_of
from telegram_channel.tg.patience import patiently

NAMELESS = "Session"
"""What a topic is called when nothing visible is left of its name: Telegram takes no empty one."""

_NOTHING_CHANGED = "topic_not_modified"
_CANNOT_CLOSE = Refused("Telegram cannot close topics of private chats.")

_ANSWER_HOLDS_S = 600.0
_DOUBT_HOLDS_S = 60.0
"""When it could not be found out whether a chat can have topics, it is asked again after that."""
_ASKING_S = 10.0


@dataclass(frozen=True, slots=True)
class _Known:
    """What was found out about a chat, and until when it holds."""

    answer: bool | None
    until_s: float


class Topics:
    """All topics of one bot."""

    def __init__(
        self,
        connection: Connection,
        outbox: Outbox,
        clock: Clock,
        identity: Callable[[], Awaitable[BotIdentity]],
    ) -> None:
        """`identity` says who the bot is, or raises `ChatError`."""
        self._connection = connection
        self._bot = connection.bot
        self._outbox = outbox
        self._clock = clock
        self._identity = identity
        self._known: dict[ChatId, _Known] = {}

    async def available(self, chat: ChatId) -> bool | None:
        """Whether the bot can open topics in a chat; None when that could not be found out."""
        async with self._outbox.turn((chat, "topics asked")):  # whoever comes meanwhile shares the answer
            known = self._known.get(chat)
            if known is None or known.until_s <= self._clock.monotonic():
                known = self._known[chat] = await self._find_out(chat)
            return known.answer

    async def open(self, chat: ChatId, name: str) -> TopicOutcome:
        """Open a topic; what may have been carried out is not repeated."""
        try:
            where = ids.number(chat)
            async with self._outbox.turn((chat, "topics")):
                thread = await patiently(
                    self._outbox, self._clock, chat, lambda: self._create(where, topic_name(name)), kind=Kind.EDIT
                )
        except ChatError as error:
            return failure_of(error)
        return TopicOpened(thread)

    async def rename(self, chat: ChatId, thread: ThreadId, name: str) -> SendOutcome:
        """Give a topic another name."""
        new = topic_name(name)
        return await self._change(chat, thread, lambda where, topic: self._bot.edit_forum_topic(where, topic, new))

    async def close(self, chat: ChatId, thread: ThreadId) -> SendOutcome:
        """Close a topic of a group."""
        if not ids.is_group(chat):
            return _CANNOT_CLOSE
        return await self._change(chat, thread, self._bot.close_forum_topic)

    async def reopen(self, chat: ChatId, thread: ThreadId) -> SendOutcome:
        """Open a closed topic again; in a private chat none is closed."""
        if not ids.is_group(chat):
            return Sent(())
        return await self._change(chat, thread, self._bot.reopen_forum_topic)

    async def _create(self, where: int, name: str) -> ThreadId:
        topic = await self._connection.ask(self._bot.create_forum_topic(where, name))
        return ids.thread_id(topic.message_thread_id)

    async def _change(
        self, chat: ChatId, thread: ThreadId, change: Callable[[int, int], Awaitable[bool]]
    ) -> SendOutcome:
        try:
            where, topic = ids.number(chat), _own_topic(thread)
        except BadRequest as error:
            return failure_of(error)

        async def attempt() -> None:
            await self._connection.ask(change(where, topic))

        try:
            async with self._outbox.turn((chat, "topics")):
                await patiently(self._outbox, self._clock, chat, attempt, kind=Kind.EDIT, repeatable=True)
        except ChatError as error:
            if _NOTHING_CHANGED not in str(error).lower():
                return failure_of(error)
        return Sent(())

    async def _find_out(self, chat: ChatId) -> _Known:
        holds_s = _ANSWER_HOLDS_S
        answer: bool | None = None
        try:
            answer = await self._ask(chat)
        except FloodWait as flood:
            holds_s = max(_DOUBT_HOLDS_S, flood.retry_after_s)
        except ChatError:
            holds_s = _DOUBT_HOLDS_S
        return _Known(answer, self._clock.monotonic() + holds_s)

    async def _ask(self, chat: ChatId) -> bool:
        where = ids.number(chat)
        me = await self._identity()
        if not ids.is_group(chat):
            return me.private_topics
        room = await self._connection.ask(self._bot.get_chat(where), _ASKING_S)
        if not room.is_forum:
            return False
        return _manages_topics(await self._connection.ask(self._bot.get_chat_member(where, int(me.bot)), _ASKING_S))


def topic_name(wished: str) -> str:
    """The name as Telegram takes it: one line of 1 to 128 characters."""
    name = one_line(wished, TOPIC_NAME_CHARACTERS)
    return name if name.strip("\u200d ") else NAMELESS  # a joiner that joins nothing shows nothing


def _own_topic(thread: ThreadId) -> int:
    """The number of a topic that is not the general one, which Telegram has other methods for.

    Raises:
        BadRequest: it is none.
    """
    number = ids.thread_number(thread)
    if number is None:
        raise BadRequest("The general topic is renamed and closed by people only.")
    return number


def _manages_topics(member: ChatMember) -> bool:
    """Whether the bot may open topics in a group: only administrators with that right may (createForumTopic)."""
    if isinstance(member, ChatMemberAdministrator):
        return member.can_manage_topics is True
    return isinstance(member, ChatMemberOwner)
