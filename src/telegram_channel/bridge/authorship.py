"""What a session sends is remembered as its own, so that a reply to it finds its way back.

The chat as one session uses it: everything is passed on, and whatever arrived is noted a moment later, beside
the answer path. When that is not written down in time, a reply goes where any message from there would go.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from telegram_channel.bridge.courier import Courier
from telegram_channel.core.ids import ChatId, FileRef, MessageId, PressId, SessionId, ThreadId
from telegram_channel.core.outgoing import (
    BotIdentity,
    ButtonRows,
    DownloadOutcome,
    OutMessage,
    PartlySent,
    SendOutcome,
    Sent,
    TopicOutcome,
)
from telegram_channel.core.text import Body
from telegram_channel.errors import StateError
from telegram_channel.ports import Chat, Clock, Store

_log = logging.getLogger(__name__)

NOTED_AFTER_S = 0.02
"""What the answer itself has to store comes first; no person replies within this time."""


class OwnChat:
    """`ports.Chat` in the name of one session."""

    def __init__(self, chat: Chat, store: Store, clock: Clock, courier: Courier, session: SessionId) -> None:
        self._chat = chat
        self._store = store
        self._clock = clock
        self._courier = courier
        self._session = session

    async def send(self, message: OutMessage) -> SendOutcome:
        """As the chat's own; what arrived is noted."""
        outcome = await self._chat.send(message)
        match outcome:
            case Sent(refs=refs) | PartlySent(refs=refs) if refs:
                self._courier.post(self._note(message.chat, refs))
            case _:
                pass
        return outcome

    async def _note(self, chat: ChatId, refs: Sequence[MessageId]) -> None:
        at = self._clock.now()
        await self._clock.sleep(NOTED_AFTER_S)
        try:
            await self._store.routes.note_sent(self._session, chat, refs, at)
        except StateError as error:
            _log.warning("whose message that was is not known: %s", error.explained())

    async def identity(self) -> BotIdentity:
        return await self._chat.identity()

    async def edit(
        self, chat: ChatId, message: MessageId, body: Body | None, buttons: ButtonRows = ()
    ) -> SendOutcome:
        return await self._chat.edit(chat, message, body, buttons)

    async def react(self, chat: ChatId, message: MessageId, emoji: str | None) -> SendOutcome:
        return await self._chat.react(chat, message, emoji)

    async def typing(self, chat: ChatId, thread: ThreadId | None = None) -> None:
        await self._chat.typing(chat, thread)

    async def draft(self, chat: ChatId, draft: int, body: Body, thread: ThreadId | None = None) -> None:
        await self._chat.draft(chat, draft, body, thread)

    async def answer_press(self, press: PressId, text: str = "", *, alert: bool = False) -> None:
        await self._chat.answer_press(press, text, alert=alert)

    async def download(self, file: FileRef, to: Path) -> DownloadOutcome:
        return await self._chat.download(file, to)

    async def has_topics(self, chat: ChatId) -> bool | None:
        return await self._chat.has_topics(chat)

    async def open_topic(self, chat: ChatId, name: str) -> TopicOutcome:
        return await self._chat.open_topic(chat, name)

    async def rename_topic(self, chat: ChatId, thread: ThreadId, name: str) -> SendOutcome:
        return await self._chat.rename_topic(chat, thread, name)

    async def close_topic(self, chat: ChatId, thread: ThreadId) -> SendOutcome:
        return await self._chat.close_topic(chat, thread)

    async def reopen_topic(self, chat: ChatId, thread: ThreadId) -> SendOutcome:
        return await self._chat.reopen_topic(chat, thread)

    async def announce_commands(self, commands: Mapping[str, str]) -> None:
        await self._chat.announce_commands(commands)
