"""What cannot be sent to its topic goes to the chat's general topic instead, once: nothing is lost with a topic.

A topic that people have deleted is forgotten; one that is closed is opened again where that can be done. Only
what certainly did not arrive is sent again, so nothing is doubled.
"""

import logging
from dataclasses import replace

from telegram_channel.bridge.chat_view import ChatView
from telegram_channel.core.ids import ChatId, ThreadId
from telegram_channel.core.outgoing import OutMessage, Refused, SendOutcome, Sent
from telegram_channel.errors import StateError
from telegram_channel.ports import Chat, Store

_log = logging.getLogger(__name__)


class Lobby(ChatView):
    """`ports.Chat`, the same but for messages whose topic is gone."""

    def __init__(self, chat: Chat, store: Store) -> None:
        super().__init__(chat)
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


def _topic_is_gone(outcome: SendOutcome) -> bool:
    return isinstance(outcome, Refused) and outcome.topic_gone
