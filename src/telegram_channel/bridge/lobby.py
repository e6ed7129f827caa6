"""What cannot be sent to its topic goes to the chat's general topic instead, once: nothing is lost with a topic.

A topic that people have deleted is forgotten; one that is closed is opened again where that can be done. Only
what certainly did not arrive is sent again, so nothing is doubled.
"""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from telegram_channel.core.ids import ChatId, FileRef, MessageId, PressId, ThreadId
from telegram_channel.core.outgoing import (
    BotIdentity,
    ButtonRows,
    DownloadOutcome,
    OutMessage,
    Refused,
    SendOutcome,
    Sent,
    TopicOutcome,
)
from telegram_channel.core.text import Body
from telegram_channel.errors import StateError
from telegram_channel.ports import Chat, Store

_log = logging.getLogger(__name__)


class Lobby:
    """`ports.Chat`, the same but for messages whose topic is gone."""

    def __init__(self, chat: Chat, store: Store) -> None:
        self._chat = chat
        self._store = store

    async def send(self, message: OutMessage) -> SendOutcome:
        """As the chat's own; what a topic does not take any more goes to the general topic.

        There it answers no message visibly: an answer would go to the topic of what it answers.
        """
        outcome = await self._chat.send(message)
        if message.thread is None or not _topic_is_gone(outcome):
            return outcome
        if await self._is_there_again(message.chat, message.thread):
            outcome = await self._chat.send(message)
            if not _topic_is_gone(outcome):
                return outcome
            await self._forget(message.chat, message.thread)
        _log.info("a message goes to the general topic, because its own is gone")
        return await self._chat.send(replace(message, thread=None, reply_to=None))

    async def _is_there_again(self, chat: ChatId, thread: ThreadId) -> bool:
        """Open a topic of ours again that was closed; a deleted one is forgotten. Topics of people are left alone."""
        if not await self._is_ours(chat, thread):
            return False
        match await self._chat.reopen_topic(chat, thread):
            case Sent():
                return True
            case Refused(topic_gone=True):
                await self._forget(chat, thread)
                return False
            case _:
                return False

    async def _is_ours(self, chat: ChatId, thread: ThreadId) -> bool:
        try:
            bindings = await self._store.routes.bindings()
        except StateError:
            return False
        return any((one.chat, one.thread) == (chat, thread) for one in bindings)

    async def _forget(self, chat: ChatId, thread: ThreadId) -> None:
        try:
            await self._store.routes.unbind(chat, thread)
        except StateError as error:  # the next message to it tries again
            _log.warning("a topic that is gone could not be forgotten: %s", error)

    async def identity(self) -> BotIdentity:
        """Who the bot is."""
        return await self._chat.identity()

    async def edit(
        self, chat: ChatId, message: MessageId, body: Body | None, buttons: ButtonRows = ()
    ) -> SendOutcome:
        """Replace text and buttons of a message of the bot."""
        return await self._chat.edit(chat, message, body, buttons)

    async def react(self, chat: ChatId, message: MessageId, emoji: str | None) -> SendOutcome:
        """Set or clear the bot's reaction."""
        return await self._chat.react(chat, message, emoji)

    async def typing(self, chat: ChatId, thread: ThreadId | None = None) -> None:
        """Show "typing" for about five seconds."""
        await self._chat.typing(chat, thread)

    async def draft(self, chat: ChatId, draft: int, body: Body, thread: ThreadId | None = None) -> None:
        """Show a text as being written."""
        await self._chat.draft(chat, draft, body, thread)

    async def answer_press(self, press: PressId, text: str = "", *, alert: bool = False) -> None:
        """Acknowledge a button press."""
        await self._chat.answer_press(press, text, alert=alert)

    async def download(self, file: FileRef, to: Path) -> DownloadOutcome:
        """Fetch a file."""
        return await self._chat.download(file, to)

    async def has_topics(self, chat: ChatId) -> bool | None:
        """Whether the bot can open topics of its own in a chat."""
        return await self._chat.has_topics(chat)

    async def open_topic(self, chat: ChatId, name: str) -> TopicOutcome:
        """Open a topic."""
        return await self._chat.open_topic(chat, name)

    async def rename_topic(self, chat: ChatId, thread: ThreadId, name: str) -> SendOutcome:
        """Give a topic another name."""
        return await self._chat.rename_topic(chat, thread, name)

    async def close_topic(self, chat: ChatId, thread: ThreadId) -> SendOutcome:
        """Close a topic."""
        return await self._chat.close_topic(chat, thread)

    async def reopen_topic(self, chat: ChatId, thread: ThreadId) -> SendOutcome:
        """Open a closed topic again."""
        return await self._chat.reopen_topic(chat, thread)

    async def announce_commands(self, commands: Mapping[str, str]) -> None:
        """Offer bot commands in the phone's menu."""
        await self._chat.announce_commands(commands)


def _topic_is_gone(outcome: SendOutcome) -> bool:
    return isinstance(outcome, Refused) and outcome.topic_gone
