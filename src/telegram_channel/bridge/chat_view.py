"""The chat, passed on as it is: what a view of it inherits and changes in one place."""

from collections.abc import Mapping
from pathlib import Path

from telegram_channel.core.ids import ChatId, FileRef, MessageId, PressId, ThreadId
from telegram_channel.core.outgoing import (
    BotIdentity,
    ButtonRows,
    DownloadOutcome,
    OutMessage,
    SendOutcome,
    TopicOutcome,
)
from telegram_channel.core.text import Body
from telegram_channel.ports import Chat


class ChatView:
    """`ports.Chat` on top of another; by itself it changes nothing."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    async def send(self, message: OutMessage) -> SendOutcome:
        """Send one answer."""
        return await self._chat.send(message)

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
