"""What a pause holds back is kept, and each chat is told so once per pause: at its first message held back."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime

from telegram_channel.core import order_words
from telegram_channel.core.access import may_address
from telegram_channel.core.ids import ChatId
from telegram_channel.core.inbox import InboxEntry
from telegram_channel.core.orders import Order, is_same_order
from telegram_channel.core.outgoing import OutMessage
from telegram_channel.errors import StateError
from telegram_channel.ports import Chat, Store

_log = logging.getLogger(__name__)


class Holding:
    """Tells chats that their messages are held back."""

    def __init__(self, store: Store, chat: Chat, began_at: datetime) -> None:
        """`began_at` is when this process began to deliver: what waited under a pause before was spoken of then."""
        self._store = store
        self._chat = chat
        self._began_at = began_at
        self._pause: Order | None = None
        self._spoken_of: set[ChatId] = set()
        self._telling: set[asyncio.Task[None]] = set()

    def hold(self, pause: Order, entries: Sequence[InboxEntry]) -> None:
        """Note that a pause holds these back, in the order they were received; nobody waits for the chats."""
        if self._pause is None or not is_same_order(self._pause, pause):
            self._pause, self._spoken_of = pause, set()
        for entry in entries:
            if entry.may_be_known or entry.chat in self._spoken_of:
                continue
            self._spoken_of.add(entry.chat)
            if max(entry.stored_at, pause.at) >= self._began_at:
                task = asyncio.create_task(self._tell(pause, entry))
                self._telling.add(task)
                task.add_done_callback(self._telling.discard)

    async def _tell(self, pause: Order, entry: InboxEntry) -> None:
        try:
            if not may_address(await self._store.access.read(), entry.chat):
                return
        except StateError as error:
            _log.warning("a chat was not told of a pause: %s", error.explained())
            return
        body, thread = order_words.held_back(pause), entry.inbound.place.thread
        await self._chat.send(OutMessage(entry.chat, body, thread, reply_to=entry.message))
